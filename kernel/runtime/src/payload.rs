//! The function that an image is for.
// UNSAFETY: the payload is another crate, found by the linker.
#![expect(unsafe_code, reason = "the payload is found by the linker")]

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt::Display;
use core::pin::Pin;

use crate::Realm;

/// The payload, about to run. Its error is text by now: the runtime only prints it.
pub type Payload = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// Wraps what the payload's function returned.
pub fn payload<E: Display>(main: impl Future<Output = Result<(), E>> + 'static) -> Payload {
    Box::pin(async move { main.await.map_err(|error| format!("{error}")) })
}

/// Gives the linker the payload's function. `#[airlock::main]` uses it.
#[doc(hidden)]
#[macro_export]
macro_rules! __payload {
    ($main:ident) => {
        #[unsafe(no_mangle)]
        fn airlock_payload(realm: $crate::Realm) -> $crate::__private::Payload {
            $crate::__private::payload($main(realm))
        }
    };
}

unsafe extern "Rust" {
    fn airlock_payload(realm: Realm) -> Payload;
}

/// Calls the payload's function.
pub fn call(realm: Realm) -> Payload {
    // SAFETY: only `__payload` defines this function, with this signature.
    unsafe { airlock_payload(realm) }
}
