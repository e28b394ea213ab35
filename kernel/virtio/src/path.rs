//! The way that data takes between its user and a device.

use core::marker::PhantomData;

use bounce::{Buffer, DeviceAddress, Pool, Private, Shared, World};

mod sealed {
    pub trait Sealed {}
    impl<W: bounce::World> Sealed for super::Bounced<W> {}
    impl Sealed for super::Direct {}
}

/// The way that data takes between its user and a device. A driver is written once for both.
///
/// What a device is told comes from a pool of the world that its path says:
///
/// ```
/// use virtio::{Direct, Environment, Error, Net, Transport};
///
/// fn a_shared_card(transport: Transport, pool: &bounce::Pool) -> Result<Net, Error> {
///     Net::start(transport, pool, Environment::Realm)
/// }
///
/// fn a_trusted_card(
///     transport: Transport,
///     pool: &bounce::Pool<bounce::Private>,
/// ) -> Result<Net<Direct>, Error> {
///     Net::start(transport, pool, Environment::Realm)
/// }
/// ```
///
/// ```compile_fail,E0308
/// use virtio::{Direct, Environment, Error, Net, Transport};
///
/// fn shared_addresses_for_a_trusted_card(
///     transport: Transport,
///     pool: &bounce::Pool,
/// ) -> Result<Net<Direct>, Error> {
///     Net::start(transport, pool, Environment::Realm)
/// }
/// ```
///
/// ```compile_fail,E0308
/// use virtio::{Block, Environment, Error, Transport};
///
/// fn private_addresses_for_a_disk_of_the_host(
///     transport: Transport,
///     pool: &bounce::Pool<bounce::Private>,
/// ) -> Result<Block, Error> {
///     Block::start(transport, pool, Environment::Realm)
/// }
/// ```
pub trait Path: sealed::Sealed + 'static {
    /// Whose half of the address space the device reaches: queues, and data.
    type World: World;

    /// What a device with `pool` is told of a user's buffer; `None` if it is to be copied: it is on the heap,
    /// or of another pool, which is given back and cleared at other times.
    fn address(buffer: &Buffer, pool: &Pool<Self::World>) -> Option<DeviceAddress<Self::World>>;

    /// A buffer that suits a device with `pool`.
    ///
    /// # Errors
    ///
    /// [`bounce::Error::Exhausted`].
    fn buffer(pool: &Pool<Self::World>, len: usize) -> Result<Buffer, bounce::Error>;
}

/// Data is copied between the caller's memory and the driver's slots, once each way. That is the
/// way of every device that is not trusted, and of a trusted one with slots that it can reach.
pub struct Bounced<W: World = Shared>(PhantomData<W>);

/// Data stays where it is: the caller hands a [`Buffer`] to the driver and gets it back.
/// For trusted devices.
pub struct Direct(());

impl<W: World> Path for Bounced<W> {
    type World = W;

    fn address(_: &Buffer, _: &Pool<W>) -> Option<DeviceAddress<W>> {
        None
    }

    fn buffer(_: &Pool<W>, len: usize) -> Result<Buffer, bounce::Error> {
        Ok(Buffer::on_heap(len))
    }
}

impl Path for Direct {
    type World = Private;

    fn address(buffer: &Buffer, pool: &Pool<Private>) -> Option<DeviceAddress<Private>> {
        buffer.address_in(pool)
    }

    fn buffer(pool: &Pool<Private>, len: usize) -> Result<Buffer, bounce::Error> {
        pool.buffer(len, BUFFER_ALIGN)
    }
}

/// What addresses of buffers are a multiple of.
const BUFFER_ALIGN: usize = 64;
