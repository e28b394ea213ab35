//! What the driver does with an ITS that lies: an error, in bounded time, and nothing after it.

use its::{Capacity, Error, Its, Probe, Table};

use crate::fake::{CAPACITY, FakeHost, Lies};

fn refusal(lies: Lies) -> Error {
    let host = FakeHost::new(lies);
    host.start().err().expect("the lie is noticed")
}

fn forgets(register: u64, bits: u64) -> Error {
    refusal(Lies {
        forgets: (register, bits),
        ..Lies::default()
    })
}

fn insists(register: u64, bits: u64) -> Error {
    refusal(Lies {
        insists: (register, bits),
        ..Lies::default()
    })
}

#[test]
fn an_its_that_cannot_serve_is_refused() {
    let kind = |kind| {
        refusal(Lies {
            kind: Some(kind),
            ..Lies::default()
        })
    };
    assert_eq!(kind(0), Error::NoLpis);
    assert_eq!(kind(1), Error::TooFewBits { has: 1, needed: 2 });
    let devices = kind(1 | 15 << 8 | 3 << 13);
    assert_eq!(devices, Error::TooFewBits { has: 4, needed: 8 });
    let no_lpis = refusal(Lies {
        redistributor_kind: Some(0),
        ..Lies::default()
    });
    assert_eq!(no_lpis, Error::NoLpis);
    // A table of another kind where that of devices was.
    assert_eq!(insists(0x100, 7 << 56), Error::NoTable(Table::Devices));
    assert_eq!(insists(0x108, 2 << 56), Error::NoTable(Table::Collections));
}

#[test]
fn an_its_that_does_not_stop_is_given_up() {
    assert_eq!(insists(0, 1), Error::Busy);
    // ITS and redistributor: all ones from where there is nothing.
    assert_eq!(insists(0x1_0000, 1), Error::LpisStuck);
    assert_eq!(forgets(0x1_0000, 1), Error::LpisStuck);
    assert_eq!(forgets(0, 1), Error::NotKept { register: 0 });
}

#[test]
fn a_register_that_does_not_keep_its_table_is_noticed() {
    for register in [0x100, 0x108, 0x80] {
        assert_eq!(forgets(register, 3 << 10), Error::NotCoherent { register });
        assert_eq!(forgets(register, 1 << 30), Error::NotKept { register });
    }
    for register in [0x70, 0x78] {
        let at = 0x1_0000 + register;
        assert_eq!(forgets(at, 1 << 30), Error::NotKept { register });
        assert_eq!(forgets(at, 3 << 10), Error::NotCoherent { register });
    }
}

#[test]
fn a_page_size_that_changes_is_noticed() {
    let host = FakeHost::new(Lies::default());
    let probe = Probe::new(host.its(), CAPACITY, &host).unwrap();
    let memory = host.share(probe.bytes());
    host.lie(Lies {
        insists: (0x100, 2 << 8),
        ..Lies::default()
    });
    let started = Its::start(probe, memory, &host.redistributor(), &host);
    assert_eq!(started.err(), Some(Error::NotKept { register: 0x100 }));
}

#[test]
fn a_reader_that_lies_ends_the_use_of_the_its() {
    let lies = [
        (0, Error::TimedOut),
        (0x20, Error::TimedOut),
        (0x1000, Error::Reader { offset: 0x1000 }),
        (u64::MAX, Error::Reader { offset: 0xf_ffe0 }),
        (0x1, Error::Stalled),
    ];
    for (reader, error) in lies {
        let host = FakeHost::new(Lies::default());
        let mut its = host.start().unwrap();
        its.map_device(8, 1, &host).unwrap();
        host.lie(Lies {
            reader: Some(reader),
            ..Lies::default()
        });
        assert_eq!(its.raise(8192, &host), Err(error), "{reader:#x}");
        host.lie(Lies::default());
        assert_eq!(its.raise(8192, &host), Err(Error::Ended));
        assert_eq!(its.map_device(9, 1, &host), Err(Error::Ended));
        assert!(host.done().arrived.is_empty());
    }
}

#[test]
fn a_host_that_scribbles_over_the_tables_changes_nothing_that_is_written_later() {
    let host = FakeHost::new(Lies {
        scribbles: true,
        ..Lies::default()
    });
    let mut its = host.start().unwrap();
    assert_eq!(its.map_device(8, 2, &host), Ok(8192..8194));
    its.set_enabled(8193, false, &host).unwrap();
    its.raise(8192, &host).unwrap();
    assert_eq!(its.map_device(16, 2, &host), Ok(8196..8198));
    let honest = FakeHost::new(Lies::default());
    let mut other = honest.start().unwrap();
    other.map_device(8, 2, &honest).unwrap();
    other.map_device(16, 2, &honest).unwrap();
    assert_eq!(host.done().devices, honest.done().devices);
    assert_eq!(host.done().events, honest.done().events);
}

#[test]
fn memory_that_is_too_short_is_refused_before_anything_is_written() {
    let host = FakeHost::new(Lies::default());
    let probe = Probe::new(host.its(), CAPACITY, &host).unwrap();
    let memory = host.share(probe.bytes() - 8);
    let started = Its::start(probe, memory, &host.redistributor(), &host);
    assert_eq!(started.err(), Some(Error::Memory));
}

#[test]
fn no_answer_of_a_host_makes_the_memory_large() {
    let most = Capacity {
        device_ids: 256,
        devices: 16,
        events: 32,
    };
    let host = FakeHost::new(Lies {
        // Entries of 16 bytes for events, of 32 for devices, pages of 64 KiB.
        kind: Some(u64::MAX),
        insists: (0x100, 0x1f << 48 | 2 << 8),
        ..Lies::default()
    });
    let probe = Probe::new(host.its(), most, &host).unwrap();
    assert!(probe.bytes() <= 512 << 10, "{:#x}", probe.bytes());
}
