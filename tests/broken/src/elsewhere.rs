//! What breaks on another processor than the first.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use airlock::{Realm, println};
use alloc::vec;
use alloc::vec::Vec;

use crate::secret;

/// Lines that each processor prints.
const LINES: usize = 500;
/// Processors that have come to where all begin to print.
static HERE: AtomicUsize = AtomicUsize::new(0);

/// Breaks `what` there: `panic`, `fault`, `stack`, or nothing: `busy`, while that processor never comes to an
/// end; `secret`, while it writes a secret for ever; `key-panic`, while it panics with a key, and the first
/// never comes round; `talk`, while all of them print.
pub async fn run(realm: &Realm, what: &str) -> Result<(), &'static str> {
    let cpus = realm.cpus();
    if cpus.count() < 2 {
        return Err("there is no other processor");
    }
    match what {
        "panic" => cpus.spawn(async { panic!("as asked, elsewhere") }).await,
        "fault" => cpus.spawn(async { crate::undefined_instruction() }).await?,
        "busy" => {
            drop(cpus.spawn(async { use_heap_for_ever() }));
            realm.sleep(Duration::from_millis(20)).await;
        }
        "stack" => drop(cpus.spawn(async { crate::overflow(1) }).await),
        "secret" => {
            drop(cpus.spawn(async { secret::write_for_ever() }));
            realm.sleep(Duration::from_millis(20)).await;
        }
        "key-panic" => {
            let key = secret::make()?;
            drop(cpus.spawn(async move { panic!("as asked, with {key}") }));
            // This one never comes round.
            use_heap_for_ever();
        }
        "talk" => {
            let count = cpus.count();
            let others = (1..count).map(|speaker| cpus.spawn(async move { talk(speaker, count) }));
            let others: Vec<_> = others.collect();
            talk(0, count);
            for other in others {
                other.await;
            }
        }
        _ => return Err("break=cpu- says nothing that can be broken"),
    }
    Ok(())
}

/// Prints lines, each of many pieces.
fn talk(speaker: usize, together: usize) {
    HERE.fetch_add(1, Ordering::AcqRel);
    while HERE.load(Ordering::Acquire) < together {
        core::hint::spin_loop();
    }
    for line in 0..LINES {
        println!("talk: {speaker} says {line} of {LINES}, to the end");
    }
}

/// Takes the lock of the heap as often as a processor can.
fn use_heap_for_ever() {
    loop {
        core::hint::black_box(vec![1_u8; 100]);
    }
}
