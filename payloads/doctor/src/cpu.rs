//! Random numbers, time, interrupts.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use airlock::{Diagnosis, Realm};

/// How long the timer is tried.
const NAP: Duration = Duration::from_millis(20);
/// How late a nap may end on a loaded machine.
const LATE: Duration = Duration::from_secs(1);

/// Probes the CPU.
pub async fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    probe_entropy(realm, diagnosis);
    probe_timer(realm, diagnosis).await;
}

fn probe_entropy(realm: &Realm, diagnosis: &mut Diagnosis) {
    let (mut one, mut two) = ([0; 32], [0; 32]);
    let drawn = realm.random(&mut one).and_then(|()| realm.random(&mut two));
    match drawn {
        Ok(()) if one != two => diagnosis.ok("entropy", String::from("RNDRRS seeds the generator")),
        Ok(()) => diagnosis.wrong(
            "entropy",
            String::from("the same 32 bytes twice"),
            "the CPU's RNDR does not work; make no keys here",
        ),
        Err(error) => diagnosis.missing(
            "entropy",
            format!("{error}"),
            "the CPU has no FEAT_RNG: QEMU needs -cpu max, an FVP its parameter for FEAT_RNG",
        ),
    }
}

async fn probe_timer(realm: &Realm, diagnosis: &mut Diagnosis) {
    let began = realm.now();
    realm.sleep(NAP).await;
    let took = realm.now().since(began);
    let alarms = realm.counters().interrupts.alarms;
    let found = format!("20 ms took {} us, {alarms} alarms", took.as_micros());
    if took > LATE {
        let cause = "the host does not run this CPU, or holds the timer's interrupt back";
        diagnosis.wrong("timer", found, cause);
    } else if alarms == 0 {
        let cause = "no timer interrupt arrives: check the GIC of the VMM (lkvm: --irqchip=gicv3)";
        diagnosis.missing("timer", found, cause);
    } else {
        diagnosis.ok("timer", found);
    }
}

/// Tells whether devices interrupt, after they were given something to do.
pub fn probe_device_interrupts(realm: &Realm, diagnosis: &mut Diagnosis) {
    let counters = realm.counters();
    if counters.devices.is_empty() {
        return;
    }
    let taken = counters.interrupts;
    let found = format!(
        "{}: {} taken, {} of them messages, {} unexpected, {} storms",
        counters.means, taken.devices, taken.messages, taken.unexpected, taken.storms
    );
    if taken.storms != 0 {
        let cause =
            "the host floods us; what storms is masked for a while, and its devices are polled";
        diagnosis.wrong("device interrupts", found, cause);
    } else if taken.devices == 0 {
        let cause = "the VMM has no ITS and wires no INTx, or irq=poll; devices are polled, which is slower";
        diagnosis.missing("device interrupts", found, cause);
    } else {
        diagnosis.ok("device interrupts", found);
    }
}
