//! Measurements and the event log, against a fake RMM.
#![expect(
    clippy::unwrap_used,
    reason = "a test that goes wrong should say so, loudly"
)]

use attest::{Attester, MeasureError};
use rsi::{Call, HashAlgorithm, Rsi};
use testkit::rmm::{Behaviour, FakeRmm};

fn rmm(hash_algorithm: u8) -> FakeRmm {
    FakeRmm::new(Behaviour {
        hash_algorithm,
        ..Behaviour::default()
    })
}

fn attester(rmm: &FakeRmm, code: u8) -> Attester<&FakeRmm> {
    Attester::new(Rsi::negotiate(rmm).unwrap(), HashAlgorithm::from_code(code))
}

#[test]
fn what_the_event_log_replays_is_what_the_rmm_measured() {
    for code in [0, 1] {
        let rmm = rmm(code);
        let mut attester = attester(&rmm, code);
        attester
            .measure_arguments("keybroker.key=skywalker")
            .unwrap();
        attester.measure(2, &[7; 1000], "configuration").unwrap();
        attester.measure(2, b"", "nothing").unwrap();
        attester.measure(4, b"x", "last").unwrap();
        let measured = attester.measurements().unwrap();
        let replayed = attester.log().replay(attester.algorithm()).unwrap();
        assert_eq!(measured.rems, replayed);
        assert_eq!(attester.log().events().len(), 4);
    }
}

#[test]
fn the_boot_arguments_extend_rem_1_by_their_digest() {
    let rmm = rmm(0);
    let mut attester = attester(&rmm, 0);
    attester.measure_arguments("abc").unwrap();
    let rem1 = attester.measurements().unwrap().rems[0];
    // SHA-256(zeros ‖ SHA-256("abc")), by coreutils.
    assert_eq!(
        rem1.to_string(),
        "589f9ffed4c477966bfb8d41f37895b08c69047df8f911d6f3b57fbe08faee8d"
    );
}

#[test]
fn the_initial_measurement_is_read_as_long_as_the_hash_is() {
    for (code, size) in [(0, 32), (1, 64)] {
        let rmm = rmm(code);
        rmm.set_rim([0xab; 64]);
        let rim = attester(&rmm, code).measurements().unwrap().rim;
        assert_eq!(rim.as_bytes(), vec![0xab; size]);
    }
}

#[test]
fn there_is_no_rem_0_and_no_rem_5() {
    let rmm = rmm(0);
    let mut attester = attester(&rmm, 0);
    for number in [0, 5, 255] {
        assert_eq!(
            attester.measure(number, b"x", ""),
            Err(MeasureError::Index { number })
        );
    }
    assert_eq!(rmm.count(Call::MeasurementExtend), 0);
}

#[test]
fn an_unknown_hash_extends_nothing() {
    let rmm = rmm(0);
    let mut attester = attester(&rmm, 9);
    assert_eq!(
        attester.measure(1, b"x", ""),
        Err(MeasureError::UnknownHash(HashAlgorithm::Unknown(9)))
    );
    assert_eq!(rmm.count(Call::MeasurementExtend), 0);
}

#[test]
fn what_the_rmm_refuses_is_not_in_the_log() {
    let rmm = rmm(0);
    rmm.lie(Call::MeasurementExtend, [u64::MAX, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut attester = attester(&rmm, 0);
    assert_eq!(
        attester.measure(1, b"x", ""),
        Err(MeasureError::NotSupported)
    );
    assert!(attester.log().events().is_empty());
}

#[test]
fn a_full_log_extends_nothing_more() {
    let rmm = rmm(0);
    let mut attester = attester(&rmm, 0);
    for _ in 0..256 {
        attester.measure(3, b"x", "").unwrap();
    }
    assert_eq!(attester.measure(3, b"x", ""), Err(MeasureError::LogFull));
    assert_eq!(rmm.count(Call::MeasurementExtend), 256);
}
