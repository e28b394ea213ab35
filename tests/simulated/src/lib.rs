//! A machine in memory, for payloads that are tested on the host: `airlock::testing`.
//!
//! A [`Machine`] gives a payload the [`realm::Realm`] that it would have in an image: the same types, the
//! same network stack, the same driver for disks, the same calls to the RMM. What is simulated lies below
//! them: a wire on which the test plays the others, disks whose content the test sees, an RMM, and a clock
//! that jumps to the next thing that happens, so a minute of waiting takes no time.
//!
//! ```
//! use simulated::Machine;
//!
//! async fn payload(realm: realm::Realm) -> Result<(), realm::Error> {
//!     realm.sleep(core::time::Duration::from_secs(60)).await;
//!     simulated::println!("{}", realm.args().text());
//!     Ok(())
//! }
//!
//! let machine = Machine::new("mine.name=Ada");
//! assert_eq!(machine.run(payload(machine.realm())), Ok(()));
//! assert_eq!(machine.printed(), ["mine.name=Ada"]);
//! ```
#![forbid(unsafe_code)]

mod console;
mod disk;
mod loops;
mod machine;
mod payload;
mod processor;
mod time;

pub use console::print_line;
pub use disk::Disk;
pub use machine::{Machine, Setup};
pub use net::Network;
pub use processor::{Instructions, processor, uptime};

/// What the macros of this crate expand to; not for anybody else.
#[doc(hidden)]
pub mod __private {
    pub use crate::payload::refuse;
    pub use realm::Realm;
}
