//! Interrupts: by message, by wire, not at all, and none while there is nothing to do.

use qemu_tests::Boot;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long the idle realm is watched, and what of that QEMU may compute. An idle realm takes 1 %
/// or less by hand; what is allowed here is for short watches on busy machines.
const WATCH: Duration = Duration::from_secs(4);
const IDLE_PERCENT: u64 = 3;
/// Time to boot on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Fetches with `irq=` as it says; gives the words on interrupts, and the reads of registers. `run_ok`
/// includes that the host found the right digest on the disk.
fn fetch(irq: &str) -> (String, u64) {
    let append = format!("irq={irq}");
    let outcome = Boot::realm("fetch").with(&["--append", &append]).run_ok();
    let line = outcome.console.find("boundary: exits");
    let line = line.expect("it tells what crossed").to_owned();
    let (_, reads) = line.split_once('(').expect("reads in brackets");
    let (reads, _) = reads.split_once(' ').expect("a number and a word");
    let reads = reads.parse().expect("a number");
    (line, reads)
}

#[test]
fn messages_wires_and_polling_give_the_same_file() {
    let (auto, _) = fetch("auto");
    assert!(auto.contains("MSI-X 2, INTx 0, polled 0"), "{auto}");
    let (messages, by_message) = fetch("msix");
    assert!(messages.contains("MSI-X 2, INTx 0, polled 0"), "{messages}");
    let (wires, by_wire) = fetch("intx");
    assert!(wires.contains("MSI-X 0, INTx 2, polled 0"), "{wires}");
    let (polled, _) = fetch("poll");
    assert!(polled.contains("interrupts 0 (devices by MSI-X 0, INTx 0, polled 2)"));
    // Each wired interrupt reads a status; a message reads nothing.
    assert!(by_message < by_wire, "{by_message} and {by_wire} reads");
}

/// Interrupts of nobody that a storm has at least; how many a second QEMU carries is the machine's affair.
const STORM: u64 = 20_000;

/// The pins of the bus, and messages that the monitor invents through the guest's own ITS tables. What
/// masks a source is tested on the host (`plan::Storm`): under QEMU a pending interrupt swallows the next
/// of its kind, so that never more than some thousand a second are taken.
#[test]
fn a_storm_of_interrupts_during_a_download_costs_time_only() {
    for irq in ["msix", "intx"] {
        let append = format!("irq={irq}");
        let boot = Boot::realm("fetch").monitor(&["tick=100", "storm=500"]);
        let boot = boot.with(&["--append", &append, "--timeout", "90s"]);
        let outcome = boot.run_ok();
        let raised = outcome.console.find("interrupts of nobody");
        let raised = raised.and_then(|line| line.split_whitespace().nth(2)?.parse().ok());
        let raised: u64 = raised.expect("the monitor says how many");
        println!(
            "{irq}: {raised} interrupts of nobody in {:?}",
            outcome.elapsed
        );
        assert!(raised > STORM, "{irq}: {raised}");
    }
}

/// Processor time that the QEMU with `word` in its arguments has used, in hundredths of a second.
fn processor_time(word: &str) -> Option<u64> {
    let folders = fs::read_dir("/proc").ok()?;
    let numbered = folders.filter_map(|entry| Some(entry.ok()?.path()));
    let qemu = numbered.into_iter().find(|path| {
        let arguments = fs::read(path.join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments);
        arguments.contains("qemu-system") && arguments.contains(word)
    })?;
    let stat = fs::read_to_string(qemu.join("stat")).ok()?;
    // Behind the name: fields 14 and 15 of proc(5), user and system time, count from field 3.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[test]
fn an_idle_realm_sleeps() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let forward = format!("tcp:{port}:7");
    let boot = Boot::realm("echo").with(&["--forward", &forward, "--timeout", "90s"]);
    let realm = boot.start();
    let started = Instant::now();
    let mut stream = loop {
        let answered = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"hello\n")?;
            stream.read_exact(&mut [0; 6])?;
            Ok(stream)
        });
        match answered {
            Ok(stream) => break stream,
            Err(error) if started.elapsed() > PATIENCE => panic!("no answer: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    };
    let word = format!(":{port}-");
    let before = processor_time(&word);
    thread::sleep(WATCH);
    let after = processor_time(&word);
    stream.write_all(b"stop\n").unwrap();
    let _outcome = realm.join().unwrap();
    let used = after.zip(before).map(|(after, before)| after - before);
    // Only Linux tells processes of others in this way.
    if let Some(used) = used {
        let percent = used / WATCH.as_secs();
        println!("an idle realm: {used} hundredths of a second in {WATCH:?}");
        assert!(percent <= IDLE_PERCENT, "{used} hundredths in {WATCH:?}");
    }
}
