//! The body of the fuzz target, over a few seeded inputs.

use testkit::{fuzz, random::Seeded};

#[test]
fn any_bytes_are_read_without_a_panic() {
    let mut random = Seeded::new(11);
    for len in 0..64 {
        fuzz::device_evidence(&random.bytes(len * 9 % 700));
    }
}
