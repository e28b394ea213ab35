//! Devices that the RMM knows: what it says of them, where their registers are, what they may reach.
//!
//! Ref: DEN0137 2.0, A9 "Realm device assignment" and B5.4.

use core::fmt;

use ipa::{GranuleRange, ProtectedIpa};

use crate::conduit;
use crate::stepwise::{ACCEPT, INSIDE, MAX_STALLS, REJECT, stepwise};
use crate::{Call, Conduit, Error, Results, Rsi, Status};

/// The bit of feature register 0 that says that the realm may have devices.
const DEVICE_ASSIGNMENT: u64 = 1;

/// A device, as realm and host have agreed to call it: for PCI the address of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VdevId(u64);

impl VdevId {
    /// The PCI function with `requester` (bus, device and function) in `segment`.
    pub const fn pci(segment: u16, requester: u16) -> Self {
        Self((segment as u64) << 16 | requester as u64)
    }

    /// The number for a register.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for VdevId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segment, requester) = (self.0 >> 16, self.0 & 0xffff);
        let (bus, device, function) = (requester >> 8, requester >> 3 & 0x1f, requester & 7);
        write!(f, "{segment:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

/// Random numbers of the RMM, one for each event: whoever names one means that event and no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nonces {
    /// Of the last lock.
    pub lock: u64,
    /// Of the last measurements.
    pub measurements: u64,
    /// Of the last interface report.
    pub report: u64,
}

impl Nonces {
    const fn operands(self) -> [u64; 3] {
        [self.lock, self.measurements, self.report]
    }
}

impl<C: Conduit> Rsi<C> {
    /// Whether this realm may have devices. Without that the RMM refuses each call of this kind.
    ///
    /// # Errors
    ///
    /// [`Error::Call`].
    ///
    /// Ref: DEN0137 2.0, B5.5.8 `RsiFeatureRegister0`.
    pub fn has_device_assignment(&self) -> Result<bool, Error> {
        Ok(self.features(0)? & DEVICE_ASSIGNMENT != 0)
    }

    /// Has the RMM write what it knows of `device` to `at`, a multiple of 512 in RAM, for
    /// [`VdevInfo::parse`](crate::VdevInfo::parse). Allowed in any state of the device.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], with [`Status::Input`] also where the host does not know the device;
    /// [`Error::Unfinished`].
    pub fn vdev_get_info(&self, device: VdevId, at: ProtectedIpa) -> Result<(), Error> {
        let _nothing_else = self.finish(Call::VdevGetInfo, &[device.get(), at.get()])?;
        Ok(())
    }

    /// Maps the registers of `device` that begin at `registers` (as its report has them) to `range`,
    /// whose state becomes [`Ripas::Device`](crate::Ripas::Device). Flags are 0: neither coherent nor
    /// of limited order.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] by the host, [`Error::NoProgress`], [`Error::Misplaced`], and
    /// [`Error::Call`], with [`Status::Device`] if a nonce is not the last one. What was mapped
    /// before stays mapped: [`Rsi::set_empty`] undoes it.
    pub fn vdev_validate_mapping(
        &self,
        device: VdevId,
        range: GranuleRange,
        registers: u64,
        nonces: Nonces,
    ) -> Result<(), Error> {
        stepwise(range, |rest| {
            let behind = rest.base().get() - range.base().get();
            // What the report says is anything: a sum that wraps is a place nobody has.
            let place = registers.wrapping_add(behind);
            self.validate_once(device, rest, place, nonces)
        })
    }

    /// Makes one call; says what is left to do. A rejection counts only where something is left.
    fn validate_once(
        &self,
        device: VdevId,
        rest: GranuleRange,
        registers: u64,
        nonces: Nonces,
    ) -> Result<Option<GranuleRange>, Error> {
        let (at, top) = (rest.base().get(), rest.top());
        let [lock, measurements, report] = nonces.operands();
        let operands = [
            device.get(),
            at,
            top,
            registers,
            0,
            lock,
            measurements,
            report,
        ];
        let results = self.finish(Call::VdevValidateMapping, &operands)?;
        let claimed = conduit::answer(&results, 1).any_value(INSIDE);
        if claimed == top {
            return Ok(None);
        }
        let left = rest.part(claimed, top);
        let left = left.ok_or(Error::Misplaced { at, claimed })?;
        let response = conduit::answer(&results, 2);
        match response.any_value("accepted, rejected, or an error") {
            ACCEPT => Ok(Some(left)),
            REJECT => Err(Error::Rejected { at: claimed }),
            response => Err(Error::UnknownResponse { at, response }),
        }
    }

    /// Lets `device` reach private memory, if it is started and all `nonces` are the last ones.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], with [`Status::Device`] if it is not started or a nonce is another;
    /// [`Error::Unfinished`].
    pub fn vdev_dma_enable(&self, device: VdevId, nonces: Nonces) -> Result<(), Error> {
        let [lock, measurements, report] = nonces.operands();
        // No address translation by the device, and plane 0: the realm has no others.
        let operands = [device.get(), 0, 0, lock, measurements, report];
        let _nothing_else = self.finish(Call::VdevDmaEnable, &operands)?;
        Ok(())
    }

    /// Lets `device` reach no private memory any more, in whatever state it is.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], [`Error::Unfinished`].
    pub fn vdev_dma_disable(&self, device: VdevId) -> Result<(), Error> {
        let _nothing_else = self.finish(Call::VdevDmaDisable, &[device.get()])?;
        Ok(())
    }

    /// Makes `call`, again while it is incomplete. Results mean something only with success: an RMM
    /// that refuses may leave our own operands in the registers.
    fn finish(&self, call: Call, operands: &[u64]) -> Result<Results, Error> {
        for _ in 0..MAX_STALLS {
            match self.call(call, operands) {
                (Status::Success, results) => return Ok(results),
                (Status::Incomplete, _) => {}
                (status, _) => return Err(Error::Call { call, status }),
            }
        }
        Err(Error::Unfinished { call })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_device_is_called_by_its_place() {
        let id = VdevId::pci(0, 0x10);
        assert_eq!((id.get(), id.to_string().as_str()), (0x10, "0000:00:02.0"));
        let id = VdevId::pci(0xabcd, 0x1ff);
        assert_eq!(id.get(), 0xabcd_01ff);
        assert_eq!(id.to_string(), "abcd:01:1f.7");
    }
}
