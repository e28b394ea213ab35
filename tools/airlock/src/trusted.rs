//! A device that the realm may trust: what monitor and realm are told of it.

use crate::options::RunOptions;
use vdev::{Curve, Device, Firmware};

/// The options of the monitor: those of the user, and the place of the device.
pub fn monitor_options(options: &RunOptions) -> Vec<String> {
    let place = options.trust_device.iter();
    let place = place.map(|place| format!("monitor.trust={place}"));
    options.monitor.iter().cloned().chain(place).collect()
}

/// The boot arguments: those of the user, and what is to be trusted if they do not say that, to the runtime or
/// to the payload.
pub fn append(options: &RunOptions) -> String {
    let given = options.append.trim();
    match &options.trust_device {
        Some(place)
            if !given
                .split_whitespace()
                .any(|word| word.starts_with("trust=") || word.contains(".trust=")) =>
        {
            format!("{given} trust={place}:measurement=sha256:{}", measurement())
                .trim()
                .to_owned()
        }
        _ => given.to_owned(),
    }
}

/// What policies know the monitor's device by, in hexadecimal digits.
pub fn measurement() -> String {
    let bytes = Device::new(Curve::P384, Firmware::Known).measurement();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command};
    use clap::Parser;

    fn options(line: &[&str]) -> RunOptions {
        let words = ["airlock", "run"].iter().chain(line);
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Run(options) => *options,
            other => panic!("this is not run: {other:?}"),
        }
    }

    #[test]
    fn monitor_and_realm_are_told_of_the_device() {
        let run = options(&["--trust-device", "0000:00:02.0", "--monitor", "lie=slow"]);
        let told = monitor_options(&run);
        assert_eq!(told, ["monitor.lie=slow", "monitor.trust=0000:00:02.0"]);
        let expected = format!("trust=0000:00:02.0:measurement=sha256:{}", measurement());
        assert_eq!(append(&run), expected);
    }

    #[test]
    fn a_policy_of_the_users_own_is_left_alone() {
        let run = options(&["--trust-device", "0000:00:02.0", "--append", "trust=none"]);
        assert_eq!(append(&run), "trust=none");
        let asked = "fetch.trust=ask";
        let run = options(&["--trust-device", "0000:00:02.0", "--append", asked]);
        assert_eq!(append(&run), asked);
        assert_eq!(append(&options(&["--append", " log=debug "])), "log=debug");
    }
}
