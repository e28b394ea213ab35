//! The function that an image is for, where there is no image.
// UNSAFETY: the macro gives the linker a `main`; a program that uses it has no other.

/// Keeps the payload's function, so that its type is checked, and says what to do instead of running it
/// here. `#[airlock::main]` uses it.
#[doc(hidden)]
#[macro_export]
macro_rules! __payload {
    ($main:ident) => {
        const _: () = {
            #[expect(dead_code, reason = "the image calls it")]
            fn check(realm: $crate::__private::Realm) -> impl Sized {
                $main(realm)
            }

            #[unsafe(export_name = "main")]
            extern "C" fn start() -> i32 {
                $crate::__private::refuse()
            }
        };
    };
}

/// What a payload that was built for the host does when it is started.
pub fn refuse() -> i32 {
    std::eprintln!(
        "this program is made for a realm: `airlock run` boots it, and `cargo test` tests it"
    );
    2
}
