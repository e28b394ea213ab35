//! What the monitor asks of the machine under it.

use core::fmt;
use core::ops::Range;

use crate::inject::Injection;
use crate::syndrome::Width;

/// A device did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort;

/// Instructions and memory of the machine; a fake one in the tests.
///
/// Nothing here decides anything. Addresses are machine addresses; the caller has checked them.
pub trait Machine {
    /// Reads a device register.
    ///
    /// # Errors
    ///
    /// [`Abort`], if the machine has nothing there.
    fn load(&self, address: u64, width: Width) -> Result<u64, Abort>;
    /// Writes a device register.
    ///
    /// # Errors
    ///
    /// [`Abort`], if the machine has nothing there.
    fn store(&self, address: u64, width: Width, value: u64) -> Result<(), Abort>;
    /// Copies guest memory at `address` into `bytes`.
    fn read(&self, address: u64, bytes: &mut [u8]);
    /// Copies `bytes` to guest memory at `address`.
    fn write(&self, address: u64, bytes: &[u8]);
    /// Lets a device that is told next see what was written.
    fn barrier(&self);
    /// Forgets translations of stage 2, and waits until it is done.
    fn flush(&self);
    /// Lets the guest take an exception from `from` with fault address `far`; gives its vector.
    fn enter_guest_vector(&self, injection: &Injection, from: (u64, u64), far: u64) -> u64;
    /// `SCTLR_EL1`.
    fn guest_control(&self) -> u64;
    /// Whether the guest's own tables, if they are in use, lead from `address` to the same address.
    fn guest_maps(&self, address: u64) -> bool;
    /// Bits of the addresses that the processor can send out.
    fn address_bits(&self) -> u32;
    /// Calls the machine's PSCI.
    fn psci(&self, function: u32, arguments: [u64; 3]) -> u64;
    /// Starts processor `mpidr` inside the monitor, which finds `index` there.
    fn start_cpu(&self, mpidr: u64, index: u64) -> u64;
    /// Prints a line of the monitor's own.
    fn print(&self, line: fmt::Arguments<'_>);
    /// Keeps a copy of `range` of guest memory.
    fn save(&self, range: Range<u64>);
    /// Puts back what [`Self::save`] kept. Pages that did not change are not written.
    fn restore(&self, range: Range<u64>);
    /// The time, in ticks of the counter, and how many of them make a second.
    fn time(&self) -> (u64, u64);
    /// Instructions of the guest since some moment, from 0 again after the last number; always the same where
    /// nobody counts.
    fn instructions(&self) -> u32;
    /// Has [`crate::monitor::Monitor::tick`] called at `time`.
    fn set_tick(&self, time: u64);
    /// Starts the attacker's processor, if the machine has one.
    fn start_race(&self);
    /// Has the attacker's processor write `one` and `other` by turns to `address` of guest memory, `times` times,
    /// and leave `one` there; says whether it had time for that. It does so on its own.
    fn race(&self, address: u64, words: (u32, u32), times: u32) -> bool;
    /// Whether the attacker's processor is still at work.
    fn is_racing(&self) -> bool;
    /// Waits until the attacker's processor writes nowhere.
    fn end_race(&self);
    /// Fills `range` of guest memory with what `word` gives for each address.
    fn fill(&self, range: Range<u64>, word: fn(u64) -> u64);
}
