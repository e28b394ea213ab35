//! An RMM that answers anything.

use testkit::fuzz;
use testkit::random::Seeded;

#[test]
fn no_answer_makes_a_call_panic_or_loop() {
    let mut random = Seeded::new(1);
    for len in 0..20_000 {
        fuzz::rsi_answers(&random.bytes(len % 700));
    }
}
