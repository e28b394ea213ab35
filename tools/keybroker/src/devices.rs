//! The devices that a realm may trust, and what REM 3 shows of them.
//!
//! An Airlock realm extends REM 3 by a line of text for each device that it trusts, before the device
//! reaches private memory, and by nothing else. A realm that trusts no device has zeros there.

use anyhow::{Result, ensure};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::encoding::from_hex;

/// The most devices that a policy names: each order in which they can be accepted is another value.
const MOST: usize = 4;
const PREFIX: &str = "sha256:";

/// Reads the measurements of a policy.
pub(crate) fn measurements(devices: Vec<String>) -> Result<Vec<String>> {
    ensure!(
        devices.len() <= MOST,
        "devices may name at most {MOST} devices"
    );
    for device in &devices {
        let digits = device.strip_prefix(PREFIX).unwrap_or_default();
        let is_digest = from_hex(digits).is_ok_and(|bytes| bytes.len() == 32);
        let is_lower = !digits.bytes().any(|byte| byte.is_ascii_uppercase());
        ensure!(
            is_digest && is_lower,
            "`{device}` is not like {PREFIX} and 64 hexadecimal digits"
        );
    }
    Ok(devices)
}

/// Every value that REM 3, of `length` bytes, has if the realm trusts some of `devices` and no other,
/// in any order.
pub(crate) fn values(devices: &[String], length: usize) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let left: Vec<&str> = devices.iter().map(String::as_str).collect();
    add(&mut values, vec![0; length], &left);
    values
}

fn add(values: &mut Vec<Vec<u8>>, value: Vec<u8>, left: &[&str]) {
    for (at, device) in left.iter().enumerate() {
        let text = format!("trusted device {device}");
        let event = digest(text.as_bytes(), value.len());
        let next = digest(&[&value[..], &event].concat(), value.len());
        let mut rest = left.to_vec();
        rest.remove(at);
        add(values, next, &rest);
    }
    values.push(value);
}

/// The digest of `bytes` by the hash whose digests have `length` bytes.
fn digest(bytes: &[u8], length: usize) -> Vec<u8> {
    match length {
        32 => Sha256::digest(bytes).to_vec(),
        48 => Sha384::digest(bytes).to_vec(),
        _ => Sha512::digest(bytes).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(digit: char) -> String {
        format!("sha256:{}", String::from(digit).repeat(64))
    }

    #[test]
    fn each_order_of_some_of_the_devices_is_a_value() {
        let (a, b) = (device('a'), device('b'));
        assert_eq!(values(&[], 32), [vec![0; 32]]);
        assert_eq!(values(std::slice::from_ref(&a), 48).len(), 2);
        let both = values(&[a.clone(), b.clone()], 64);
        assert_eq!(both.len(), 5);
        assert!(both.iter().all(|value| value.len() == 64));
        let alone = values(&[a], 32);
        let event = Sha256::digest(format!("trusted device {}", device('a')));
        let expected = Sha256::digest([&[0; 32][..], &event].concat());
        assert_eq!(alone[0], expected.to_vec());
        assert!(!alone.contains(&values(&[b], 32)[0]));
    }

    #[test]
    fn what_is_no_measurement_is_named() {
        for wrong in ["", "sha256:00", "sha384:00", &device('A'), &device('g')] {
            let error = measurements(vec![wrong.into()]).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        assert!(measurements(vec![device('a'); 5]).is_err());
        assert!(measurements(vec![device('a')]).is_ok());
    }
}
