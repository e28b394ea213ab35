//! The device that the realm may trust.

use vdev::{Layout, Lie};

/// The device that the realm may trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustedDevice {
    /// Which function of bus 0.
    pub stream: Option<u32>,
    /// How it, or the host, lies.
    pub lie: Lie,
    /// The layout of what the RMM says of it.
    pub layout: Layout,
    /// What the RMM hashes with: 0 SHA-256, 1 SHA-512, 2 SHA-384.
    pub hash: u8,
}

impl TrustedDevice {
    /// Takes `value` for `key`; `None` if one of them is not known.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match (key, value) {
            ("trust", place) => self.stream = Some(stream(place)?),
            ("lie", name) => self.lie = Lie::from_name(name)?,
            ("vdev-info", "2.0") => self.layout = Layout::WithFormat,
            ("vdev-info", "1.1") => self.layout = Layout::WithoutFormat,
            ("vdev-hash", "sha256") => self.hash = 0,
            ("vdev-hash", "sha512") => self.hash = 1,
            ("vdev-hash", "sha384") => self.hash = 2,
            _ => return None,
        }
        Some(())
    }
}

/// The stream of a function of bus 0, such as `0000:00:02.0`.
fn stream(value: &str) -> Option<u32> {
    let (device, function) = value.strip_prefix("0000:00:")?.split_once('.')?;
    let number = |text: &str, digits: usize, most: u32| {
        let value = u32::from_str_radix(text, 16).ok()?;
        (text.len() == digits && value <= most).then_some(value)
    };
    Some(number(device, 2, 0x1f)? << 3 | number(function, 1, 7)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_to_be_trusted_is_named_by_its_place() {
        let mut device = TrustedDevice::default();
        device.set("trust", "0000:00:02.0").unwrap();
        device.set("lie", "stalled").unwrap();
        device.set("vdev-info", "1.1").unwrap();
        assert_eq!((device.stream, device.lie), (Some(16), Lie::Stalled));
        assert_eq!(device.layout, Layout::WithoutFormat);
        for bad in [
            "2",
            "0000:01:02.0",
            "0000:00:2.0",
            "0000:00:20.0",
            "0000:00:02.8",
        ] {
            assert_eq!(device.set("trust", bad), None, "{bad}");
        }
        assert_eq!(device.set("lie", "white"), None);
        assert_eq!(device.set("vdev-hash", "md5"), None);
    }
}
