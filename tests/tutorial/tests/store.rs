//! The disk: the test plays the host that it belongs to.

use airlock::testing::Machine;
use notes::store::Store;

const KEY: [u8; 32] = [7; 32];

/// A machine with a disk of 16 sectors, and the store on it.
fn machine() -> (Machine, Store) {
    let machine = Machine::with_disk("", vec![0; 16 * 512]);
    let store = Store::new(&machine.realm(), KEY).unwrap();
    (machine, store)
}

#[test]
fn a_note_is_kept_and_the_host_does_not_read_it() {
    let (machine, store) = machine();
    assert_eq!(machine.run(store.load()).unwrap(), "");
    machine.run(store.save("meet me at noon")).unwrap();
    assert_eq!(machine.run(store.load()).unwrap(), "meet me at noon");
    let disk = machine.disk(0);
    assert!(!disk.content().windows(4).any(|bytes| bytes == b"noon"));
    assert_eq!(disk.flushes(), 1);
}

#[test]
fn a_note_that_the_host_changed_is_refused() {
    let (machine, store) = machine();
    machine.run(store.save("meet me at noon")).unwrap();
    machine.disk(0).change(|bytes| bytes[100] ^= 1);
    let failure = machine.run(store.load()).unwrap_err().to_string();
    assert_eq!(
        failure,
        "the disk does not hold what this image wrote there"
    );
}

#[test]
fn a_disk_that_fails_is_an_error_and_no_panic() {
    let (machine, store) = machine();
    machine.disk(0).fail(true);
    assert!(machine.run(store.save("x")).is_err());
}
