//! An image that breaks a rule of realms on demand.
//!
//! The boot arguments say `break=RULE`, or `keep=RULE` for the same work done as it should be. In
//! the first case the monitor has to name the violation, in the second it has to stay silent; both
//! are the same bytes, so a monitor that always objects fails as well as one that never does.
#![no_std]
#![no_main]

mod device;
mod hardware;
mod leaks;
mod realm;
mod rules;

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use self::realm::Realm;

/// Runs with the address of the device tree.
fn main(tree: u64) -> ! {
    let Some(mut realm) = Realm::start() else {
        realm::power_off();
    };
    realm.dma_low = rules::is_dma_low(tree);
    let end = match rules::find(tree) {
        Some((rule, way)) => rules::run(&mut realm, rule, way),
        None => Err("no break=RULE or keep=RULE in the boot arguments"),
    };
    match end {
        Ok(()) => realm.say(format_args!("payload: ok")),
        Err(reason) => realm.say(format_args!("payload: failed: {reason}")),
    }
    realm::power_off()
}

/// Runs after an exception, in the state that it left.
fn fault(esr: u64, far: u64) -> ! {
    if let Some(mut realm) = Realm::start() {
        realm.say(format_args!(
            "payload: failed: stopped, esr {esr:#x} far {far:#x}"
        ));
    }
    realm::power_off()
}

impl Realm {
    /// Prints `line`.
    fn say(&mut self, line: fmt::Arguments<'_>) {
        // The console never fails; it is not even asked whether it is ready.
        let _ = writeln!(self, "{line}");
    }
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    realm::power_off()
}
