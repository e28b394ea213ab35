//! What people are told of a device that was not started, or was stopped.

use core::fmt::Display;

use virtio::{Error, Kind, Part, StreamError};

/// Each text is one line that says something, and no two say the same.
fn differ(texts: &[&dyn Display], least: usize) {
    let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
    for (at, text) in texts.iter().enumerate() {
        assert!(text.len() >= least && !text.contains('\n'), "{text:?}");
        assert!(!texts[at + 1..].contains(text), "{text:?}");
    }
}

#[test]
fn each_error_of_a_device_is_told_in_its_own_words() {
    let (queue, size, bit) = (1, 3, 32);
    differ(
        &[
            &Error::WrongKind,
            &Error::LegacyOnly,
            &Error::MissingPart(Part::Common),
            &Error::MissingPart(Part::Notify),
            &Error::MissingPart(Part::Isr),
            &Error::MissingPart(Part::Device),
            &Error::PoolTooSmall { size: 7, least: 9 },
            &Error::Withdrawn,
            &Error::AtRest,
            &Error::ResetTimedOut,
            &Error::MissingFeature { bit },
            &Error::MissingFeature { bit: 33 },
            &Error::MissingFeature { bit: 5 },
            &Error::FeaturesRefused,
            &Error::FeaturesChanged,
            &Error::QueueSize { queue, size },
            &Error::QueueRefused { queue },
            &Error::Doorbell { queue, at: 8 },
            &Error::Config { at: 8 },
            &Error::ConfigUnstable,
            &Error::BadMac,
            &Error::NeedsReset,
            &Error::StatusLost { status: 3 },
            &Error::BadName,
            &Error::BadMessage,
            &Error::QueueFull,
            &Error::TimedOut,
        ],
        10,
    );
    let text = Error::PoolTooSmall { size: 7, least: 9 }.to_string();
    assert!(
        text.contains("7 bytes") && text.contains("9 at least"),
        "{text}"
    );
    let text = Error::MissingPart(Part::Isr).to_string();
    assert!(text.contains("interrupt status"), "{text}");
    let text = Error::MissingFeature { bit }.to_string();
    assert!(text.contains("disable-legacy=on"), "{text}");
}

#[test]
fn each_kind_of_device_and_each_end_of_a_stream_has_a_name() {
    let others = [8, 16, 18, 20, 24, 26, 27, 99].map(Kind::Other);
    let mut kinds: Vec<&dyn Display> = vec![
        &Kind::Net,
        &Kind::Block,
        &Kind::Console,
        &Kind::Vsock,
        &Kind::Rng,
        &Kind::NineP,
        &Kind::Balloon,
    ];
    kinds.extend(others.iter().map(|kind| kind as &dyn Display));
    differ(&kinds, 4);
    differ(
        &[
            &StreamError::NoPort,
            &StreamError::NoDevice,
            &StreamError::Refused,
            &StreamError::Reset,
            &StreamError::Broken,
            &StreamError::InUse,
            &StreamError::TooMany,
            &StreamError::TimedOut,
            &StreamError::Device(Error::TimedOut),
        ],
        10,
    );
}
