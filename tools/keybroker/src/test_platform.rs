//! The test monitor's platform, in the forms that verifiers take.

use clap::ValueEnum;
use serde_json::json;
use token::test_platform::{IMPLEMENTATION_ID, INSTANCE_ID, platform_public_key};

use crate::encoding::{to_base64, to_base64url, to_hex};

/// Bytes of a coordinate on the curve P-384.
const COORDINATE: usize = 48;
/// Characters of a line of PEM.
const LINE: usize = 64;
/// What stands before a point of P-384 in a `SubjectPublicKeyInfo`: the algorithm and the curve.
///
/// Ref: RFC 5480, 2.
const PKIX: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];

/// A form in which a verifier takes a platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people: identifiers in hexadecimal digits, and the key as JWK and as PEM.
    #[default]
    Text,
    /// The trust-anchor store of Veraison's tools; `--endorsements` takes it, too.
    Store,
    /// A JSON Web Key with its identifiers, as `--endorsements` takes it.
    Jwk,
    /// The key alone, as PEM.
    Pem,
}

/// The test monitor's platform in a form. Everybody has its private key: it is for tests.
pub fn show_test_platform(form: Form) -> String {
    let (implementation, instance) = (to_hex(IMPLEMENTATION_ID), to_hex(INSTANCE_ID));
    match form {
        Form::Text => format!(
            "implementation-id {implementation}\ninstance-id {instance}\njwk {}\n{}",
            jwk(),
            pem()
        ),
        Form::Store => lines(&json!([{
            "implementation-id": implementation,
            "instance-id": instance,
            "pkey": jwk(),
        }])),
        Form::Jwk => {
            let mut key = jwk();
            if let Some(fields) = key.as_object_mut() {
                fields.insert("implementation-id".into(), implementation.into());
                fields.insert("instance-id".into(), instance.into());
            }
            lines(&key)
        }
        Form::Pem => pem(),
    }
}

fn lines(json: &serde_json::Value) -> String {
    format!("{json:#}\n")
}

fn jwk() -> serde_json::Value {
    let point = platform_public_key();
    let (x, y) = point.split_at(point.len() - COORDINATE);
    let x = x.get(1..).unwrap_or_default();
    json!({"kty": "EC", "crv": "P-384", "x": to_base64url(x), "y": to_base64url(y)})
}

fn pem() -> String {
    let mut text = to_base64(&[&PKIX[..], &platform_public_key()].concat());
    for at in (LINE..text.len()).step_by(LINE + 1) {
        text.insert(at, '\n');
    }
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read_endorsements, test_platform_key};

    #[test]
    fn what_is_shown_endorses_the_test_platform() {
        for form in [Form::Store, Form::Jwk] {
            let keys = read_endorsements(&show_test_platform(form)).unwrap();
            assert_eq!(format!("{keys:?}"), format!("{:?}", [test_platform_key()]));
        }
    }

    #[test]
    fn people_see_the_identifiers_and_the_key() {
        let text = show_test_platform(Form::Text);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            format!("implementation-id {}", to_hex(IMPLEMENTATION_ID))
        );
        assert_eq!(lines[1], format!("instance-id {}", to_hex(INSTANCE_ID)));
        assert!(text.ends_with(&pem()));
    }

    #[test]
    fn the_pem_form_has_the_key_behind_its_curve() {
        let text = pem();
        let lines: Vec<_> = text.lines().collect();
        let body = &lines[1..lines.len() - 1];
        assert!(body.iter().all(|line| line.len() <= LINE));
        let bytes = crate::encoding::from_base64(&body.concat()).unwrap();
        // The length of the outer sequence is that of what follows it.
        assert_eq!(usize::from(bytes[1]), bytes.len() - 2);
        assert_eq!(bytes[PKIX.len()..], platform_public_key());
    }
}
