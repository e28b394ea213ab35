//! What people are told when there is no token, no measurement, or no key.

use core::{fmt::Display, time::Duration};

use attest::keybroker::{ConnectError, EndpointError, Error, Fault, Step};
use attest::{Digest, MeasureError, TokenError};
use rsi::HashAlgorithm;

/// Each text is one line that says something, and no two say the same.
fn differ(errors: &[&dyn Display]) {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    for (at, text) in texts.iter().enumerate() {
        assert!(text.len() > 10 && !text.contains('\n'), "{text:?}");
        let mut others = texts.iter().skip(at + 1);
        assert!(others.all(|other| other != text), "{text:?}");
    }
}

#[test]
fn each_way_to_have_no_token_or_measurement_is_told_in_its_own_words() {
    let elapsed = Duration::from_millis(1500);
    let budget = TokenError::Budget {
        calls: 7,
        bytes: 12,
        elapsed,
    };
    let long = TokenError::TooLong {
        bytes: 70_000,
        limit: 65_536,
    };
    differ(&[
        &TokenError::NotSupported,
        &TokenError::State,
        &long,
        &budget,
        &TokenError::Empty,
        &TokenError::NotCbor,
        &MeasureError::UnknownHash(HashAlgorithm::Unknown(9)),
        &MeasureError::Index { number: 5 },
        &MeasureError::NotSupported,
        &MeasureError::LogFull,
    ]);
    let text = budget.to_string();
    assert!(text.contains("7 calls and 1500 ms (12 bytes)"), "{text}");
    assert!(long.to_string().contains("70000 bytes, where 65536"));
}

#[test]
fn each_way_to_have_no_key_is_told_in_its_own_words() {
    let step = Step::Challenge;
    let garbage = |fault| Error::Garbage { step, fault };
    differ(&[
        &EndpointError::Scheme,
        &EndpointError::Host,
        &EndpointError::Port,
        &EndpointError::Path,
        &EndpointError::TooLong,
        &ConnectError::Unreachable,
        &ConnectError::UnknownHost,
        &ConnectError::Refused,
        &ConnectError::TimedOut,
        &Error::Lost { step },
        &Error::Lost {
            step: Step::Evidence,
        },
        &Error::NotHttp { step },
        &garbage(Fault::Json),
        &garbage(Fault::Base64),
        &garbage(Fault::ChallengeLength { length: 3 }),
        &garbage(Fault::EvidenceKind),
        &garbage(Fault::Location),
        &garbage(Fault::Status { status: 302 }),
    ]);
}

#[test]
fn a_digest_is_shown_in_hexadecimal_in_both_ways() {
    let digest = Digest::of(HashAlgorithm::Sha256, b"").expect("the hash is known");
    let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest.to_string(), text);
    assert_eq!(format!("{digest:?}"), text);
}
