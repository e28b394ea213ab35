//! The target's side: first instructions, statics, and the way from a vector to the rules.

mod asm;
mod console;
mod heap;
mod machine;
mod race;

use core::fmt::Write as _;
use core::panic::PanicInfo;

use monitor::monitor::{Frame, Monitor, Next, Start, Storage};
use monitor::psci;
use spin::Mutex;

use self::console::Console;
use self::machine::Qemu;

/// Tables that the machine walks. They live as long as the machine runs.
static STORAGE: Storage = Storage::new();
/// The one monitor. Held from a trap to its end, so processors take turns.
static MONITOR: Mutex<Option<Monitor<Qemu>>> = Mutex::new(None);

/// Runs on the first processor, with the machine's device tree.
fn main(tree: &'static [u8]) -> ! {
    let booted = match Monitor::boot(Qemu, tree, &STORAGE) {
        Ok(booted) => booted,
        Err(refusal) => refuse(format_args!("refused: {refusal}")),
    };
    *MONITOR.lock() = Some(booted.monitor);
    start(monitor::monitor::FIRST)
}

/// Runs on each other processor, with its number.
fn secondary(index: usize) -> ! {
    if index as u64 == race::INDEX {
        race::run()
    }
    let (start, registers) = match MONITOR.lock().as_ref() {
        Some(monitor) => (monitor.start(index), monitor.stage2_registers()),
        None => refuse(format_args!("bug: a processor started without a realm")),
    };
    asm::enter(start, registers, false)
}

/// Starts the guest on the first processor, for the first time or again.
fn start(start: Start) -> ! {
    let (registers, ticking) = match MONITOR.lock().as_ref() {
        Some(monitor) => (monitor.stage2_registers(), monitor.is_ticking()),
        None => refuse(format_args!("bug: a start without a realm")),
    };
    asm::enter(start, registers, ticking)
}

/// Handles the timer of the monitor.
fn tick(frame: &mut Frame) {
    let next = match MONITOR.lock().as_mut() {
        Some(monitor) => {
            let next = monitor.tick(frame.pc);
            if next == Next::SystemOff {
                monitor.report();
            }
            next
        }
        None => refuse(format_args!("bug: a tick without a realm")),
    };
    go(next);
}

/// Handles a trap. The lock is free before the processor sleeps or ends.
fn trap(frame: &mut Frame) {
    let next = match MONITOR.lock().as_mut() {
        Some(monitor) => {
            let next = monitor.trap(frame);
            if next == Next::SystemOff {
                monitor.report();
            }
            next
        }
        None => refuse(format_args!("bug: a trap without a realm")),
    };
    go(next);
}

fn go(next: Next) {
    match next {
        Next::Resume => {}
        Next::Restart => start(monitor::monitor::FIRST),
        Next::Wait => asm::wait(),
        Next::CpuOff => drop(asm::smc(psci::CPU_OFF, [0; 3])),
        Next::SystemOff => power_off(),
    }
}

/// Says why there is nothing to run, and ends the run.
fn refuse(why: core::fmt::Arguments<'_>) -> ! {
    Console.line(format_args!("monitor: {why}"));
    power_off()
}

fn power_off() -> ! {
    loop {
        asm::smc(psci::SYSTEM_OFF, [0; 3]);
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The guest's half-written line ends first; nothing can be done if that fails.
    let _ = Console.write_str("\n");
    refuse(format_args!("bug: {info}"))
}
