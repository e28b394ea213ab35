//! Consoles, sockets and folders that failed, and are started anew: by a confirmed reset, on cleared rings, and
//! with what was agreed on before.

use std::rc::Rc;

use ninep::Error as FilesError;
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeConsole, FakeNineP, FakeVirtio, FakeVsock, Style, Used};
use virtio::{Error, MAX_CONNECTIONS, StreamError, VsockListener};

use crate::console_device::console;
use crate::ninep_device::{content, share};
use crate::setup::STYLES;
use crate::vsock_device::{PORT, vsock};

/// Has the device complete what is not in flight from now on.
fn lie(device: &FakeVirtio) {
    device.lie(|lies| lies.completions = Some(Box::new(|used| vec![Used { id: 77, ..used }])));
}

fn be_honest(device: &FakeVirtio) {
    device.lie(|lies| *lies = Default::default());
}

#[test]
fn a_console_that_failed_names_its_ports_again_and_they_carry_on() {
    for &style in STYLES {
        let machine = console(style, FakeConsole::with_ports(&["trace", "echo"]));
        let mut echo = machine.open("echo").unwrap();
        machine.write(&mut echo, b"before").unwrap();
        machine.turn();
        lie(&machine.device);
        machine.fake.borrow_mut().say(2, b"lost");
        let failed = machine.read(&mut echo, 9);
        assert!(matches!(
            failed,
            Err(StreamError::Device(Error::UsedId { .. }))
        ));
        be_honest(&machine.device);
        machine.fake.borrow_mut().ports[2]
            .as_mut()
            .unwrap()
            .says
            .clear();
        assert_eq!(machine.console.restart(), Ok(()));
        (0..6).for_each(|_| machine.turn());
        machine.write(&mut echo, b" after").unwrap();
        machine.turn();
        assert_eq!(machine.fake.borrow().heard(2), b"before after");
        machine.fake.borrow_mut().say(2, b"again");
        assert_eq!(machine.read(&mut echo, 9).unwrap(), b"again");
        assert_eq!(machine.console.print(b"line"), Ok(4));
        machine.turn();
        assert_eq!(machine.fake.borrow().heard(0), b"line");
        assert_eq!(machine.device.faults(), 0);
    }
}

#[test]
fn a_console_alone_that_failed_prints_again() {
    for &style in STYLES {
        let machine = console(style, FakeConsole::alone());
        machine.device.needs_reset();
        machine.console.interrupt().acknowledge();
        assert_eq!(machine.console.print(b"a"), Err(Error::NeedsReset));
        assert_eq!(machine.console.restart(), Ok(()));
        assert_eq!(machine.console.restart(), Ok(()), "which does nothing");
        assert_eq!(machine.console.print(b"b"), Ok(1));
        machine.turn();
        assert_eq!(machine.fake.borrow().heard(0), b"b");
    }
}

#[test]
fn a_port_keeps_its_name_when_the_host_gives_it_another() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["secret"]));
    let mut port = machine.open("secret").unwrap();
    lie(&machine.device);
    machine.fake.borrow_mut().say(1, b"x");
    assert!(machine.read(&mut port, 1).is_err());
    be_honest(&machine.device);
    machine.fake.borrow_mut().ports[1].as_mut().unwrap().name = "public".into();
    assert_eq!(machine.console.restart(), Ok(()));
    (0..6).for_each(|_| machine.turn());
    assert!(machine.console.ports().contains(&"secret".to_owned()));
    assert!(!machine.console.ports().contains(&"public".to_owned()));
}

#[test]
fn a_socket_device_that_failed_connects_again_and_listeners_go_on() {
    for &style in STYLES {
        let machine = vsock(style, FakeVsock::echoing(PORT));
        let listener = VsockListener::new(&machine.vsock, 7).unwrap();
        let mut stream = machine.connect(PORT).unwrap();
        lie(&machine.device);
        let written = machine.write(&mut stream, b"hello");
        let read = written.and_then(|()| machine.read(&mut stream, 9).map(drop));
        assert!(matches!(read, Err(StreamError::Device(_))), "{read:?}");
        be_honest(&machine.device);
        machine.fake.borrow_mut().ends.clear();
        machine.fake.borrow_mut().incoming.clear();
        machine.fake.borrow_mut().cid = 9;
        assert_eq!(machine.vsock.restart(), Ok(()));
        assert_eq!(machine.vsock.cid(), 9);
        assert!(machine.read(&mut stream, 9).is_err(), "it has ended");
        let mut stream = machine.connect(PORT).unwrap();
        machine.write(&mut stream, b"hello").unwrap();
        assert_eq!(machine.read(&mut stream, 9).unwrap(), b"hello");
        machine.fake.borrow_mut().connect(1234, 7);
        assert!(machine.accept(&listener).is_ok());
        assert_eq!(machine.device.faults(), 0);
    }
}

#[test]
fn a_folder_that_failed_is_attached_again_and_open_files_are_not() {
    for &style in STYLES {
        let whole = content(100_000);
        let with = share(style, FakeNineP::new("web").with("f", &whole));
        let before = block_on(with.share.open("f"), || ()).unwrap();
        lie(&with.device);
        let failed = block_on(with.share.read("f", 100_000), || ());
        assert!(matches!(
            failed,
            Err(FilesError::Transport(Error::UsedId { .. }))
        ));
        be_honest(&with.device);
        with.fake.borrow_mut().fids.clear();
        assert_eq!(with.driver.restart(), Ok(()));
        block_on(
            async {
                with.share.attach_again().await.unwrap();
                let mut into = [0; 8];
                assert!(
                    before.read_at(0, &mut into).await.is_err(),
                    "it is not open"
                );
                drop(before);
                assert_eq!(with.share.read("f", 100_000).await.unwrap(), whole);
            },
            || (),
        );
        assert_eq!(with.device.faults(), 0);
    }
}

/// The device runs, but whoever shares the folder does not let us in.
#[test]
fn a_folder_that_we_are_not_let_into_is_not_taken_for_one_that_can_be_used() {
    let with = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    assert!(with.share.is_attached());
    with.fake.borrow_mut().fids.clear();
    with.fake.borrow_mut().lie = Some(Box::new(|_, mut answer| {
        answer.truncate(9);
        answer
    }));
    let refused = block_on(with.share.attach_again(), || ());
    assert!(refused.is_err() && !with.share.is_attached(), "{refused:?}");
    with.fake.borrow_mut().lie = None;
    with.fake.borrow_mut().fids.clear();
    if with.driver.failure().is_some() {
        assert_eq!(with.driver.restart(), Ok(()));
    }
    assert_eq!(block_on(with.share.attach_again(), || ()), Ok(()));
    assert!(with.share.is_attached());
    assert_eq!(block_on(with.share.read("f", 9), || ()).unwrap(), b"hi");
}

#[test]
fn a_folder_that_comes_back_as_another_is_not_started_anew() {
    let with = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    lie(&with.device);
    assert!(block_on(with.share.read("f", 9), || ()).is_err());
    be_honest(&with.device);
    with.fake.borrow_mut().name = b"etc".to_vec();
    assert_eq!(with.driver.restart(), Err(Error::BadName));
    assert!(block_on(with.share.read("f", 9), || ()).is_err());
}

#[test]
fn who_never_resets_is_not_started_anew() {
    let machine = vsock(Style::Qemu, FakeVsock::echoing(PORT));
    machine.device.lie(|lies| lies.never_resets = true);
    machine.device.needs_reset();
    machine.vsock.interrupt().acknowledge();
    assert!(machine.connect(PORT).is_err());
    assert_eq!(machine.vsock.restart(), Err(Error::ResetTimedOut));
    be_honest(&machine.device);
    assert_eq!(machine.vsock.restart(), Ok(()));
    let with = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    with.device.lie(|lies| lies.never_resets = true);
    lie(&with.device);
    assert!(block_on(with.share.read("f", 9), || ()).is_err());
    assert_eq!(with.driver.restart(), Err(Error::ResetTimedOut));
    let machine = console(Style::Qemu, FakeConsole::alone());
    machine.device.lie(|lies| lies.never_resets = true);
    machine.device.needs_reset();
    machine.console.interrupt().acknowledge();
    assert!(machine.console.print(b"a").is_err());
    assert_eq!(machine.console.restart(), Err(Error::ResetTimedOut));
    assert_eq!(Rc::strong_count(&machine.console), 1);
}

#[test]
fn streams_and_listeners_that_go_while_the_device_is_down_leave_their_places() {
    let machine = vsock(Style::Qemu, FakeVsock::echoing(PORT));
    let streams: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| machine.connect(PORT).unwrap())
        .collect();
    let listener = VsockListener::new(&machine.vsock, 7).unwrap();
    machine.device.needs_reset();
    machine.vsock.interrupt().acknowledge();
    assert!(machine.connect(PORT).is_err());
    drop((streams, listener));
    machine.fake.borrow_mut().ends.clear();
    machine.fake.borrow_mut().incoming.clear();
    assert_eq!(machine.vsock.restart(), Ok(()));
    machine.turns(4);
    assert!(VsockListener::new(&machine.vsock, 7).is_ok());
    let again = (0..MAX_CONNECTIONS).map(|_| machine.connect(PORT));
    assert_eq!(
        again.collect::<Result<Vec<_>, _>>().map(|all| all.len()),
        Ok(MAX_CONNECTIONS)
    );
}
