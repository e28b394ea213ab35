//! What a run asks of its payload's image beyond what every image of that payload has: features of cargo.

use crate::options::RunOptions;

/// Features that the options or boot arguments of a run need. A payload has those that its package names.
#[must_use]
pub fn wanted(options: &RunOptions) -> Vec<&'static str> {
    let arguments = || options.append.split_ascii_whitespace();
    let has = |start: &str| arguments().any(|word| word.starts_with(start));
    let needs = [
        ("balloon", options.balloon.is_some() || has("balloon=")),
        ("console", !options.port.is_empty() || has("console=hvc0")),
        (
            "entropy",
            options
                .device
                .iter()
                .any(|one| one.starts_with("virtio-rng")),
        ),
        ("share", !options.share.is_empty()),
        ("trace", options.trace.is_some() || has("trace=")),
        ("vsock", !options.vsock.is_empty()),
        ("trust", options.trust_device.is_some() || has("trust=")),
    ];
    let needs = needs.into_iter().filter(|(_, needed)| *needed);
    needs.map(|(feature, _)| feature).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command};
    use clap::Parser as _;

    fn wanted_by(words: &[&str]) -> Vec<&'static str> {
        let words = ["airlock", "run"].iter().chain(words);
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Run(options) => wanted(&options),
            other => panic!("this is not run: {other:?}"),
        }
    }

    #[test]
    fn a_run_without_options_takes_the_image_as_it_is() {
        assert!(wanted_by(&[]).is_empty());
        assert!(wanted_by(&["--append", "ip=dhcp fetch.url=http://a/trace=b"]).is_empty());
    }

    #[test]
    fn options_and_boot_arguments_name_the_features_that_they_need() {
        assert_eq!(wanted_by(&["--trace", "t"]), ["trace"]);
        assert_eq!(wanted_by(&["--append", "trace=bounce"]), ["trace"]);
        assert_eq!(wanted_by(&["--trust-device", "0000:00:02.0"]), ["trust"]);
        assert_eq!(wanted_by(&["--port", "chat=stdio"]), ["console"]);
        assert_eq!(wanted_by(&["--append", "a console=hvc0"]), ["console"]);
        assert_eq!(wanted_by(&["--balloon", "16M"]), ["balloon"]);
        assert_eq!(wanted_by(&["--share", "web=/tmp"]), ["share"]);
        assert_eq!(wanted_by(&["--vsock"]), ["vsock"]);
        assert_eq!(wanted_by(&["--device", "virtio-rng-pci"]), ["entropy"]);
    }
}
