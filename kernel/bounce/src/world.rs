//! Whose half of the address space memory lies in, and what a device is told of it.

use core::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Shared {}
    impl Sealed for super::Private {}
}

/// Whose half of the address space the memory of a device lies in. There are two.
pub trait World: sealed::Sealed + Copy + core::fmt::Debug + Eq + 'static {
    /// Whether a copy to or from this memory crosses the boundary of the realm.
    const CROSSES: bool;
}

/// Memory that the host reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shared {}

/// Memory that the realm alone reads and writes, and devices that it trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Private {}

impl World for Shared {
    const CROSSES: bool = true;
}

impl World for Private {
    const CROSSES: bool = false;
}

/// An address as a device is told it. Only a [`crate::Window`] makes one, and only for bytes inside
/// it: a driver that puts nothing else into descriptors cannot lend what it does not have.
///
/// ```compile_fail,E0423
/// let forged = bounce::SharedIpa(0x8000_0000);
/// ```
///
/// The worlds do not mix: what is shared is not told where something private is wanted, nor the
/// other way round.
///
/// ```
/// fn lend_to_the_host(_: bounce::SharedIpa) {}
/// fn pass(shared: bounce::SharedIpa) {
///     lend_to_the_host(shared);
/// }
/// ```
///
/// ```compile_fail,E0308
/// fn lend_to_the_host(_: bounce::SharedIpa) {}
/// fn pass(private: bounce::PrivateIpa) {
///     lend_to_the_host(private);
/// }
/// ```
///
/// ```compile_fail,E0308
/// fn lend_to_a_trusted_device(_: bounce::PrivateIpa) {}
/// fn pass(shared: bounce::SharedIpa) {
///     lend_to_a_trusted_device(shared);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceAddress<W: World> {
    address: u64,
    world: PhantomData<W>,
}

/// An address of a shared byte.
pub type SharedIpa = DeviceAddress<Shared>;
/// An address of a private byte.
pub type PrivateIpa = DeviceAddress<Private>;

impl<W: World> DeviceAddress<W> {
    /// For windows alone.
    pub(crate) const fn new(address: u64) -> Self {
        Self {
            address,
            world: PhantomData,
        }
    }

    /// The number that goes into a descriptor or a queue register.
    pub const fn get(self) -> u64 {
        self.address
    }
}
