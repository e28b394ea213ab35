//! Any behaviour of a balloon and of the RMM while memory goes and comes: wishes, lies of rings, silence,
//! refusals, and time that passes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use virtio::BLOCK;

use super::input::Input;
use super::streams::lie;
use crate::fake_virtio::balloon::{Blocks, FakeMemory};
use crate::fake_virtio::{FakeBalloon, Style};
use crate::rig::Rig;

const STEPS: usize = 200;
/// Blocks of the realm.
const ALL: u32 = 12;

/// Uses a balloon whose host does what `bytes` say.
pub fn balloon(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let style = match choice & 1 {
        0 => Style::Qemu,
        _ => Style::Lkvm,
    };
    let rig = Rig::with_memory(style, 256, 32 << 10);
    let fake = FakeBalloon {
        features: u64::from(choice >> 1) & 7,
        ..FakeBalloon::default()
    };
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(1, Rc::<RefCell<FakeBalloon>>::clone(&fake));
    let blocks = Rc::new(RefCell::new(Blocks {
        clock: Some(Rc::clone(&rig.clock)),
        ..Blocks::new(ALL)
    }));
    let most = u32::from(input.byte() % 16);
    let memory = FakeMemory(Rc::clone(&blocks));
    let balloon = rig.balloon(1, memory, most);
    let balloon = balloon.expect("the device is honest so far");
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 10 {
            0 => fake.borrow_mut().wanted = input.word(),
            1 => fake.borrow_mut().wanted = 512 * u32::from(input.byte() % 16),
            2 => lie(&device, &mut input),
            3 => rig
                .clock
                .advance(Duration::from_millis(input.half().into())),
            4 => fake.borrow_mut().completes = input.byte() & 1 == 0,
            5 => {
                let choice = input.byte();
                let mut blocks = blocks.borrow_mut();
                (blocks.keeps, blocks.withholds) = (choice & 3 == 1, choice & 12 == 4);
                blocks.cost = Duration::from_millis((choice >> 4).into());
            }
            6 => {
                let free = blocks.borrow().free.len();
                if balloon.relieve() {
                    assert_eq!(blocks.borrow().free.len(), free + 1);
                }
            }
            7 => device.announce_config(),
            8 => {
                let never_resets = input.byte() & 7 == 0;
                device.lie(|lies| lies.never_resets = never_resets);
            }
            _ => {
                let _ = balloon.restart();
            }
        }
        device.run();
        balloon.interrupt().acknowledge();
        balloon.poll();
        rig.clock.advance(Duration::from_millis(5));
        let (counters, blocks) = (balloon.counters(), blocks.borrow());
        let away = u64::from(ALL) - blocks.free.len() as u64;
        assert_eq!(counters.out + counters.lost, away * BLOCK);
        assert!(
            counters.out + counters.lost <= counters.most.max(counters.lost),
            "no more than allowed"
        );
        assert_eq!(counters.out, blocks.out.len() as u64 * BLOCK);
    }
    if balloon.failure().is_none() {
        assert_eq!(device.faults(), 0, "nothing private was lent");
    }
    rig.memory.host().give_back();
}
