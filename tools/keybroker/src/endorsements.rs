//! Endorsements: the public keys that may sign platform tokens.

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use token::verify::{PlatformKey, PublicKey};
use token::{SignatureAlgorithm, test_platform};

use crate::encoding::{from_base64url, from_hex};

/// A set of keys, or one key alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Set { keys: Vec<Jwk> },
    One(Jwk),
}

/// A JSON Web Key. The two identifiers, in hexadecimal digits, are ours: they narrow what it is for.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    #[serde(rename = "implementation-id")]
    implementation_id: Option<String>,
    #[serde(rename = "instance-id")]
    instance_id: Option<String>,
}

/// Reads endorsements: a JSON Web Key, or a set of them.
///
/// A key with `implementation-id` or `instance-id` (hexadecimal) is good for these platforms only.
///
/// # Errors
///
/// Says which key is not as it should be.
pub fn read_endorsements(json: &str) -> Result<Vec<PlatformKey>> {
    let file: File = serde_json::from_str(json).context("neither a JWK nor a set of them")?;
    let keys = match file {
        File::Set { keys } => keys,
        File::One(key) => vec![key],
    };
    let keys = keys.iter().enumerate();
    keys.map(|(at, key)| key.read().with_context(|| format!("key {}", at + 1)))
        .collect()
}

/// The key of the test monitor, whose private half everybody knows.
///
/// # Panics
///
/// Never: the key is a constant.
pub fn test_platform_key() -> PlatformKey {
    let point = test_platform::platform_public_key();
    let public_key = PublicKey::from_point(SignatureAlgorithm::Es384, &point)
        .expect("the test platform's key is on its curve");
    PlatformKey {
        public_key,
        implementation_id: Some(*test_platform::IMPLEMENTATION_ID),
        instance_id: Some(*test_platform::INSTANCE_ID),
    }
}

impl Jwk {
    fn read(&self) -> Result<PlatformKey> {
        ensure!(self.kty == "EC", "kty is not EC");
        let (algorithm, size) = match self.crv.as_str() {
            "P-256" => (SignatureAlgorithm::Es256, 32),
            "P-384" => (SignatureAlgorithm::Es384, 48),
            "P-521" => (SignatureAlgorithm::Es512, 66),
            _ => anyhow::bail!("crv is not P-256, P-384 or P-521"),
        };
        let x = coordinate(&self.x, size)?;
        let y = coordinate(&self.y, size)?;
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        Ok(PlatformKey {
            public_key: PublicKey::from_point(algorithm, &point)?,
            implementation_id: identifier(self.implementation_id.as_deref(), "implementation-id")?,
            instance_id: identifier(self.instance_id.as_deref(), "instance-id")?,
        })
    }
}

fn coordinate(text: &str, size: usize) -> Result<Vec<u8>> {
    let bytes = from_base64url(text).map_err(|_| anyhow!("a coordinate is not base64url"))?;
    ensure!(bytes.len() == size, "a coordinate has not {size} bytes");
    Ok(bytes)
}

fn identifier<const N: usize>(digits: Option<&str>, what: &str) -> Result<Option<[u8; N]>> {
    let Some(digits) = digits else {
        return Ok(None);
    };
    let bytes = from_hex(digits).unwrap_or_default();
    let bytes = bytes.try_into();
    bytes
        .map(Some)
        .map_err(|_| anyhow!("{what} must be {} hexadecimal digits", 2 * N))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{to_base64url, to_hex};

    fn jwk(more: &str) -> String {
        let point = test_platform::platform_public_key();
        let (x, y) = (to_base64url(&point[1..49]), to_base64url(&point[49..]));
        format!(r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{y}"{more}}}"#)
    }

    #[test]
    fn a_key_alone_and_a_set_of_keys_are_read() {
        assert_eq!(read_endorsements(&jwk("")).unwrap().len(), 1);
        let set = format!(r#"{{"keys":[{},{}]}}"#, jwk(""), jwk(""));
        assert_eq!(read_endorsements(&set).unwrap().len(), 2);
    }

    #[test]
    fn a_key_can_be_for_one_platform_only() {
        let instance = to_hex(test_platform::INSTANCE_ID);
        let keys = read_endorsements(&jwk(&format!(r#","instance-id":"{instance}""#))).unwrap();
        assert_eq!(keys[0].instance_id, Some(*test_platform::INSTANCE_ID));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let good = jwk("");
        for (bad, why) in [
            (good.replace("P-384", "P-256"), "32 bytes"),
            (good.replace("P-384", "P-999"), "crv"),
            (good.replace("EC", "RSA"), "kty"),
            (good.replace("\"x\":\"", "\"x\":\"A"), "coordinate"),
            (jwk(r#","instance-id":"00""#), "instance-id"),
            ("[]".into(), "neither"),
        ] {
            let error = format!("{:#}", read_endorsements(&bad).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let point = test_platform::platform_public_key();
        let x = to_base64url(&point[1..49]);
        let bad = format!(r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{x}"}}"#);
        let error = format!("{:#}", read_endorsements(&bad).unwrap_err());
        assert!(error.contains("curve"), "{error}");
    }
}
