//! A call to the host, through the RMM. What comes back is the host's word and no more.

use ipa::ProtectedIpa;

use crate::{Call, Conduit, Error, Rsi};

/// Bytes of [`HostCall`], and what its address is a multiple of.
pub const HOST_CALL_SIZE: usize = 256;

/// What the host is given, and what it gives back.
///
/// Ref: DEN0137 1.0-rel0, B5.4 `RsiHostCall`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(256))]
pub struct HostCall {
    /// What the immediate of a hypervisor call would be.
    pub immediate: u16,
    reserved: [u16; 3],
    /// `x0` to `x30` as the host sees them, and as it leaves them: all of them, so fill what does
    /// not count with zeros. The host gets to see every one.
    pub registers: [u64; 31],
}

const _: () = assert!(
    size_of::<HostCall>() == HOST_CALL_SIZE,
    "the specification says so"
);

impl HostCall {
    /// A call with these registers.
    pub const fn new(immediate: u16, registers: [u64; 31]) -> Self {
        Self {
            immediate,
            reserved: [0; 3],
            registers,
        }
    }

    /// The structure as it lies in memory.
    pub fn to_bytes(&self) -> [u8; HOST_CALL_SIZE] {
        let mut bytes = [0; HOST_CALL_SIZE];
        let words = core::iter::once(u64::from(self.immediate)).chain(self.registers);
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }

    /// The structure that lies in memory so.
    pub fn from_bytes(bytes: &[u8; HOST_CALL_SIZE]) -> Self {
        let mut words = bytes
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word));
        // The upper six bytes of the first word are reserved.
        let immediate = words.next().unwrap_or(0).to_le_bytes();
        let [low, high, ..] = immediate;
        let mut call = Self::new(u16::from_le_bytes([low, high]), [0; 31]);
        for (register, word) in call.registers.iter_mut().zip(words) {
            *register = word;
        }
        call
    }
}

impl<C: Conduit> Rsi<C> {
    /// Hands the [`HostCall`] that lies at `at` to the host. The RMM writes the host's registers
    /// there; anything in them is untrusted.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], with [`Status::Input`](crate::Status::Input) if `at` is no multiple of 256
    /// or does not lie in RAM.
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.4 `RSI_HOST_CALL`.
    pub fn host_call(&self, at: ProtectedIpa) -> Result<(), Error> {
        let _nothing_else = self.succeed(Call::HostCall, &[at.get()])?;
        Ok(())
    }
}
