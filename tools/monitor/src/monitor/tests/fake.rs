//! A machine that only remembers.

use super::*;

/// Device registers that keep what was stored, guest memory, and what was printed.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) registers: RefCell<BTreeMap<u64, u64>>,
    pub(super) stores: RefCell<Vec<(u64, u64)>>,
    pub(super) memory: RefCell<BTreeMap<u64, u8>>,
    pub(super) lines: RefCell<Vec<String>>,
    pub(super) injected: RefCell<Vec<(u64, u64)>>,
    pub(super) mapped: Cell<Option<u64>>,
    pub(super) address_bits: Cell<Option<u32>>,
    pub(super) saved: RefCell<BTreeMap<u64, u8>>,
    /// What the attacker's processor was told, and whether it is at work.
    pub(super) races: RefCell<Vec<(u64, u32)>>,
    pub(super) racing: Cell<bool>,
    pub(super) time: Cell<u64>,
    pub(super) instructions: Cell<u32>,
}

impl Fake {
    /// A machine with an image in it.
    pub(super) fn with_image() -> Self {
        let fake = Self::default();
        fake.write(GUEST_ENTRY + 16, &0x1_0000u64.to_le_bytes());
        fake.write(GUEST_ENTRY + 56, b"ARM\x64");
        fake
    }

    pub(super) fn stored(&self, address: u64) -> Vec<u64> {
        let stores = self.stores.borrow();
        let values = stores.iter().filter(|(at, _)| *at == address);
        values.map(|(_, value)| *value).collect()
    }
}

impl Machine for Fake {
    fn load(&self, address: u64, width: Width) -> Result<u64, Abort> {
        let registers = self.registers.borrow();
        let register = |at: u64| registers.get(&at).copied();
        Ok(match address {
            // The SMMU obeys at once.
            0x0905_0024 => register(SMMU + 0x20).unwrap_or(0),
            0x0905_009c => register(SMMU + 0x98).unwrap_or(0),
            at if (CONFIG..CONFIG + 0x1000_0000).contains(&at) => {
                register(at).unwrap_or(u64::MAX) & width.mask()
            }
            at => register(at).unwrap_or(0) & width.mask(),
        })
    }
    fn store(&self, address: u64, _width: Width, value: u64) -> Result<(), Abort> {
        self.registers.borrow_mut().insert(address, value);
        self.stores.borrow_mut().push((address, value));
        Ok(())
    }
    fn read(&self, address: u64, bytes: &mut [u8]) {
        let memory = self.memory.borrow();
        for (at, byte) in (address..).zip(bytes) {
            *byte = memory.get(&at).copied().unwrap_or(0);
        }
    }
    fn write(&self, address: u64, bytes: &[u8]) {
        self.memory
            .borrow_mut()
            .extend((address..).zip(bytes.iter().copied()));
    }
    fn barrier(&self) {}
    fn flush(&self) {}
    fn enter_guest_vector(&self, injection: &Injection, from: (u64, u64), _far: u64) -> u64 {
        self.injected.borrow_mut().push((injection.esr, from.0));
        0x1000 + injection.vector
    }
    fn guest_control(&self) -> u64 {
        0x30d0_0800
    }
    fn guest_maps(&self, address: u64) -> bool {
        self.mapped.get() == Some(address)
    }
    fn address_bits(&self) -> u32 {
        self.address_bits.get().unwrap_or(48)
    }
    fn psci(&self, _function: u32, _arguments: [u64; 3]) -> u64 {
        psci::SUCCESS
    }
    fn start_cpu(&self, mpidr: u64, _index: u64) -> u64 {
        if mpidr < 2 {
            psci::SUCCESS
        } else {
            psci::INVALID_PARAMETERS
        }
    }
    fn print(&self, line: fmt::Arguments<'_>) {
        self.lines.borrow_mut().push(format!("{line}"));
    }
    fn save(&self, range: Range<u64>) {
        let memory = self.memory.borrow();
        let kept = memory.range(range).map(|(at, byte)| (*at, *byte));
        *self.saved.borrow_mut() = kept.collect();
    }
    fn restore(&self, range: Range<u64>) {
        let mut memory = self.memory.borrow_mut();
        memory.retain(|at, _| !range.contains(at));
        memory.extend(self.saved.borrow().iter());
    }
    fn time(&self) -> (u64, u64) {
        (self.time.get(), 1_000_000)
    }
    fn instructions(&self) -> u32 {
        self.instructions.get()
    }
    fn set_tick(&self, _time: u64) {}
    fn start_race(&self) {}
    fn race(&self, address: u64, _words: (u32, u32), times: u32) -> bool {
        self.races.borrow_mut().push((address, times));
        !self.racing.replace(true)
    }
    fn is_racing(&self) -> bool {
        self.racing.get()
    }
    fn end_race(&self) {
        self.racing.set(false);
    }
    fn fill(&self, range: Range<u64>, word: fn(u64) -> u64) {
        for at in range.step_by(8) {
            self.write(at, &word(at).to_le_bytes());
        }
    }
}
