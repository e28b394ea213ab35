//! What is in this image: the only place that asks which features of cargo its payload chose.
//!
//! All of it compiles whatever is chosen; what nothing here leads to, the linker leaves out.

use virtio::Kind;

use crate::driver::Driver;
use crate::drivers::{balloon, console, disk, entropy, net, share, vsock};

/// Whether the host can have memory back.
pub const BALLOON: bool = cfg!(feature = "balloon");
/// Whether there can be a network.
pub const NET: bool = cfg!(feature = "net");
/// Whether the host can be told what crossed the boundary.
pub const TRACE: bool = cfg!(feature = "trace");
/// Whether devices can be trusted: what verifies certificates and signatures is half of a small image.
pub const TRUST: bool = cfg!(feature = "trust");

/// A feature, and the driver behind it if the payload chose it.
macro_rules! driver {
    ($feature:literal, $driver:expr) => {
        (
            $feature,
            if cfg!(feature = $feature) {
                Some($driver)
            } else {
                None
            },
        )
    };
}

/// The feature that devices of `kind` take, and their driver if it is in this image. `None`: there is no
/// such driver anywhere.
pub fn driver(kind: Kind) -> Option<(&'static str, Option<&'static Driver>)> {
    Some(match kind {
        Kind::Net => driver!("net", &net::DRIVER),
        Kind::Block => driver!("disk", &disk::DRIVER),
        Kind::Console => driver!("console", &console::DRIVER),
        Kind::NineP => driver!("share", &share::DRIVER),
        Kind::Vsock => driver!("vsock", &vsock::DRIVER),
        Kind::Rng => driver!("entropy", &entropy::DRIVER),
        Kind::Balloon => driver!("balloon", &balloon::DRIVER),
        Kind::Other(_) => return None,
    })
}
