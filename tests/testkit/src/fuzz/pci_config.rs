//! Any bytes as configuration space and as device registers, from the scan to a running driver.

use std::cell::RefCell;
use std::rc::Rc;

use clock::Clock;
use pci::{Bdf, Ecam, Function, MAX_FUNCTIONS, Placement};
use virtio::{Balloon, Block, Console, Kind, Net, NineP, Rng, Transport, Vsock};

use super::input::Input;
use crate::fake_pci::{BarModel, ConfigSpace};
use crate::fake_virtio::balloon::{Blocks, FakeMemory};
use crate::fake_virtio::{FakeBlock, FakeNet, FakeRng, FakeVirtio, Style};
use crate::rig::Rig;

const MEMORY: usize = 512 << 10;
/// Exits that a whole start may take: four devices that let every deadline pass, one read a
/// millisecond, and as much again.
const EXITS: u64 = 4 * 3 * 2100 * 2;

/// Registers that hold the rest of the input, over and over.
struct Registers(Vec<u8>);

impl BarModel for Registers {
    fn read(&self, bar: u8, at: u64, size: u8) -> u32 {
        let byte = |i: u8| {
            let at = at as usize + usize::from(i) + usize::from(bar) * 7;
            let len = self.0.len().max(1);
            u32::from(self.0.get(at % len).copied().unwrap_or(0)) << (8 * i)
        };
        (0..size).map(byte).sum()
    }

    fn write(&self, _bar: u8, _at: u64, _size: u8, _value: u32) {}
}

/// Finds and starts whatever `bytes` make of a few functions.
pub fn pci_config(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let style = match input.byte() & 1 {
        0 => Style::Qemu,
        _ => Style::Lkvm,
    };
    let rig = Rig::with_memory(style, 8, MEMORY);
    let devices = [
        rig.plug(1, Rc::new(RefCell::new(FakeBlock::new(8)))),
        rig.plug(2, Rc::new(RefCell::new(FakeNet::default()))),
        rig.plug(3, Rc::new(RefCell::new(FakeRng::default()))),
    ];
    plug_raw(&rig, &mut input, bytes);
    damage(&rig, &mut input);
    for device in &devices {
        lie(device, &mut input);
    }
    start_all(&rig, &mut input);
    let faults: u64 = devices.iter().map(|d| d.faults()).sum();
    assert_eq!(faults, 0, "only shared addresses were lent");
    assert!(rig.pci.accesses() < EXITS, "{}", rig.pci.accesses());
    rig.memory.host().give_back();
}

/// A function made of the input alone, BARs and registers too.
fn plug_raw(rig: &Rig, input: &mut Input<'_>, bytes: &[u8]) {
    if input.byte() & 1 == 0 {
        return;
    }
    let masks = std::array::from_fn(|_| input.word());
    let config = ConfigSpace::raw(input.array()).masks(masks);
    let model = Rc::new(Registers(bytes.to_vec()));
    let bdf = Bdf::new(0, 4, 0).expect("below 32");
    rig.pci.plug(bdf, config, model);
}

/// Changes a few bytes of what the honest functions say of themselves.
fn damage(rig: &Rig, input: &mut Input<'_>) {
    for _ in 0..input.byte() % 16 {
        let device = 1 + input.byte() % 3;
        let (at, value) = (usize::from(input.byte()), input.byte());
        let bdf = Bdf::new(0, device, 0).expect("below 32");
        rig.pci.change(bdf, |config| config.bytes()[at] = value);
    }
}

/// Makes one register read as the input says, from some read on.
fn lie(device: &FakeVirtio, input: &mut Input<'_>) {
    let (register, value, after) = (u64::from(input.byte()), input.word(), input.byte() % 8);
    let mut reads = 0;
    device.lie(|lies| {
        lies.misplaced = true;
        lies.registers = Some(Box::new(move |at, honest| {
            reads += u8::from(at == register && reads < u8::MAX);
            if at == register && reads > after {
                value
            } else {
                honest
            }
        }));
    });
}

fn start_all(rig: &Rig, input: &mut Input<'_>) {
    let last_bus = input.byte();
    let Ok(ecam) = Ecam::new(rig.pci.ecam(1), 0, last_bus) else {
        return;
    };
    let found = pci::scan(&ecam);
    assert!(found.functions.len() <= MAX_FUNCTIONS);
    let ram = 0x6000_0000..0x6800_0000;
    let mut placement = Placement::new(&rig.pci.windows(), &[ram]);
    placement.note_assigned(&ecam, &found.functions);
    for identity in found.functions {
        let function = Function::new(&ecam, identity);
        // Neither may panic, whatever they say.
        let _pin = function.interrupt_pin();
        let clock: Rc<dyn Clock> = Rc::<crate::fake_clock::FakeClock>::clone(&rig.clock);
        match Transport::open(&function, &mut placement, &rig.pci, clock) {
            Ok(transport) => start(rig, transport),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn start(rig: &Rig, transport: Transport) {
    let Ok(pool) = rig.region.pool("0000:00:01.0", 160 << 10) else {
        return;
    };
    let error = match transport.kind() {
        Kind::Net => <Net>::start(transport, &pool, rig.environment).err(),
        Kind::Block => <Block>::start(transport, &pool, rig.environment).err(),
        Kind::Console => Console::start(transport, &pool, rig.environment).err(),
        Kind::Vsock => Vsock::start(transport, &pool, rig.environment).err(),
        Kind::Rng => Rng::start(transport, &pool, rig.environment)
            .and_then(|mut rng| rng.read(&mut [0; 16]))
            .err(),
        Kind::NineP => <NineP>::start(transport, &pool, rig.environment).err(),
        Kind::Balloon => {
            let memory = FakeMemory(Rc::new(RefCell::new(Blocks::new(4))));
            let balloon = Balloon::start(transport, &pool, rig.environment, memory, 2);
            balloon.map(|balloon| balloon.poll()).err()
        }
        Kind::Other(_) => None,
    };
    assert!(error.is_none_or(|e| !e.to_string().is_empty()));
}
