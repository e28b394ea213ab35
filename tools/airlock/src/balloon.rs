//! The guest's balloon: the device, the boot argument that allows it, and who moves it.

use crate::options::RunOptions;
use crate::qemu;
use crate::qmp::Qmp;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long QEMU may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// The device, which lets the guest take memory back when it needs it; `platform` is what every device of the
/// machine has.
#[must_use]
pub fn device(platform: &str) -> String {
    format!("virtio-balloon-pci,deflate-on-oom=on,disable-legacy=on{platform}")
}

/// The boot argument that allows the host `size` bytes, unless `append` has one.
#[must_use]
pub fn append(size: Option<u64>, append: String) -> String {
    let mut words = append.split_whitespace();
    let given = words.any(|word| word.starts_with("balloon="));
    match size {
        Some(size) if !given => format!("{append} balloon={size}").trim_start().to_owned(),
        _ => append,
    }
}

/// Where we move it, if there is one: QEMU makes this socket in `folder`.
#[must_use]
pub fn socket(options: &RunOptions, folder: &Path) -> Option<PathBuf> {
    options.balloon.map(|_| folder.join("qmp"))
}

/// QEMU's words for its machine protocol: where the user said, and at `ours`.
#[must_use]
pub fn words(options: &RunOptions, ours: Option<&PathBuf>) -> Vec<OsString> {
    let sockets = ours.into_iter().chain(&options.qmp);
    let words = sockets.flat_map(|path| {
        let mut word = OsString::from("unix:");
        word.push(qemu::escaped(path));
        word.push(",server=on,wait=off");
        ["-qmp".into(), word]
    });
    words.collect()
}

/// Asks the guest for `size` bytes as soon as QEMU runs, which has `total` in all.
pub fn ask(socket: PathBuf, size: u64, total: u64) {
    thread::spawn(move || {
        let asked = Qmp::connect(&socket, PATIENCE)
            .and_then(|mut qmp| qmp.leave(total.saturating_sub(size)));
        if let Err(error) = asked {
            eprintln!("airlock: balloon: {error:#}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_argument_allows_what_is_asked_for_unless_the_user_says_otherwise() {
        assert_eq!(append(None, "a=1".into()), "a=1");
        assert_eq!(append(Some(4096), String::new()), "balloon=4096");
        assert_eq!(append(Some(4096), "a=1".into()), "a=1 balloon=4096");
        assert_eq!(append(Some(4096), "balloon=0".into()), "balloon=0");
    }
}
