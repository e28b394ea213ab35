//! What the payload prints: to the test's output, and kept for it to look at.

use std::cell::RefCell;
use std::fmt;

thread_local! {
    static PRINTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Prints a line, as on the console of the realm.
#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => {
        $crate::print_line(::core::format_args!($($argument)*))
    };
}

/// Prints one line.
#[doc(hidden)]
pub fn print_line(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    std::println!("{text}");
    PRINTED.with_borrow_mut(|lines| lines.extend(text.lines().map(str::to_owned)));
}

/// The lines that were printed on this thread since [`forget`].
pub(crate) fn printed() -> Vec<String> {
    PRINTED.with_borrow(Vec::clone)
}

/// Begins a new page, and lets what is logged be printed, too.
pub(crate) fn forget() {
    PRINTED.with_borrow_mut(Vec::clear);
    // Another machine of this program may have done so.
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        print_line(*record.args());
    }

    fn flush(&self) {}
}
