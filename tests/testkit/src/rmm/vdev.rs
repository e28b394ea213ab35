//! A device that the realm may trust, as the RMM has it and as the host carries it.

use ipa::GRANULE_SIZE;
use rsi::{Arguments, Call};
use untrusted::Untrusted;
use vdev::{Curve, HostServices, Lie, REGISTERS, Range, Tdi, Validation};

use super::{Answer, ERROR_INPUT, ERROR_STATE, FakeRmm, INCOMPLETE, State, returning, status};

/// A device, and where its registers are.
pub(super) struct Assigned {
    pub(super) tdi: Tdi,
    bars: Vec<Range>,
    stalled: u32,
}

impl core::fmt::Debug for Assigned {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "device {:#x}", self.tdi.id())
    }
}

impl FakeRmm {
    /// Assigns the device `id`, which has `bars` and lies so.
    pub fn assign(&self, id: u64, curve: Curve, lie: Lie, bars: &[Range]) {
        let assigned = Assigned {
            tdi: Tdi::new(id, curve, lie, 7),
            bars: bars.to_vec(),
            stalled: 0,
        };
        self.0.borrow_mut().device = Some(assigned);
    }

    /// What `look` sees of the assigned device, or does to it.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn device<T>(&self, look: impl FnOnce(&mut Tdi) -> T) -> T {
        let mut state = self.0.borrow_mut();
        look(&mut state.device.as_mut().expect("a device was assigned").tdi)
    }
}

/// The memory of the realm, of which a host may write what is shared.
struct World<'a> {
    state: &'a mut State,
    bars: Vec<Range>,
}

impl HostServices for World<'_> {
    fn bars(&self) -> Vec<Range> {
        self.bars.clone()
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        let address = address & !self.state.space().shared_bit();
        let shared = (address..address + bytes.len() as u64).all(|at| !self.state.is_ram(at));
        if shared {
            self.state.memory.write(address, bytes);
        }
        shared
    }
}

impl State {
    pub(super) fn device_call(&mut self, call: Call, arguments: &Arguments) -> Answer {
        let Some(mut assigned) = self.device.take() else {
            return status(ERROR_STATE);
        };
        let results = self.of_device(call, arguments, &mut assigned);
        self.device = Some(assigned);
        // As TF-RMM does it: a call that fails leaves the caller's operands where results would be.
        let mut all = *arguments.first_chunk().unwrap_or(&[0; 9]);
        all[0] = results[0];
        if results[0] == 0 { results } else { all }
    }

    fn of_device(&mut self, call: Call, x: &Arguments, assigned: &mut Assigned) -> Answer {
        if assigned.stalled < self.behaviour.device_stalls {
            assigned.stalled += 1;
            return status(INCOMPLETE);
        }
        assigned.stalled = 0;
        let tdi = &mut assigned.tdi;
        let known = x[1] == tdi.id();
        match call {
            Call::VdevGetInfo => {
                if !known || !x[2].is_multiple_of(512) || !self.is_ram(x[2]) {
                    return status(ERROR_INPUT);
                }
                let info = tdi.info(self.behaviour.layout, self.behaviour.device_hash);
                self.memory.write(x[2], &info);
                status(0)
            }
            Call::VdevValidateMapping => {
                if !self.is_range(x[2], x[3]) || !x[4].is_multiple_of(GRANULE_SIZE) || !known {
                    return status(ERROR_INPUT);
                }
                let asked = Validation {
                    base: x[2],
                    top: x[3],
                    registers: x[4],
                    nonces: [x[6], x[7], x[8]],
                };
                let done = tdi.validate(asked, |at| !self.is_ram(at));
                returning(done.status, &[done.progress, u64::from(done.rejected)])
            }
            Call::VdevDmaEnable if known => status(tdi.enable_dma(x[2], x[3], [x[4], x[5], x[6]])),
            Call::VdevDmaDisable if known => status(tdi.disable_dma()),
            _ => status(ERROR_INPUT),
        }
    }

    /// Gives the host its registers, and the realm what it made of them.
    pub(super) fn device_host_call(&mut self, at: u64) {
        let bytes: [u8; 8 * REGISTERS] = self.memory.read(at + 8);
        let mut registers = [0; REGISTERS];
        for (register, word) in registers.iter_mut().zip(bytes.as_chunks().0) {
            *register = u64::from_le_bytes(*word);
        }
        if let Some(mut assigned) = self.device.take() {
            let bars = assigned.bars.clone();
            let mut world = World { state: self, bars };
            assigned.tdi.answer(&mut registers, &mut world);
            self.device = Some(assigned);
        }
        let bytes: Vec<u8> = registers.iter().flat_map(|r| r.to_le_bytes()).collect();
        self.memory.write(at + 8, &bytes);
    }
}

/// A run of shared memory, as the fake keeps it.
pub struct SharedRun<'a>(&'a FakeRmm, usize);

/// Where it lies: nothing else uses that.
const SHARED_RUN: u64 = 0x9000_0000;

impl<'a> SharedRun<'a> {
    /// `len` bytes in the memory of `rmm`.
    pub fn of(rmm: &'a FakeRmm, len: usize) -> Self {
        Self(rmm, len)
    }
}

impl rhi::Inbox for SharedRun<'_> {
    fn address(&self) -> u64 {
        SHARED_RUN
    }

    fn room(&self) -> usize {
        self.1
    }

    fn put(&self, bytes: &[u8]) {
        let mut all = bytes.to_vec();
        all.resize(self.1, 0);
        self.0.write(SHARED_RUN, &all);
    }

    fn take_in<'b>(&self, into: &'b mut [u8]) -> Untrusted<&'b mut [u8]> {
        for (at, byte) in (SHARED_RUN..).zip(&mut *into) {
            let [read] = self.0.read(at);
            *byte = read;
        }
        Untrusted::from_host(into)
    }
}
