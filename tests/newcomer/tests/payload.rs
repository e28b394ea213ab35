//! The payload on the host, on a machine in memory.

use airlock::testing::Machine;

#[test]
fn it_says_what_it_was_told() {
    let machine = Machine::new("greeting=hello");
    assert_eq!(machine.run(newcomer::run(machine.realm())), Ok(()));
    assert_eq!(machine.printed()[1], "boot arguments: greeting=hello");
}
