//! What breaks on another processor than the first.

use core::time::Duration;

use airlock::Realm;
use alloc::vec;

/// Breaks `what` there: `panic`, `fault`, or nothing, while that processor never comes to an end.
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
        _ => return Err("break=cpu- says nothing that can be broken"),
    }
    Ok(())
}

/// Takes the lock of the heap as often as a processor can.
fn use_heap_for_ever() {
    loop {
        core::hint::black_box(vec![1_u8; 100]);
    }
}
