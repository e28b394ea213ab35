//! What is attacked: does small I/O on every device, checks it end to end, and tells what it accepted.
//!
//! | boot argument | what it says |
//! | --- | --- |
//! | `victim.token=yes` | a token is asked for as well |
//! | `victim.trust=yes` | what a disk gives is taken for true, and only told |
//!
//! Each device gets the steps of `hostile::plan`. A step that fails does not end the others: the more
//! of the kernel meets a lie, the better. Lines `victim: DEVICE accepted=BITS digest=D` say which
//! steps went well, and a digest of what came; whoever knows what the device holds can check both.
#![no_std]
#![no_main]

extern crate alloc;

mod disk;
mod memory;
mod network;
mod port;
mod rmm;

use alloc::string::String;
use core::fmt;

use airlock::{Realm, println};

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Failure> {
    let _secrets = memory::fill();
    let mut failure = Failure::default();
    rmm::run(&realm, &mut failure);
    let trust = realm.args().get("victim.trust") == Some("yes");
    for (number, disk) in (0..).zip(realm.disks()) {
        disk::run(number, disk, trust, &mut failure).await;
    }
    network::run(&realm, &mut failure).await;
    port::run(&realm, &mut failure).await;
    for refusal in realm.refusals() {
        failure.note(format_args!("{}: {}", refusal.name, refusal.reason));
    }
    failure.result()
}

/// The first thing that went wrong, and how many did.
#[derive(Default)]
pub struct Failure {
    first: String,
    count: u32,
}

impl Failure {
    /// Notes one more.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        if self.count == 0 {
            // A string takes whatever is written to it.
            let _ = fmt::write(&mut self.first, what);
        }
        self.count += 1;
    }

    fn result(self) -> Result<(), Self> {
        if self.count == 0 { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} in all)", self.first, self.count)
    }
}

/// Which steps went well, and what came of them.
#[derive(Default)]
pub struct Accepted {
    steps: u64,
    digest: hostile::content::Digest,
}

impl Accepted {
    /// Step `number` gave `bytes`, which are right.
    pub fn add(&mut self, number: u32, bytes: &[u8]) {
        self.steps |= 1 << number;
        self.digest.add(bytes);
    }

    /// Tells it.
    pub fn tell(&self, device: fmt::Arguments<'_>) {
        println!(
            "victim: {device} accepted={:x} digest={:x}",
            self.steps, self.digest.0
        );
    }
}
