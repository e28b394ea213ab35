//! Claims about sweeps: a lie in each round, in another place.

use super::*;

/// A guest in small: asks two devices, calls, and is looked at.
fn live(monitor: &mut Monitor<Fake>) {
    for device in [0x8000, 0x1_0000] {
        access(monitor, LOAD, CONFIG | SHARED | device);
    }
    call(monitor, &[0xc400_0190, 0x1_0000]);
    assert_eq!(monitor.tick(PC), Next::Resume);
    print(monitor, "payload: failed: x");
}

#[test]
fn a_sweep_looks_at_an_honest_round_first_and_lies_once_or_twice_in_each_that_follows() {
    const ROUNDS: u32 = 40;
    let options = "monitor.models=0,2,0 monitor.tick=100 monitor.attack=sweep:7";
    let mut monitor = boot(&format!("{options} monitor.rounds={ROUNDS} --"));
    for round in 1..=ROUNDS {
        live(&mut monitor);
        let lies = monitor.attack.liar.lies().len();
        assert!(lies <= if round == 1 { 0 } else { 3 }, "{round}: {lies}");
        // It may be the end that is lied about.
        while call(&mut monitor, &[SYSTEM_OFF]).0 == Next::Resume {}
    }
    let lines = monitor.machine.lines.borrow().clone();
    let places: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("\"place\""))
        .collect();
    let honest: Vec<_> = places
        .iter()
        .filter(|line| line.contains("\"lies\":0,"))
        .collect();
    assert!(places.len() > 10 && honest.is_empty(), "{honest:?}");
    for script in [
        "\"round\":\"honest\"",
        "\"round\":\"sweep:7\"",
        "\"round\":\"sweep:45\"",
    ] {
        assert!(told(&monitor, script), "{script}");
    }
}
