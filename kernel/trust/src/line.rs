//! The line to those who answer: the RMM, which is believed, and the host, which carries.

use alloc::vec::Vec;

use clock::Clock;
use rhi::{Host, Inbox, Object, TdiState};
use rsi::{Conduit, Granule, Rsi, VDEV_INFO_SIZE, VdevId, VdevInfo, VdevState};
use tdisp::Objects;

use crate::Error;

/// The RMM and the host, and the memory through which they are spoken with.
pub struct Line<'a, C> {
    pub(crate) rsi: &'a Rsi<C>,
    page: &'a mut dyn Granule,
    inbox: &'a dyn Inbox,
    clock: &'a dyn Clock,
}

/// Both have what it takes. Made by [`Line::offer`] only.
#[derive(Clone, Copy, Debug)]
pub struct Offer(());

impl<'a, C: Conduit> Line<'a, C> {
    /// Takes `page`, which the RMM writes to, and `inbox`, which the host writes to.
    pub fn new(
        rsi: &'a Rsi<C>,
        page: &'a mut dyn Granule,
        inbox: &'a dyn Inbox,
        clock: &'a dyn Clock,
    ) -> Self {
        Self {
            rsi,
            page,
            inbox,
            clock,
        }
    }

    /// Whether RMM and host have what it takes. No device is touched.
    ///
    /// # Errors
    ///
    /// [`Error::NotOffered`] by the RMM, [`Error::Host`] by the host.
    pub fn offer(&mut self) -> Result<Offer, Error> {
        if !self.rsi.has_device_assignment()? {
            return Err(Error::NotOffered);
        }
        self.host().check()?;
        Ok(Offer(()))
    }

    pub(crate) fn host(&mut self) -> Host<'_, C> {
        Host::new(self.rsi, self.page, self.inbox, self.clock)
    }

    /// Has the RMM write to the page what it knows of `device`.
    pub(crate) fn ask(&mut self, device: VdevId) -> Result<(), Error> {
        Ok(self.rsi.vdev_get_info(device, self.page.address())?)
    }

    /// What the RMM says of `device`.
    pub(crate) fn info(&mut self, device: VdevId) -> Result<VdevInfo, Error> {
        self.ask(device)?;
        let mut bytes = [0; VDEV_INFO_SIZE];
        let told = self.page.take_answer(0, &mut bytes);
        told.opaque("VdevInfo::parse refuses what it does not know");
        VdevInfo::parse(&bytes).map_err(Error::Layout)
    }

    /// The same, if `device` is in the state `wanted`.
    pub(crate) fn info_in(&mut self, device: VdevId, wanted: VdevState) -> Result<VdevInfo, Error> {
        let info = self.info(device)?;
        match info.state {
            found if found == wanted => Ok(info),
            found => Err(Error::State { wanted, found }),
        }
    }

    /// Asks the host for a state, and the RMM whether it has come true.
    pub(crate) fn change(&mut self, device: VdevId, state: TdiState) -> Result<VdevInfo, Error> {
        self.host().set_tdi_state(device, state)?;
        let wanted = match state {
            TdiState::Unlocked => VdevState::Unlocked,
            TdiState::Locked => VdevState::Locked,
            TdiState::Run => VdevState::Started,
        };
        self.info_in(device, wanted)
    }

    /// Has report and measurements made, and copies everything to private memory.
    pub(crate) fn objects(&mut self, device: VdevId) -> Result<Objects, Error> {
        let mut host = self.host();
        host.get_interface_report(device)?;
        host.get_measurements(device)?;
        let mut read = |object| -> Result<Vec<u8>, Error> { Ok(host.read(device, object)?) };
        Ok(Objects {
            negotiation: read(Object::Negotiation)?,
            certificates: read(Object::Certificates)?,
            measurements: read(Object::Measurements)?,
            report: read(Object::Report)?,
        })
    }
}
