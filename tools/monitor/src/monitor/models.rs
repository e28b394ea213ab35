//! Accesses to devices that the monitor is itself.

use hostile::function::Raise;

use super::{Frame, Monitor};
use crate::attack::{self, Reach};
use crate::machine::Machine;
use crate::regions::Region;
use crate::syndrome::Access;
use crate::violation::Violation;

impl<M: Machine> Monitor<M> {
    /// Answers an access if one of our own devices is there; says whether that was so.
    pub(super) fn model(
        &mut self,
        frame: &mut Frame,
        (region, offset): (Region, u64),
        address: u64,
        access: Access,
    ) -> bool {
        if self.attack.bus.is_empty() {
            return false;
        }
        let config = region == Region::PciConfig;
        if !config && !matches!(region, Region::PciMemory | Region::PciMemory64) {
            return false;
        }
        if access.write {
            let register = frame.x.get(access.register).copied().unwrap_or(0);
            let value = register & access.width.mask();
            return self.store_model((config, offset), address, access, value);
        }
        let (bus, liar) = (&mut self.attack.bus, &mut self.attack.liar);
        let bytes = bytes(access);
        let found = if config {
            bus.read_config(offset, bytes, liar)
        } else {
            bus.read(address, bytes, liar)
        };
        if let (Some(raw), Some(register)) = (found, frame.x.get_mut(access.register)) {
            *register = access.loaded(raw & access.width.mask());
        }
        found.is_some()
    }

    fn store_model(
        &mut self,
        (config, offset): (bool, u64),
        address: u64,
        access: Access,
        value: u64,
    ) -> bool {
        let attack = &mut self.attack;
        if config {
            return attack.bus.write_config(offset, bytes(access), value);
        }
        let mut reach = Reach {
            machine: &self.machine,
            granules: &self.realm.granules,
            space: self.space,
            enforce: self.options.enforce,
            refused: &mut attack.refused,
            leaked: &mut attack.leaked,
        };
        let stored = (bytes(access), value);
        let raised = attack
            .bus
            .write(address, stored, &mut reach, &mut attack.liar);
        let found = raised.is_some();
        match raised {
            Some((device, Some(Raise::Wire))) => {
                attack::raise(&self.machine, attack::interrupt(device));
            }
            Some((device, Some(Raise::Messages(messages)))) => {
                for message in messages {
                    self.deliver(device, message);
                }
            }
            _ => {}
        }
        self.judge_reach();
        if found {
            self.look_around();
        }
        found
    }

    /// A device was told an address that it may not reach. That is the guest's doing, unless somebody
    /// changed the rings behind its back.
    fn judge_reach(&mut self) {
        if let Some(address) = self.attack.refused.take()
            && !self.attack.scribbled()
        {
            self.violation(Violation::ToldPrivate { address });
        }
    }
}

fn bytes(access: Access) -> u32 {
    u32::try_from(access.width.bytes()).unwrap_or(8)
}
