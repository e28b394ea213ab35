//! Whether this image can trust disks, as a type.

use core::convert::Infallible;
use core::future::Pending;

/// That this image can trust disks. Where it cannot there is no such value, and the compiler leaves out whatever
/// would be done with a trusted disk: half of the driver.
pub(crate) type Able = <Image<{ cfg!(feature = "trust") }> as Ability>::Proof;

/// An image, with the feature or without.
pub(crate) struct Image<const CAN_TRUST: bool>;

/// It can.
pub(crate) struct Yes;

/// What an image can do.
pub(crate) trait Ability {
    type Proof: Proof;

    fn proof() -> Option<Self::Proof>;
}

/// What is only done with a proof at hand. What waits keeps the future of each thing that it may wait for, and
/// without this it would keep those of a disk that cannot be.
pub(crate) trait Proof {
    type Run<F: Future>: Future<Output = F::Output>;

    fn run<F: Future>(&self, start: impl FnOnce() -> F) -> Self::Run<F>;
}

impl Proof for Yes {
    type Run<F: Future> = F;

    fn run<F: Future>(&self, start: impl FnOnce() -> F) -> F {
        start()
    }
}

impl Proof for Infallible {
    type Run<F: Future> = Pending<F::Output>;

    fn run<F: Future>(&self, _: impl FnOnce() -> F) -> Pending<F::Output> {
        match *self {}
    }
}

impl Ability for Image<true> {
    type Proof = Yes;

    fn proof() -> Option<Yes> {
        Some(Yes)
    }
}

impl Ability for Image<false> {
    type Proof = Infallible;

    fn proof() -> Option<Infallible> {
        None
    }
}

/// The proof, where there is one.
pub(crate) fn able() -> Option<Able> {
    Image::<{ cfg!(feature = "trust") }>::proof()
}
