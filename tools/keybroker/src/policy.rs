//! On which conditions a key is given out, besides those that always hold.

use anyhow::{Result, ensure};
use serde::Deserialize;
use token::LifecycleState;
use token::verify::Policy;

use crate::devices;
use crate::encoding::from_hex;

/// The conditions of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The states that the platform may be in.
    pub lifecycles: Vec<LifecycleState>,
    /// What REM 1 to 4 must be, where it matters.
    pub rems: [Option<Vec<u8>>; 4],
    /// The measurements of devices that a realm may trust: `sha256:` and hexadecimal digits. None of
    /// them: it may trust no device.
    pub devices: Vec<String>,
    /// What the personalization value must be, if it matters.
    pub personalization: Option<[u8; 64]>,
}

impl Default for KeyPolicy {
    /// A secured platform, no trusted device, and nothing else.
    fn default() -> Self {
        Self {
            lifecycles: vec![LifecycleState::Secured],
            rems: [None, None, None, None],
            devices: Vec::new(),
            personalization: None,
        }
    }
}

impl KeyPolicy {
    /// What REM 3 of `length` bytes may be; `None` where the policy says that by itself.
    pub fn device_values(&self, length: usize) -> Option<Vec<Vec<u8>>> {
        let [_, _, third, _] = &self.rems;
        third
            .is_none()
            .then(|| devices::values(&self.devices, length))
    }

    /// The policy that a verifier applies; what does not belong to a key is not asked.
    pub fn verifier(&self) -> Policy<'_> {
        Policy {
            lifecycles: &self.lifecycles,
            rems: self.rems.each_ref().map(Option::as_deref),
            personalization: self.personalization.as_ref(),
            ..Policy::STRICT
        }
    }
}

/// The conditions as a file has them: names and hexadecimal digits.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFile {
    lifecycle: Option<Vec<String>>,
    rem1: Option<String>,
    rem2: Option<String>,
    rem3: Option<String>,
    rem4: Option<String>,
    devices: Option<Vec<String>>,
    rpv: Option<String>,
}

impl PolicyFile {
    pub(crate) fn check(self) -> Result<KeyPolicy> {
        let default = KeyPolicy::default();
        let lifecycles = self.lifecycle.map(|names| lifecycles(&names)).transpose()?;
        let rems = [
            rem("rem1", self.rem1)?,
            rem("rem2", self.rem2)?,
            rem("rem3", self.rem3)?,
            rem("rem4", self.rem4)?,
        ];
        Ok(KeyPolicy {
            lifecycles: lifecycles.unwrap_or(default.lifecycles),
            rems,
            devices: devices::measurements(self.devices.unwrap_or_default())?,
            personalization: self.rpv.as_deref().map(personalization).transpose()?,
        })
    }
}

fn lifecycles(names: &[String]) -> Result<Vec<LifecycleState>> {
    let known = LifecycleState::NAMES.map(|(_, name)| name).join(", ");
    let states = names.iter().map(|name| LifecycleState::from_name(name));
    let states: Option<Vec<LifecycleState>> = states.collect();
    let states = states.filter(|states| !states.is_empty());
    states.ok_or_else(|| anyhow::anyhow!("lifecycle must be some of: {known}"))
}

fn rem(what: &str, digits: Option<String>) -> Result<Option<Vec<u8>>> {
    let Some(digits) = digits else {
        return Ok(None);
    };
    let value = from_hex(&digits).unwrap_or_default();
    ensure!(
        matches!(value.len(), 32 | 48 | 64),
        "{what} must be 64, 96 or 128 hexadecimal digits"
    );
    Ok(Some(value))
}

/// Reads a personalization value; a shorter one ends in zeros, as the monitors pad it.
fn personalization(digits: &str) -> Result<[u8; 64]> {
    let mut value = from_hex(digits).unwrap_or_default();
    ensure!(
        (1..=64).contains(&value.len()),
        "rpv must be 2 to 128 hexadecimal digits"
    );
    value.resize(64, 0);
    value
        .try_into()
        .map_err(|_| anyhow::anyhow!("rpv must be 2 to 128 hexadecimal digits"))
}
