//! Probes every feature of the stack below one by one, and says what is likely to be wrong.
//!
//! The result is a table for people and a line `doctor: [JSON]` for programs. Nothing is changed:
//! disks are read, and flushed.
#![no_std]
#![no_main]

extern crate alloc;

mod attestation;
mod balloon;
mod console;
mod cpu;
mod disk;
mod network;
mod realm;
mod share;
mod vsock;

use alloc::string::String;
use core::fmt;

use airlock::{Diagnosis, Mode, Realm, println};

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Unwell> {
    let mut diagnosis = Diagnosis::new();
    realm::probe(&realm, &mut diagnosis);
    cpu::probe(&realm, &mut diagnosis).await;
    network::probe(&realm, &mut diagnosis).await;
    disk::probe(&realm, &mut diagnosis).await;
    console::probe(&realm, &mut diagnosis);
    share::probe(&realm, &mut diagnosis).await;
    vsock::probe(&realm, &mut diagnosis).await;
    balloon::probe(&realm, &mut diagnosis);
    cpu::probe_device_interrupts(&realm, &mut diagnosis);
    attestation::probe(&realm, &mut diagnosis);
    println!("{diagnosis}");
    println!("doctor: {}", diagnosis.json());
    Unwell::of(&diagnosis).map_or(Ok(()), Err)?;
    println!("doctor: all is well, {}", kind(&realm));
    Ok(())
}

/// What it is that is well.
fn kind(realm: &Realm) -> &'static str {
    match realm.facts().mode {
        Mode::Realm { .. } => "for a realm",
        Mode::Machine => "for an ordinary machine, which is no realm",
    }
}

/// Some probes did not find all well.
struct Unwell(String);

impl Unwell {
    fn of(diagnosis: &Diagnosis) -> Option<Self> {
        let mut names = String::new();
        for row in diagnosis.failures() {
            if !names.is_empty() {
                names.push_str(", ");
            }
            names.push_str(row.name);
        }
        (!names.is_empty()).then_some(Self(names))
    }
}

impl fmt::Display for Unwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not well: {}", self.0)
    }
}
