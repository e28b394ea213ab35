//! Paths that stay inside the share.

use crate::PathFault;

/// Most names of a path: as many as one step to it may have.
///
/// Ref: Plan 9 manual, `walk(5)`: MAXWELEM.
pub const MAX_DEPTH: usize = 16;
/// Most bytes of a name, as on Linux.
const MAX_NAME: usize = 255;

/// Whether `path` is one that a client asks the host for: relative, of plain names, not empty.
pub fn is_inside(path: &str) -> bool {
    !path.is_empty() && names(path).is_ok()
}

/// The names of `path`, which is relative to the share; none for an empty path, the share itself.
///
/// # Errors
///
/// [`PathFault`], before anything is asked of the host.
pub(crate) fn names(path: &str) -> Result<impl Iterator<Item = &str> + Clone, PathFault> {
    if path.starts_with('/') {
        return Err(PathFault::Absolute);
    }
    let whole = Some(path).filter(|path| !path.is_empty());
    let names = whole.into_iter().flat_map(|path| path.split('/'));
    names.clone().try_for_each(check)?;
    if names.clone().count() > MAX_DEPTH {
        return Err(PathFault::Deep);
    }
    Ok(names)
}

/// The folder that `path` is in, and its name there; `None` for the share itself.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    match path.rsplit_once('/') {
        Some(parts) => Some(parts),
        None => (!path.is_empty()).then_some(("", path)),
    }
}

/// Checks one name, ours or the host's.
pub(crate) fn check(name: &str) -> Result<(), PathFault> {
    match name {
        "" => Err(PathFault::Empty),
        "." | ".." => Err(PathFault::Dots),
        _ if name.len() > MAX_NAME => Err(PathFault::Long),
        _ if name.contains(|c: char| c.is_control() || c == '/') => Err(PathFault::Character),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn fault(path: &str) -> Option<PathFault> {
        names(path).err()
    }

    #[test]
    fn a_path_inside_the_share_is_its_names() {
        let parts: Vec<_> = names("a/b c/d.txt").unwrap().collect();
        assert_eq!(parts, ["a", "b c", "d.txt"]);
        assert_eq!(names("").unwrap().count(), 0);
        assert_eq!(names("...").unwrap().count(), 1);
    }

    #[test]
    fn no_path_leaves_the_share() {
        assert_eq!(fault("/etc/passwd"), Some(PathFault::Absolute));
        assert_eq!(fault("/"), Some(PathFault::Absolute));
        for path in ["..", "a/..", "../a", "a/../b", ".", "a/./b"] {
            assert_eq!(fault(path), Some(PathFault::Dots), "{path}");
        }
        for path in ["a//b", "a/", "a//"] {
            assert_eq!(fault(path), Some(PathFault::Empty), "{path}");
        }
        assert_eq!(fault("a\0b"), Some(PathFault::Character));
        assert_eq!(fault("a\nb"), Some(PathFault::Character));
    }

    #[test]
    fn long_and_deep_paths_are_refused() {
        assert_eq!(fault(&"x".repeat(256)), Some(PathFault::Long));
        assert_eq!(fault(&"x".repeat(255)), None);
        let deep = |count: usize| Vec::from_iter(core::iter::repeat_n("x", count)).join("/");
        assert_eq!(fault(&deep(16)), None);
        assert_eq!(fault(&deep(17)), Some(PathFault::Deep));
    }

    #[test]
    fn a_path_is_split_at_its_last_name() {
        assert_eq!(split("a/b/c"), Some(("a/b", "c")));
        assert_eq!(split("c"), Some(("", "c")));
        assert_eq!(split(""), None);
    }
}
