//! What the driver does with an ITS that keeps to the rules.

use its::{Error, FIRST_LPI};

use crate::fake::{ADDRESS, FakeHost, Lies};

#[test]
fn each_event_of_a_device_becomes_an_lpi_of_its_own() {
    let host = FakeHost::new(Lies::default());
    let mut its = host.start().unwrap();
    assert_eq!(its.map_device(8, 3, &host), Ok(8192..8195));
    assert_eq!(its.map_device(16, 1, &host), Ok(8196..8197));
    let done = host.done();
    assert_eq!(
        done.events,
        [(8, 0, 8192), (8, 1, 8193), (8, 2, 8194), (16, 0, 8196)]
    );
    assert_eq!(done.collection, Some(5));
    let [(8, 2, one), (16, 2, other)] = done.devices[..] else {
        panic!("{done:?}");
    };
    // 4 events of 12 bytes each.
    assert!(one > ADDRESS && other >= one + 48);
}

#[test]
fn what_is_raised_arrives_unless_it_is_masked() {
    let host = FakeHost::new(Lies::default());
    let mut its = host.start().unwrap();
    its.map_device(8, 4, &host).unwrap();
    its.raise(8193, &host).unwrap();
    its.set_enabled(8193, false, &host).unwrap();
    its.raise(8193, &host).unwrap();
    its.raise(8192, &host).unwrap();
    its.set_enabled(8193, true, &host).unwrap();
    its.raise(8193, &host).unwrap();
    assert_eq!(host.done().arrived, [8193, 8192, 8193]);
    assert_eq!(host.done().masked, [8193]);
}

#[test]
fn the_queue_goes_round() {
    let host = FakeHost::new(Lies::default());
    let mut its = host.start().unwrap();
    its.map_device(8, 1, &host).unwrap();
    for _ in 0..1000 {
        its.raise(FIRST_LPI, &host).unwrap();
    }
    assert_eq!(host.done().arrived.len(), 1000);
}

#[test]
fn a_host_with_one_size_of_pages_gets_larger_tables() {
    // The redistributor is named by its address here.
    let host = FakeHost::new(Lies {
        kind: Some(1 | 7 << 4 | 15 << 8 | 15 << 13 | 1 << 19),
        insists: (0x100, 2 << 8),
        ..Lies::default()
    });
    let mut its = host.start().unwrap();
    its.map_device(255, 4, &host).unwrap();
    assert_eq!(host.done().collection, Some(0x80a));
}

#[test]
fn more_than_was_asked_for_is_refused() {
    let host = FakeHost::new(Lies::default());
    let mut its = host.start().unwrap();
    let mut map = |device, events| its.map_device(device, events, &host);
    assert_eq!(map(256, 1), Err(Error::DeviceId { id: 256 }));
    assert_eq!(map(8, 5), Err(Error::Full));
    assert_eq!(map(8, 0), Err(Error::Full));
    assert!(map(8, 4).is_ok() && map(9, 4).is_ok());
    assert_eq!(map(8, 1), Err(Error::Full));
    assert!(map(10, 4).is_ok());
    assert_eq!(map(11, 1), Err(Error::Full));
    let lpi = 8192 + 12;
    assert_eq!(its.raise(lpi, &host), Err(Error::NoSuchLpi { lpi }));
    assert_eq!(its.raise(1, &host), Err(Error::NoSuchLpi { lpi: 1 }));
}
