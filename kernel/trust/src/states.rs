//! The states, and the steps between them.

use alloc::vec::Vec;

use bounce::{AtRest, Pool, Private, Region, Shared};
use ipa::GranuleRange;
use rhi::TdiState;
use rsi::{Conduit, Nonces, Ripas, SetFlags, VdevId, VdevState};
use tdisp::{Evidence, Measurement};

use crate::ranges::{Mapping, mappings};
use crate::{Bar, Error, Line, Offer};

/// Somebody who writes down, where a verifier sees it, that a device is trusted.
///
/// In a realm this extends REM 3; in tests it is a list.
pub trait Witness {
    /// Writes it down. The device reaches nothing before this returns.
    ///
    /// # Errors
    ///
    /// [`Error::NotMeasured`]; then the device is not trusted.
    fn record(&mut self, device: VdevId, measurement: &Measurement) -> Result<(), Error>;
}

/// A device that is the host's, as all are at first.
#[derive(Debug)]
pub struct SharedDevice {
    id: VdevId,
    bars: Vec<Bar>,
}

impl SharedDevice {
    /// The device `id`, whose memory BARs are `bars`. They decode, it is a bus master, and nobody
    /// changes that any more.
    pub fn new(id: VdevId, bars: Vec<Bar>) -> Self {
        Self { id, bars }
    }

    /// What realm and host call it.
    pub const fn id(&self) -> VdevId {
        self.id
    }

    /// Memory for its driver: shared with the host.
    ///
    /// # Errors
    ///
    /// [`bounce::Error::Exhausted`].
    pub fn pool(
        &self,
        region: &Region<Shared>,
        name: &str,
        len: usize,
    ) -> Result<Pool<Shared>, bounce::Error> {
        region.pool(name, len)
    }

    /// Locks the device and has it say what it is. Its driver has ended, and whatever it had lent is
    /// back and cleared: `rest` shows it, or `None` if it never had a driver.
    ///
    /// # Errors
    ///
    /// [`FailedDevice`]; it is the host's again, if the host does what it is asked, and nobody's here.
    pub fn lock<C: Conduit>(
        self,
        rest: Option<AtRest<Shared>>,
        _offer: Offer,
        line: &mut Line<'_, C>,
    ) -> Result<LockedDevice, FailedDevice> {
        let Self { id, bars } = self;
        let (nonces, evidence) =
            prove(id, line).map_err(|error| FailedDevice::undo(id, error, &[], line))?;
        Ok(LockedDevice {
            id,
            bars,
            nonces,
            evidence,
            rest,
        })
    }

    /// Asks whether RMM and host know it as a device that could be locked. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`Error::Rsi`] if they do not.
    pub fn probe<C: Conduit>(&self, _offer: Offer, line: &mut Line<'_, C>) -> Result<(), Error> {
        line.ask(self.id)
    }
}

/// Steps 2 to 8: lock, fetch, compare, verify.
fn prove<C: Conduit>(id: VdevId, line: &mut Line<'_, C>) -> Result<(Nonces, Evidence), Error> {
    let before = line.change(id, TdiState::Locked)?;
    let objects = line.objects(id)?;
    let info = line.info_in(id, VdevState::Locked)?;
    if info.nonces.lock != before.nonces.lock {
        return Err(Error::Changed);
    }
    let evidence = objects.compare(&info)?.verify()?;
    Ok((info.nonces, evidence))
}

/// A device whose configuration stands, and that has said what it is. It reaches nothing.
#[derive(Debug)]
pub struct LockedDevice {
    id: VdevId,
    bars: Vec<Bar>,
    nonces: Nonces,
    evidence: Evidence,
    /// The memory that its driver had, which is there for it again if it stays the host's.
    rest: Option<AtRest<Shared>>,
}

impl LockedDevice {
    /// What realm and host call it.
    pub const fn id(&self) -> VdevId {
        self.id
    }

    /// What it says it is. The RMM has seen the same, and its maker has signed it; whether the maker
    /// is to be trusted is not decided yet.
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Trusts the device, if it is what `wanted` says: from here on it may reach private memory.
    ///
    /// # Errors
    ///
    /// [`FailedDevice`]; it reaches nothing then.
    pub fn accept<C: Conduit>(
        self,
        wanted: Measurement,
        witness: &mut dyn Witness,
        line: &mut Line<'_, C>,
    ) -> Result<PrivateDevice, FailedDevice> {
        let mut mapped = Vec::new();
        match self.admit(wanted, witness, line, &mut mapped) {
            Ok(()) => Ok(PrivateDevice {
                id: self.id,
                bars: self.bars,
                nonces: self.nonces,
                mapped,
            }),
            Err(error) => Err(FailedDevice::undo(self.id, error, &mapped, line)),
        }
    }

    /// Steps 9 to 14. What may be mapped is in `mapped`, however this ends.
    fn admit<C: Conduit>(
        &self,
        wanted: Measurement,
        witness: &mut dyn Witness,
        line: &mut Line<'_, C>,
        mapped: &mut Vec<Mapping>,
    ) -> Result<(), Error> {
        let found = self.evidence.measurement();
        if found != wanted {
            return Err(Error::Unknown { wanted, found });
        }
        let is_same = |nonces| {
            if nonces == self.nonces {
                Ok(())
            } else {
                Err(Error::Changed)
            }
        };
        is_same(line.info_in(self.id, VdevState::Locked)?.nonces)?;
        let mappings = mappings(self.evidence.report(), &self.bars)?;
        witness.record(self.id, &found)?;
        for mapping in mappings {
            mapped.push(mapping);
            let Mapping { range, reported } = mapping;
            line.rsi
                .vdev_validate_mapping(self.id, range, reported, self.nonces)?;
        }
        is_same(line.change(self.id, TdiState::Run)?.nonces)?;
        line.rsi.vdev_dma_enable(self.id, self.nonces)?;
        Ok(())
    }

    /// Gives the device back to the host, unaccepted, and the memory that it had at rest.
    ///
    /// # Errors
    ///
    /// [`FailedDevice`], if the host does not take it.
    pub fn release<C: Conduit>(
        self,
        line: &mut Line<'_, C>,
    ) -> Result<(SharedDevice, Option<AtRest<Shared>>), FailedDevice> {
        let shared = give_back(self.id, self.bars, &[], line)?;
        Ok((shared, self.rest))
    }
}

/// A device that is trusted: it reaches private memory, and its registers are the realm's alone.
#[derive(Debug)]
pub struct PrivateDevice {
    id: VdevId,
    bars: Vec<Bar>,
    nonces: Nonces,
    mapped: Vec<Mapping>,
}

impl PrivateDevice {
    /// What realm and host call it.
    pub const fn id(&self) -> VdevId {
        self.id
    }

    /// Registers that are the realm's alone.
    pub fn registers(&self) -> impl Iterator<Item = GranuleRange> {
        self.mapped.iter().map(|mapping| mapping.range)
    }

    /// Whether the `len` registers at `address`, in the protected half, are the realm's alone.
    pub fn holds(&self, address: u64, len: u64) -> bool {
        let end = address.checked_add(len);
        let inside = |mapping: &&Mapping| {
            let range = mapping.range;
            range.base().get() <= address && end.is_some_and(|end| end <= range.top())
        };
        self.mapped.iter().any(|mapping| inside(&mapping))
    }

    /// Memory for its driver: private.
    ///
    /// # Errors
    ///
    /// [`bounce::Error::Exhausted`].
    pub fn pool(
        &self,
        region: &Region<Private>,
        name: &str,
        len: usize,
    ) -> Result<Pool<Private>, bounce::Error> {
        region.pool(name, len)
    }

    /// Whether it still is what was accepted, and its registers are where they were.
    ///
    /// # Errors
    ///
    /// [`Error::State`], [`Error::Changed`], [`Error::Unmapped`]: then [`Self::fail`].
    pub fn check<C: Conduit>(&self, line: &mut Line<'_, C>) -> Result<(), Error> {
        if line.info_in(self.id, VdevState::Started)?.nonces != self.nonces {
            return Err(Error::Changed);
        }
        for mapping in &self.mapped {
            for run in line.rsi.ipa_states(mapping.range) {
                let (run, state) = run?;
                if state != Ripas::Device {
                    let at = run.base().get();
                    return Err(Error::Unmapped { at });
                }
            }
        }
        Ok(())
    }

    /// Gives the device back to the host. Its driver has ended, and its memory is back and cleared.
    ///
    /// # Errors
    ///
    /// [`FailedDevice`], if the host does not take it.
    pub fn revoke<C: Conduit>(
        self,
        _rest: AtRest<Private>,
        line: &mut Line<'_, C>,
    ) -> Result<SharedDevice, FailedDevice> {
        give_back(self.id, self.bars, &self.mapped, line)
    }

    /// Ends it, for `error`: it reaches nothing any more. Its driver has to end as well.
    pub fn fail<C: Conduit>(self, error: Error, line: &mut Line<'_, C>) -> FailedDevice {
        FailedDevice::undo(self.id, error, &self.mapped, line)
    }
}

/// DMA off, registers away, unlocked: in this order, and nothing half done.
fn give_back<C: Conduit>(
    id: VdevId,
    bars: Vec<Bar>,
    mapped: &[Mapping],
    line: &mut Line<'_, C>,
) -> Result<SharedDevice, FailedDevice> {
    let mut back = || -> Result<(), Error> {
        line.rsi.vdev_dma_disable(id)?;
        for mapping in mapped {
            line.rsi
                .set_empty(mapping.range, SetFlags::ChangeDestroyed)?;
        }
        line.change(id, TdiState::Unlocked)?;
        Ok(())
    };
    match back() {
        Ok(()) => Ok(SharedDevice { id, bars }),
        Err(error) => Err(FailedDevice::undo(id, error, mapped, line)),
    }
}

/// A device that lied, or that the host does not let work. Nothing leads out of here: it gets no
/// memory, and its BARs are not touched.
#[derive(Debug)]
pub struct FailedDevice {
    id: VdevId,
    error: Error,
    dma_is_off: bool,
}

impl FailedDevice {
    /// Takes everything from the device, as far as RMM and host let us.
    fn undo<C: Conduit>(
        id: VdevId,
        error: Error,
        mapped: &[Mapping],
        line: &mut Line<'_, C>,
    ) -> Self {
        let dma_is_off = line.rsi.vdev_dma_disable(id).is_ok();
        for mapping in mapped {
            // What fails here stays the realm's, and the realm does not touch it.
            let _mapped = line.rsi.set_empty(mapping.range, SetFlags::ChangeDestroyed);
        }
        // The host may do it or not: the device reaches nothing.
        let _locked = line.host().set_tdi_state(id, TdiState::Unlocked);
        Self {
            id,
            error,
            dma_is_off,
        }
    }

    /// What realm and host call it.
    pub const fn id(&self) -> VdevId {
        self.id
    }

    /// Why it failed.
    pub const fn error(&self) -> Error {
        self.error
    }

    /// Whether the RMM has confirmed that it reaches no private memory. Otherwise memory that it was
    /// lent must never be used again.
    pub const fn dma_is_off(&self) -> bool {
        self.dma_is_off
    }
}
