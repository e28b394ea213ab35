//! Why code panics, by the entry that it calls.

/// Beginnings of the names of functions that end in a panic.
const ENTRIES: [&str; 13] = [
    "core::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::slice::index::slice_",
    "core::slice::copy_from_slice_impl::len_mismatch_fail",
    "core::str::slice_error_fail",
    "core::cell::panic_",
    "core::num::from_ascii_radix_panic",
    "core::slice::sort::shared::smallsort::panic_on_ord_violation",
    "alloc::raw_vec::handle_error",
    "alloc::raw_vec::capacity_overflow",
    "alloc::alloc::handle_alloc_error",
];
/// The end of the names of those that methods of a vector keep for themselves.
const ENTRY_END: &str = "::assert_failed";

/// Parts of the standard library that assert nothing but that a capacity fits.
const ALLOCATORS: [&str; 4] = [
    "alloc::raw_vec",
    "alloc::vec::Vec",
    "alloc::rc::",
    "vec_deque",
];

/// Whether this function does nothing but panic. What calls none of them, directly or by others of the
/// standard library, does not panic: `panic_fmt`, to which all of them lead, is one of them.
pub fn is_entry(name: &str) -> bool {
    let is_named = ENTRIES.iter().any(|entry| name.starts_with(entry));
    is_named || name.ends_with(ENTRY_END) || name.ends_with("alloc_error_handler")
}

/// Why code panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A sum, difference, product or shift that does not fit, or a division by zero.
    Arithmetic,
    /// An index or a range outside of a slice.
    Index,
    /// `unwrap` or `expect`.
    Unwrap,
    /// Two borrows of one cell.
    Borrow,
    /// No memory.
    Memory,
    /// A future that is polled after its end.
    Resumed,
    /// `assert`, `unreachable`, and what is left.
    Other,
}

impl Kind {
    /// All of them, with their names.
    pub const ALL: [(Self, &str); 7] = [
        (Self::Arithmetic, "arithmetic"),
        (Self::Index, "index"),
        (Self::Unwrap, "unwrap"),
        (Self::Borrow, "borrow"),
        (Self::Memory, "memory"),
        (Self::Resumed, "resumed"),
        (Self::Other, "other"),
    ];

    /// That of the panic entry with this name, which the function `inside` calls.
    pub fn of(entry: &str, inside: &str) -> Self {
        let has = |parts: &[&str]| parts.iter().any(|part| entry.contains(part));
        if has(&["fn_resumed"]) {
            Self::Resumed
        } else if has(&[
            "panic_const",
            "panicking::panic_div",
            "panicking::panic_rem",
        ]) {
            Self::Arithmetic
        } else if has(&["bounds_check", "slice_", "len_mismatch", ENTRY_END]) {
            Self::Index
        } else if ALLOCATORS.iter().any(|part| inside.contains(part)) {
            // Capacities that do not fit.
            Self::Memory
        } else if has(&["unwrap_failed", "expect_failed"]) {
            Self::Unwrap
        } else if entry.contains("cell::panic_") {
            Self::Borrow
        } else if entry.contains("alloc::") {
            Self::Memory
        } else {
            Self::Other
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(kind, _)| *kind == self);
        named.map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_entry() {
        for (entry, kind) in [
            (
                "core::panicking::panic_const::panic_const_add_overflow",
                Kind::Arithmetic,
            ),
            (
                "core::panicking::panic_const::panic_const_async_fn_resumed",
                Kind::Resumed,
            ),
            ("core::panicking::panic_bounds_check", Kind::Index),
            ("core::slice::index::slice_index_fail", Kind::Index),
            ("alloc::vec::Vec<T,A>::remove::assert_failed", Kind::Index),
            ("core::option::unwrap_failed", Kind::Unwrap),
            ("core::cell::panic_already_borrowed", Kind::Borrow),
            ("alloc::alloc::handle_alloc_error", Kind::Memory),
            ("core::panicking::panic_fmt", Kind::Other),
        ] {
            assert!(is_entry(entry), "{entry}");
            assert_eq!(Kind::of(entry, "net::f"), kind, "{entry}");
        }
        let collect = "<alloc::vec::Vec<T> as alloc::vec::spec_from_iter_nested::SpecFromIterNested<T,I>>::from_iter";
        assert_eq!(
            Kind::of("core::panicking::panic_fmt", collect),
            Kind::Memory
        );
        assert!(!is_entry("alloc::vec::Vec<T,A>::push"));
    }
}
