//! Calls of the host: a page of registers that the host answers.

use super::{ERROR_INPUT, Realm, Reply, SUCCESS, World};

/// Bytes in the structure, and its alignment.
const SIZE: u64 = 256;
/// Where the registers begin.
const REGISTERS: u64 = 8;

impl Realm<'_> {
    /// Answers as KVM does for a service that it does not have: −1 in the first register, zero in
    /// the next three.
    ///
    /// Ref: DEN0137 1.0, B5.3.4.
    pub(super) fn host_call(&mut self, address: u64, world: &mut impl World) -> Reply {
        if !self.is_operand(address, SIZE) {
            return Reply::status(ERROR_INPUT);
        }
        if self.device_host_call(address + REGISTERS, world) {
            return Reply::status(SUCCESS);
        }
        for (n, value) in [u64::MAX, 0, 0, 0].into_iter().enumerate() {
            let at = address + REGISTERS + 8 * n as u64;
            world.write(at, &value.to_le_bytes());
        }
        Reply::status(SUCCESS)
    }
}
