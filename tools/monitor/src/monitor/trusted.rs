//! The device that the realm may trust: what it sees, and who reaches it.

use alloc::vec::Vec;

use vdev::{Curve, Tdi};

use super::Monitor;
use super::refusal::Refusal;
use crate::machine::{Abort, Machine};
use crate::regions::Region;
use crate::rsi::Assigned;
use crate::smmu::View;
use crate::syndrome::{Access, Width};
use crate::violation::Violation;
use crate::virtio::Function;

/// Registers of configuration space: COMMAND, and the BARs with the expansion ROM.
const COMMAND: core::ops::Range<u64> = 4..6;
const BARS: core::ops::Range<u64> = 0x10..0x34;
/// Memory Space Enable, and Bus Master Enable.
const ENABLED: u64 = 6;
/// What random numbers begin with.
const SEED: u64 = 0x6169_726c_6f63_6b21;

impl<M: Machine> Monitor<M> {
    /// Puts a trusted device's interface behind the function that the options name.
    pub(super) fn assign(&mut self, config: u64) -> Result<(), Refusal<'static>> {
        let Some(stream) = self.options.device.stream else {
            return Ok(());
        };
        let function = Function::new(&self.machine, config, stream);
        if function.identity().0 == 0xffff {
            return Err(Refusal::NoDevice(stream));
        }
        let bars = bars(&function).map_err(|Abort| Refusal::Bus)?;
        let tdi = Tdi::new(
            u64::from(stream),
            Curve::P384,
            self.options.device.lie,
            SEED,
        );
        self.realm.assign(Assigned { tdi, bars });
        Ok(())
    }

    /// Shows the device what its state lets it reach.
    pub(super) fn follow_device(&mut self) {
        let Some(tdi) = self.realm.device() else {
            return;
        };
        let stream = u32::try_from(tdi.id()).unwrap_or(u32::MAX);
        let view = match (tdi.is_held(), tdi.reaches_private()) {
            (false, _) => self.pools.of(stream).map_or(View::Shared, View::Pool),
            (true, true) => View::Private,
            (true, false) => View::Nothing,
        };
        if core::mem::replace(&mut self.view, view) == view {
            return;
        }
        self.was_private |= view == View::Private;
        if self.smmu.show(&self.machine, stream, view).is_err() {
            self.violation(Violation::SmmuBroken);
        }
    }

    /// Whether an access in the protected half at `address` gets to the device.
    pub(super) fn is_device(&self, address: u64) -> bool {
        self.realm.device().is_some_and(|tdi| tdi.answers(address))
    }

    /// Whether `address` leads to registers that were the realm's, or are but do not answer yet.
    pub(super) fn was_device(&self, address: u64) -> bool {
        let device = self.realm.device();
        device.is_some_and(|tdi| tdi.ripas(address).is_some())
    }

    /// Whether only the realm reaches the registers at `address`.
    pub(super) fn is_held(&self, address: u64) -> bool {
        self.realm.device().is_some_and(|tdi| tdi.protects(address))
    }

    /// Looks at a store before it is carried out: one to a BAR, or one that turns the function off,
    /// takes a locked device out of its state.
    ///
    /// Ref: PCI Express 6.0, 11.2, table 11-2.
    pub(super) fn watch_device(
        &mut self,
        (region, offset): (Region, u64),
        access: Access,
        value: u64,
    ) {
        let Some(tdi) = self.realm.device_mut() else {
            return;
        };
        let ours = region == Region::PciConfig && offset >> 12 == tdi.id();
        let register = offset & 0xfff;
        let turns_off = COMMAND.contains(&register)
            && register == COMMAND.start
            && access.width != Width::Byte
            && value & ENABLED != ENABLED;
        if ours && (BARS.contains(&register) || turns_off) {
            tdi.disturb();
            self.follow_device();
        }
    }
}

/// Index and size of each memory BAR, and whether the table of MSI-X is in it.
fn bars<M: Machine>(function: &Function<'_, M>) -> Result<Vec<(u8, u64, bool)>, Abort> {
    let table = function.msi_x_table();
    let mut bars = Vec::new();
    let mut number = 0;
    while let Some(bar) = function.bar(number) {
        let size = function.bar_size(number)?;
        if size != 0 && !bar.ports {
            let index = u8::try_from(number).unwrap_or(u8::MAX);
            bars.push((index, size, table == Some(number)));
        }
        number += if bar.wide { 2 } else { 1 };
    }
    Ok(bars)
}
