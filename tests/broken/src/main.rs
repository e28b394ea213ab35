//! An image that breaks promises of its own, to see that the runtime says which.
//!
//! The boot argument `break=` says what: `stack`, `panic`, `constants`, `data`, `nothing`,
//! `instruction`; `cpu-panic`, `cpu-fault`, `cpu-stack` and `cpu-key-panic` on another
//! processor. Some break nothing: `cpu-busy`, which
//! ends while another processor does not; `cpu-talk`, in which all print; `cpu-secret`,
//! in which another writes a secret until the end; `sleep`; `copies`, which checks the functions that copy memory as
//! they are on the target; and `key`, `key-panic`, `key-fault`, which make a key and end in three ways, and
//! `ask`, `ask-accept`, `ask-refuse` and `ask-mistake`, which ask a disk of the host what it is, and decide;
//! `revoke` and `read`, which read a disk that is trusted, take the trust back or do not, and take their power away;
//! `key-freed`, which makes one, gives it back, and takes its own power away before anything is cleared.
// UNSAFETY: breaking rules is the point.
#![expect(unsafe_code, reason = "breaking rules is the point")]
#![no_std]
#![no_main]

extern crate alloc;

mod asked;
mod copying;
mod elsewhere;
mod revoked;
mod secret;

use core::time::Duration;

use airlock::{Realm, println};
use embassy_futures::select::{Either, select};

/// What cannot be written: it is among the constants.
static CONSTANT: u64 = 42;
/// What cannot be executed: it is among the data. The instruction is `ret`.
static mut DATA: u32 = 0xd65f_03c0;

#[airlock::main]
async fn main(realm: Realm) -> Result<(), &'static str> {
    match realm.args().get("break") {
        Some("stack") => Err(if overflow(1) == 0 {
            "no"
        } else {
            "the stack has no end"
        }),
        Some("panic") => panic!("as asked"),
        Some(what) if what.starts_with("cpu-") => {
            elsewhere::run(&realm, what.trim_start_matches("cpu-")).await
        }
        Some("constants") => write_constant(),
        Some("data") => run_data(),
        Some("nothing") => read_nothing(),
        Some("copies") => copying::check(),
        Some("instruction") => undefined_instruction(),
        Some("sleep") => {
            // Nobody wakes us but the timer; and the end of time is no reason to panic.
            let ever = realm.sleep(Duration::MAX);
            match select(ever, realm.sleep(Duration::from_millis(120))).await {
                Either::First(()) => Err("the end of time has come"),
                Either::Second(()) => Ok(()),
            }
        }
        Some("revoke") => revoked::run(&realm, true).await,
        Some("read") => revoked::run(&realm, false).await,
        Some("ask") => asked::ask(&realm).await,
        Some("ask-accept") => asked::accept(&realm).await,
        Some("ask-refuse") => asked::refuse(&realm).await,
        Some("ask-mistake") => asked::mistake(&realm).await,
        Some("key") => secret::make().map(drop),
        Some("key-freed") => {
            drop(secret::make()?);
            println!("broken: the key is given back");
            let _ = rsi::psci::system_off(&arch::Hvc);
            Err("the power cannot be taken away")
        }
        Some("key-panic") => panic!("as asked, with {}", secret::make()?),
        Some("key-fault") => {
            let key = secret::make()?;
            undefined_instruction().map_err(|error| if key.is_there() { error } else { "no key" })
        }
        _ => Err("break= says nothing that can be broken"),
    }
}

/// Uses more stack with each call. The sum keeps the calls from becoming a loop.
fn overflow(depth: u64) -> u64 {
    let room = core::hint::black_box([depth; 64]);
    if core::hint::black_box(depth) == 0 {
        return 0;
    }
    let sum = overflow(depth + 1);
    room.iter()
        .fold(sum, |sum, number| sum.wrapping_add(*number))
}

fn write_constant() -> Result<(), &'static str> {
    let constant = (&raw const CONSTANT).cast_mut();
    // SAFETY: none: the store has to fault.
    unsafe { constant.write_volatile(core::hint::black_box(43)) };
    Err("a constant can be written")
}

fn run_data() -> Result<(), &'static str> {
    // SAFETY: none: the call has to fault.
    let code: extern "C" fn() = unsafe { core::mem::transmute(&raw const DATA) };
    code();
    Err("data can be executed")
}

fn read_nothing() -> Result<(), &'static str> {
    let nothing = core::hint::black_box(0x10_usize) as *const u64;
    // SAFETY: none: the load has to fault.
    let _ = unsafe { nothing.read_volatile() };
    Err("there is something at address 16")
}

fn undefined_instruction() -> Result<(), &'static str> {
    // SAFETY: none: the instruction is undefined.
    unsafe { core::arch::asm!("udf #0") };
    Err("the instruction is defined")
}
