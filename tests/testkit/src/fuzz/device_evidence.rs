//! Any bytes as what a device says of itself.

use std::sync::LazyLock;

use rsi::VdevInfo;
use tdisp::certificates::{self, Chain};
use tdisp::report::{InterfaceReport, MOST_RANGES};
use tdisp::spdm::{Measurements, Negotiation};
use vdev::{Curve, Device, Firmware};

static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::new(Curve::P256, Firmware::Known));
/// Its own words, which are verified once: that takes longer than to read whatever an input has.
static HONEST: LazyLock<(Chain, Negotiation)> = LazyLock::new(|| {
    let chain = certificates::verify(DEVICE.certificates()).expect("it is whole");
    let negotiation = Negotiation::parse(DEVICE.negotiation()).expect("it is whole");
    (chain, negotiation)
});

/// Reads `bytes` as each of the four objects, as what the RMM says, and as a broken certificate, and
/// checks what the parsers promise.
pub fn device_evidence(bytes: &[u8]) {
    report(bytes);
    if let Ok(negotiation) = Negotiation::parse(bytes) {
        assert!((0x12..0x20).contains(&negotiation.version));
    }
    assert!(
        certificates::verify(bytes).is_err(),
        "nobody guesses a signature"
    );
    let (chain, negotiation) = &*HONEST;
    let measured = Measurements::verify(bytes, negotiation, &chain.key);
    assert!(measured.is_err(), "nobody guesses a signature");
    if let Some(bytes) = bytes.first_chunk()
        && let Ok(info) = VdevInfo::parse(bytes)
    {
        let digests = info.digests().map(|all| all.map(<[u8]>::len));
        assert!(digests.is_err() || digests.is_ok_and(|all| all[0] <= 64));
    }
    patched(bytes, DEVICE.certificates());
}

fn report(bytes: &[u8]) {
    let Ok(report) = InterfaceReport::parse(bytes) else {
        return;
    };
    let ranges = report.ranges();
    assert!((1..=MOST_RANGES).contains(&ranges.len()));
    for (n, range) in ranges.iter().enumerate() {
        assert!(range.len != 0 && range.bar < 6);
        assert!(range.base.checked_add(range.len).is_some());
        let apart = |other: &&tdisp::report::RegisterRange| {
            other.base + other.len <= range.base || range.base + range.len <= other.base
        };
        assert!(ranges[..n].iter().all(|other| apart(&other)));
    }
}

/// A chain with the first bytes somewhere in it: most of it keeps the form of certificates.
fn patched(bytes: &[u8], whole: &[u8]) {
    let Some((at, patch)) = bytes.split_first_chunk() else {
        return;
    };
    let mut chain = whole.to_vec();
    let at = usize::from(u16::from_le_bytes(*at)) % chain.len();
    for (byte, value) in chain.iter_mut().skip(at).zip(patch.iter().take(8)) {
        *byte = *value;
    }
    assert!(certificates::verify(&chain).is_err() || chain == whole);
}
