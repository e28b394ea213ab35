//! Endorsements: the public keys that may sign platform tokens.

use std::slice;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use token::verify::{PlatformKey, PublicKey};
use token::{SignatureAlgorithm, test_platform};

use crate::encoding::{from_base64url, from_hex};
use crate::json;

const FORM: &str = "this is no JSON Web Key, no set of them ({\"keys\": […]}), and no trust-anchor store \
     ([{\"pkey\": JWK, \"implementation-id\": HEX, \"instance-id\": HEX}, …])";

/// Reads endorsements: a JSON Web Key, a set of them, or the trust-anchor store of Veraison's tools.
///
/// A key with `implementation-id` or `instance-id` (hexadecimal) is good for these platforms only.
///
/// # Errors
///
/// Says which key is not as it should be.
pub fn read_endorsements(json: &str) -> Result<Vec<PlatformKey>> {
    let file = json::read(json)?;
    let keys = match (&file, file.get("keys")) {
        (_, Some(Value::Array(keys))) | (Value::Array(keys), _) => keys.as_slice(),
        (Value::Object(_), None) => slice::from_ref(&file),
        _ => bail!(FORM),
    };
    let keys = keys.iter().enumerate();
    keys.map(|(at, key)| read_key(key).with_context(|| format!("key {}", at + 1)))
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

/// Reads a JSON Web Key with its identifiers, or an entry of a store, where it is called `pkey`.
fn read_key(entry: &Value) -> Result<PlatformKey> {
    let key = entry.get("pkey").unwrap_or(entry);
    ensure!(key.is_object(), FORM);
    ensure!(text(key, "kty")? == "EC", "kty is not EC");
    let (algorithm, size) = match text(key, "crv")? {
        "P-256" => (SignatureAlgorithm::Es256, 32),
        "P-384" => (SignatureAlgorithm::Es384, 48),
        "P-521" => (SignatureAlgorithm::Es512, 66),
        _ => bail!("crv is not P-256, P-384 or P-521"),
    };
    let x = coordinate(text(key, "x")?, size)?;
    let y = coordinate(text(key, "y")?, size)?;
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    Ok(PlatformKey {
        public_key: PublicKey::from_point(algorithm, &point)?,
        implementation_id: identifier(entry, "implementation-id")?,
        instance_id: identifier(entry, "instance-id")?,
    })
}

/// The text called `name`, which a key must have.
fn text<'a>(key: &'a Value, name: &str) -> Result<&'a str> {
    let value = key.get(name).and_then(Value::as_str);
    value.with_context(|| format!("there is no text called {name}"))
}

fn coordinate(text: &str, size: usize) -> Result<Vec<u8>> {
    let bytes = from_base64url(text).map_err(|_| anyhow!("a coordinate is not base64url"))?;
    ensure!(bytes.len() == size, "a coordinate has not {size} bytes");
    Ok(bytes)
}

fn identifier<const N: usize>(entry: &Value, what: &str) -> Result<Option<[u8; N]>> {
    let Some(value) = entry.get(what) else {
        return Ok(None);
    };
    let bytes = value.as_str().and_then(|digits| from_hex(digits).ok());
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(Some)
        .with_context(|| format!("{what} must be {} hexadecimal digits", 2 * N))
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
            (good.replace("kty", "type"), "no text called kty"),
            ("7".into(), "no JSON Web Key"),
            ("[7]".into(), "key 1: this is no JSON Web Key"),
            ("{".into(), "goes wrong at line 1, column 1"),
        ] {
            let error = format!("{:#}", read_endorsements(&bad).unwrap_err());
            assert!(
                error.contains(why) && !error.contains("untagged"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_trust_anchor_store_of_veraison_is_read_as_it_is() {
        let (implementation, instance) = ("AB".repeat(32), format!("01{}", "cd".repeat(32)));
        let key = jwk("");
        let store = format!(
            r#"[{{"instance-id":"{instance}","implementation-id":"{implementation}","pkey":{key}}}]"#
        );
        let keys = read_endorsements(&store).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].implementation_id, Some([0xab; 32]));
        assert_eq!(
            keys[0].instance_id.map(|id| (id[0], id[32])),
            Some((1, 0xcd))
        );
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
