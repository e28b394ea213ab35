//! QEMU's machine, as the rules ask for it.

use core::fmt;
use core::ops::Range;

use monitor::inject::Injection;
use monitor::machine::{Abort, Machine};
use monitor::psci;
use monitor::syndrome::Width;

use super::console::Console;
use super::{asm, race};

/// The machine that this runs on.
pub(super) struct Qemu;

impl Machine for Qemu {
    fn load(&self, address: u64, width: Width) -> Result<u64, Abort> {
        asm::load(address, width)
    }

    fn store(&self, address: u64, width: Width, value: u64) -> Result<(), Abort> {
        asm::store(address, width, value)
    }

    fn read(&self, address: u64, bytes: &mut [u8]) {
        asm::read(address, bytes);
    }

    fn write(&self, address: u64, bytes: &[u8]) {
        asm::write(address, bytes);
    }

    fn barrier(&self) {
        asm::barrier();
    }

    fn flush(&self) {
        asm::flush();
    }

    fn enter_guest_vector(&self, injection: &Injection, from: (u64, u64), far: u64) -> u64 {
        asm::exception(injection.esr, far, from.0, from.1).wrapping_add(injection.vector)
    }

    fn guest_control(&self) -> u64 {
        asm::guest_control()
    }

    fn guest_maps(&self, address: u64) -> bool {
        // Ref: Arm ARM, SCTLR_EL1.M; PAR_EL1.F and PAR_EL1.PA.
        let (fault, page) = (1, 0x000f_ffff_ffff_f000);
        let result = asm::guest_translation(address);
        asm::guest_control() & 1 != 0 && result & fault == 0 && result & page == address & page
    }

    fn address_bits(&self) -> u32 {
        // Ref: Arm ARM, ID_AA64MMFR0_EL1, PARange.
        match asm::memory_features() & 0xf {
            0 => 32,
            1 => 36,
            2 => 40,
            3 => 42,
            4 => 44,
            _ => 48,
        }
    }

    fn psci(&self, function: u32, arguments: [u64; 3]) -> u64 {
        asm::smc(function, arguments)
    }

    fn start_cpu(&self, mpidr: u64, index: u64) -> u64 {
        asm::smc(psci::CPU_ON, [mpidr, asm::secondary_entry(), index])
    }

    fn print(&self, line: fmt::Arguments<'_>) {
        Console.line(line);
    }

    fn save(&self, range: Range<u64>) {
        asm::save(range);
    }

    fn restore(&self, range: Range<u64>) {
        asm::restore(range);
    }

    fn time(&self) -> (u64, u64) {
        asm::time()
    }

    fn instructions(&self) -> u32 {
        asm::instructions()
    }

    fn set_tick(&self, time: u64) {
        asm::set_tick(time);
    }

    fn start_race(&self) {
        // Without a second processor there is nobody to race with.
        let _ = self.start_cpu(race::PROCESSOR, race::INDEX);
    }

    fn race(&self, address: u64, words: (u32, u32), times: u32) -> bool {
        race::begin(address, words, times)
    }

    fn is_racing(&self) -> bool {
        race::is_busy()
    }

    fn end_race(&self) {
        race::end();
    }

    fn fill(&self, range: Range<u64>, word: fn(u64) -> u64) {
        asm::fill(range, word);
    }
}
