//! Evidence of a device in small, whole and broken.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its fixtures"
)]

use proptest::prelude::*;
use rsi::VdevInfo;
use tdisp::certificates::{self, ChainError, Fault};
use tdisp::report::{InterfaceReport, ReportError};
use tdisp::spdm::{Measurements, Negotiation, SpdmError};
use tdisp::{Evidence, EvidenceError, KeyError, Object, Objects};
use vdev::{Curve, Device, Firmware, INFO_SIZE, Range, interface_report};

const NONCE: [u8; 32] = [7; 32];
const RANGE: Range = Range {
    bar: 4,
    base: 0x1000_4000,
    size: 0x4000,
    non_tee: false,
};

fn objects(curve: Curve, firmware: Firmware) -> Objects {
    let device = Device::new(curve, firmware);
    Objects {
        negotiation: device.negotiation().to_vec(),
        certificates: device.certificates().to_vec(),
        measurements: device.measurements(NONCE),
        report: interface_report(&[RANGE]),
    }
}

/// What an honest RMM says of `objects`, hashed by the algorithm with this number.
fn info(objects: &Objects, algorithm: u8) -> VdevInfo {
    let mut bytes = [0; INFO_SIZE];
    (bytes[0x10], bytes[0x30], bytes[0x3a], bytes[0x40]) = (algorithm, 1, 1, 1);
    let hash = [
        tdisp::Hash::Sha256,
        tdisp::Hash::Sha512,
        tdisp::Hash::Sha384,
    ][usize::from(algorithm)];
    let all = [
        (0x80, &objects.negotiation),
        (0xc0, &objects.certificates),
        (0x140, &objects.measurements),
        (0x180, &objects.report),
    ];
    for (at, object) in all {
        let digest = hash.digest(&[object]);
        let digest = digest.as_bytes();
        bytes[at..at + digest.len()].copy_from_slice(digest);
    }
    VdevInfo::parse(&bytes).unwrap()
}

fn verify(objects: Objects) -> Result<Evidence, EvidenceError> {
    let info = info(&objects, 2);
    objects.compare(&info)?.verify()
}

#[test]
fn what_a_device_says_is_believed_on_both_curves_and_by_each_hash() {
    for curve in [Curve::P256, Curve::P384] {
        for algorithm in 0..3 {
            let objects = objects(curve, Firmware::Known);
            let info = info(&objects, algorithm);
            let evidence = objects.compare(&info).unwrap().verify().unwrap();
            let expected = Device::new(curve, Firmware::Known).measurement();
            assert_eq!(evidence.measurement().as_bytes(), &expected);
            let [range] = evidence.report().ranges() else {
                panic!("one range");
            };
            assert_eq!((range.base, range.len, range.bar), (0x1000_4000, 0x4000, 4));
        }
    }
}

#[test]
fn another_firmware_or_another_maker_is_another_measurement() {
    let of = |firmware| {
        let evidence = verify(objects(Curve::P384, firmware)).unwrap();
        evidence.measurement()
    };
    let known = of(Firmware::Known);
    assert_ne!(of(Firmware::Other), known);
    assert_ne!(of(Firmware::Forged), known);
    assert!(known.to_string().starts_with("sha256:"));
}

#[test]
fn an_object_that_the_rmm_did_not_see_is_named() {
    let whole = objects(Curve::P256, Firmware::Known);
    let info = info(&whole, 0);
    for object in [
        Object::Negotiation,
        Object::Certificates,
        Object::Measurements,
        Object::Report,
    ] {
        let mut other = whole.clone();
        let bytes = match object {
            Object::Negotiation => &mut other.negotiation,
            Object::Certificates => &mut other.certificates,
            Object::Measurements => &mut other.measurements,
            Object::Report => &mut other.report,
        };
        *bytes.last_mut().unwrap() ^= 1;
        let compared = other.compare(&info).map(|_| ());
        assert_eq!(compared, Err(EvidenceError::Swapped { object }));
    }
}

#[test]
fn measurements_that_the_device_did_not_sign_are_refused() {
    let mut broken = objects(Curve::P384, Firmware::Known);
    *broken.measurements.last_mut().unwrap() ^= 1;
    let error = EvidenceError::Measurements(SpdmError::Signature);
    assert_eq!(verify(broken).unwrap_err(), error);
    // By another device: its own signature, but not by the key of these certificates.
    let mut mixed = objects(Curve::P384, Firmware::Known);
    mixed.measurements = Device::new(Curve::P384, Firmware::Forged).measurements(NONCE);
    assert_eq!(verify(mixed).unwrap_err(), error);
    // The negotiation is under the signature too.
    let mut downgraded = objects(Curve::P384, Firmware::Known);
    downgraded.negotiation[17] ^= 1;
    assert_eq!(verify(downgraded).unwrap_err(), error);
}

#[test]
fn measurements_that_are_not_signed_raw_or_whole_are_refused() {
    for (at, value) in [(2, 2), (2, 1), (3, 1)] {
        let mut asked = objects(Curve::P256, Firmware::Known);
        asked.measurements[at] = value;
        let error = EvidenceError::Measurements(SpdmError::Incomplete);
        assert_eq!(verify(asked).unwrap_err(), error);
    }
}

#[test]
fn no_bit_of_a_chain_can_be_changed() {
    let device = Device::new(Curve::P256, Firmware::Known);
    let whole = device.certificates();
    assert_eq!(certificates::verify(whole).unwrap().certificates, 3);
    let root = certificates::verify(whole).unwrap().root;
    for at in 0..whole.len() {
        let mut broken = whole.to_vec();
        broken[at] ^= 1 << (at % 8);
        let verified = certificates::verify(&broken);
        assert!(verified.is_err() || verified.unwrap().root != root, "{at}");
    }
}

#[test]
fn a_chain_ends_with_a_device_and_has_all_links() {
    let device = Device::new(Curve::P384, Firmware::Known);
    let other = Device::new(Curve::P384, Firmware::Forged);
    let length = |chain: &[u8]| 4 + usize::from(u16::from_be_bytes([chain[2], chain[3]]));
    let whole = device.certificates();
    let root = length(whole);
    let line = length(&whole[root..]);
    let (first, second) = (&whole[..root], &whole[root..root + line]);
    let own = &whole[root + line..];
    let refused = |chain: &[&[u8]]| certificates::verify(&chain.concat()).unwrap_err();
    let error = |index, fault| ChainError { index, fault };
    assert_eq!(refused(&[]), error(0, Fault::Form));
    assert_eq!(refused(&[first, own]), error(1, Fault::Issuer));
    assert_eq!(refused(&[second, own]), error(0, Fault::Issuer));
    // A certificate of an authority signs no measurements.
    assert_eq!(refused(&[first, second]), error(1, Fault::NotForSigning));
    // A device signs no certificates.
    let stretched = refused(&[first, second, own, own]);
    assert_eq!(stretched, error(2, Fault::NotAnAuthority));
    let signature = Fault::Key(KeyError::Signature);
    let foreign = &other.certificates()[length(other.certificates())..];
    assert_eq!(refused(&[first, foreign]), error(1, signature));
    let many = vec![first; certificates::MOST_CERTIFICATES + 1];
    assert_eq!(refused(&many), error(8, Fault::TooLong));
}

#[test]
fn a_report_is_bounded_and_its_ranges_are_apart() {
    let range = |bar, base, size| Range {
        bar,
        base,
        size,
        non_tee: false,
    };
    let read = |ranges: &[Range]| InterfaceReport::parse(&interface_report(ranges)).map(|_| ());
    assert_eq!(read(&[range(0, 0, 4096), range(1, 4096, 4096)]), Ok(()));
    assert_eq!(read(&[]), Err(ReportError::Count { count: 0 }));
    let many: Vec<_> = (0..25).map(|n| range(0, n * 4096, 4096)).collect();
    assert_eq!(read(&many), Err(ReportError::Count { count: 25 }));
    let bad = Err(ReportError::Range { index: 0 });
    assert_eq!(read(&[range(6, 0, 4096)]), bad);
    assert_eq!(read(&[range(0, 0, 0)]), bad);
    let wraps = range(0, u64::MAX - 4095, 8192);
    assert_eq!(read(&[wraps]), bad);
    let twice = [range(0, 0, 8192), range(0, 4096, 4096)];
    assert_eq!(read(&twice), Err(ReportError::Overlap { index: 1 }));
    let mut long = interface_report(&[range(0, 0, 4096)]);
    long.push(0);
    let trailing = ReportError::Trailing { bytes: 1 };
    assert_eq!(InterfaceReport::parse(&long).unwrap_err(), trailing);
    for len in 0..long.len() - 1 {
        assert!(InterfaceReport::parse(&long[..len]).is_err(), "{len}");
    }
    // A page number that is too large once it is an address.
    let mut high = interface_report(&[range(0, 0, 4096)]);
    high[16..24].fill(0xff);
    assert_eq!(
        InterfaceReport::parse(&high).unwrap_err(),
        ReportError::Range { index: 0 }
    );
}

#[test]
fn a_record_that_does_not_add_up_is_refused_though_it_is_signed() {
    let key = certificates::verify(Device::new(Curve::P256, Firmware::Known).certificates());
    let key = key.unwrap().key;
    let device = Device::new(Curve::P256, Firmware::Known);
    let negotiation = Negotiation::parse(device.negotiation()).unwrap();
    for (count, record) in [
        (2, vdev::spdm::record(&[(1, 1, b"a")])),
        (1, vdev::spdm::record(&[(1, 1, b"a"), (2, 1, b"b")])),
        (1, vec![1, 1, 200, 0, 1, 0, 0]),
        (1, vec![1, 2, 4, 0, 1, 1, 0, 9]),
        (1, vec![1, 1, 5, 0, 1, 1, 0, 9, 9]),
    ] {
        let messages = device.sign(count, &record, NONCE);
        let verified = Measurements::verify(&messages, &negotiation, &key);
        assert_eq!(verified.unwrap_err(), SpdmError::Record, "{record:?}");
    }
    let messages = device.measurements(NONCE);
    let verified = Measurements::verify(&messages, &negotiation, &key).unwrap();
    let blocks: Vec<_> = verified.blocks().collect();
    assert_eq!(blocks.len(), 3);
    assert_eq!((blocks[1].kind, blocks[1].raw), (6, true));
    assert_eq!(blocks[1].value, b"test device firmware 1");
}

#[test]
fn a_negotiation_is_of_a_version_with_signed_contexts_and_known_algorithms() {
    let device = Device::new(Curve::P256, Firmware::Known);
    let whole = device.negotiation();
    for len in 0..whole.len() {
        assert!(Negotiation::parse(&whole[..len]).is_err(), "{len}");
    }
    let with = |at: usize, value: u8| {
        let mut bytes = whole.to_vec();
        bytes[at] = value;
        Negotiation::parse(&bytes).unwrap_err()
    };
    assert_eq!(with(12, 0x11), SpdmError::Version { found: 0x11 });
    assert_eq!(with(32, 0x13), SpdmError::Version { found: 0x13 });
    let (wanted, found) = (0x84, 0x81);
    assert_eq!(with(1, found), SpdmError::Message { wanted, found });
    // The algorithms that were chosen: of signatures, of hashes.
    let algorithms = whole.len() - 36;
    assert_eq!(with(algorithms + 12, 1), SpdmError::Algorithm);
    assert_eq!(with(algorithms + 16, 8), SpdmError::Algorithm);
    let mut long = whole.to_vec();
    long.push(0);
    assert_eq!(Negotiation::parse(&long), Err(SpdmError::Trailing));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = InterfaceReport::parse(&bytes);
        let _ = Negotiation::parse(&bytes);
        let _ = certificates::verify(&bytes);
    }

    #[test]
    fn damaged_objects_never_pass(which in 0..4usize, at: prop::sample::Index, flip in 1..=255u8) {
        let mut damaged = objects(Curve::P256, Firmware::Known);
        let whole = damaged.clone();
        let bytes = match which {
            0 => &mut damaged.negotiation,
            1 => &mut damaged.certificates,
            2 => &mut damaged.measurements,
            _ => &mut damaged.report,
        };
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let compared = damaged.clone().compare(&info(&whole, 0));
        prop_assert!(compared.is_err(), "the digest shows it");
        // Where the RMM saw it so, nothing may panic, and only the report may still be read.
        let verified = verify(damaged);
        let root = Device::new(Curve::P256, Firmware::Known).measurement();
        let same = verified.is_ok_and(|evidence| evidence.measurement().as_bytes() == &root);
        prop_assert!(!same || which == 3);
    }
}
