//! Layouts and orders, against models written step by step.

extern crate std;

use super::*;
use crate::{Digest, Entries, RecParams, Rim, Rmm};
use std::vec::Vec;

const MIB: u64 = 1 << 20;

fn image(file: usize, text_offset: u64, image_size: u64) -> Vec<u8> {
    let mut image: Vec<u8> = (0..file).map(|at| (at / 7).to_le_bytes()[0]).collect();
    image[8..16].copy_from_slice(&text_offset.to_le_bytes());
    image[16..24].copy_from_slice(&image_size.to_le_bytes());
    image[56..60].copy_from_slice(b"ARM\x64");
    image
}

fn dtb(size: usize) -> Vec<u8> {
    let mut dtb = std::vec![0x5a; size];
    dtb[..4].copy_from_slice(&0xd00d_feed_u32.to_be_bytes());
    dtb[4..8].copy_from_slice(&u32::try_from(size).unwrap().to_be_bytes());
    dtb
}

fn padded(dtb: &[u8]) -> Vec<u8> {
    let mut padded = dtb.to_vec();
    padded.resize(64 << 10, 0);
    padded
}

fn machine(memory: u64) -> Machine {
    Machine {
        memory,
        ipa_bits: None,
        algorithm: None,
        breakpoints: 5,
        watchpoints: 3,
        pmu_counters: None,
        sve_vl: None,
        devices: false,
    }
}

fn data(rim: &mut Rim, mut ipa: u64, bytes: &[u8]) {
    for page in bytes.chunks(4096) {
        rim.data(ipa, page);
        ipa += 4096;
    }
}

fn silent(layout: &Layout<'_>, rmm: Rmm) -> Digest {
    layout.measure(rmm, &mut |_| {})
}

#[test]
fn the_newest_lkvm_takes_ram_image_tree_rec() {
    let (image, dtb) = (image(10_000, 0, 0x10_0000), dtb(3000));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&dtb),
    };
    let layout = lkvm(&files, &machine(256 * MIB), Order::RamFirst).unwrap();
    assert_eq!(layout.params.ipa_bits, 33);
    let mut rim = Rim::create(&layout.params, Rmm::V1_0);
    for block in 0..128 {
        let base = 0x8000_0000 + block * 2 * MIB;
        rim.init_ripas(base, base + 2 * MIB);
    }
    data(&mut rim, 0x8000_0000, &image);
    data(&mut rim, 0x8fe0_0000, &padded(&dtb));
    rim.rec(&RecParams::entry(0x8000_0000, 0x8fe0_0000));
    assert_eq!(silent(&layout, Rmm::V1_0), rim.value());
    assert_ne!(silent(&layout, Rmm::V2_0), rim.value());
}

#[test]
fn an_old_lkvm_leaves_all_but_the_image_empty() {
    let (image, dtb) = (image(10_000, 0x8_0000, 0x30_0000), dtb(100));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&dtb),
    };
    let layout = lkvm(&files, &machine(64 * MIB), Order::KernelTail).unwrap();
    let mut rim = Rim::create(&layout.params, Rmm::V1_0);
    data(&mut rim, 0x8008_0000, &image);
    for entry in Entries::new(0x8008_3000, 0x8038_0000, 2) {
        rim.init_ripas(entry.base, entry.top);
    }
    data(&mut rim, 0x83e0_0000, &padded(&dtb));
    rim.rec(&RecParams::entry(0x8008_0000, 0x83e0_0000));
    assert_eq!(silent(&layout, Rmm::V1_0), rim.value());
}

#[test]
fn the_events_name_each_extension_in_order() {
    let (image, dtb) = (image(5000, 0, 0x10_0000), dtb(100));
    let files = Files {
        image: &image,
        initrd: Some(&[7; 10]),
        dtb: Some(&dtb),
    };
    let layout = lkvm(&files, &machine(4 * MIB), Order::RamFirst).unwrap();
    let mut steps = Vec::new();
    let rim = layout.measure(Rmm::V1_0, &mut |event| steps.push(event));
    assert_eq!(steps.last().unwrap().rim, rim);
    let data: Vec<u64> = steps
        .iter()
        .filter_map(|event| match event.step {
            Step::Data { ipa } => Some(ipa),
            _ => None,
        })
        .collect();
    assert_eq!(data[..3], [0x8000_0000, 0x8000_1000, 0x801f_f000]);
    assert_eq!(
        data[3..],
        core::array::from_fn::<u64, 16, _>(|page| 0x8020_0000 + page as u64 * 4096)
    );
    assert!(matches!(steps[0].step, Step::Create(_)));
    assert_eq!(
        steps[1].step,
        Step::Ripas {
            base: 0x8000_0000,
            top: 0x8020_0000
        }
    );
    assert_eq!(steps.len(), 1 + 2 + 3 + 16 + 1);
}

#[test]
fn an_initrd_lies_at_a_multiple_of_4_below_the_tree() {
    let (image, dtb) = (image(5000, 0, 0x10_0000), dtb(100));
    let initrd = [9; 4099];
    let files = Files {
        image: &image,
        initrd: Some(&initrd),
        dtb: Some(&dtb),
    };
    let layout = lkvm(&files, &machine(256 * MIB), Order::RamFirst).unwrap();
    let initrd = layout.initrd.unwrap();
    assert_eq!(initrd.at(), 0x8fdf_effc);
    assert_eq!(initrd.top(), 0x8fe0_0000);
}

#[test]
fn more_than_2_gib_widen_the_address_space() {
    let (image, dtb) = (image(5000, 0, 0x10_0000), dtb(100));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&dtb),
    };
    let bits = |memory| {
        let layout = lkvm(&files, &machine(memory), Order::RamFirst);
        layout.unwrap().params.ipa_bits
    };
    assert_eq!(bits(2048 * MIB), 33);
    assert_eq!(bits(2300 * MIB), 34);
    assert_eq!(bits(6144 * MIB), 34);
    assert_eq!(bits(6146 * MIB), 35);
}

#[test]
fn qemu_puts_the_tree_behind_half_of_ram() {
    let (image, dtb) = (image(5000, 0, 0x10_0000), dtb(1 << 20));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&dtb),
    };
    let layout = qemu(&files, &machine(64 * MIB)).unwrap();
    assert_eq!(layout.rec, RecParams::entry(0x4000_0000, 0x4200_0000));
    assert_eq!(layout.params.ipa_bits, 41);
    assert_eq!(layout.params.algorithm, Algorithm::Sha512);
    assert_eq!(
        qemu(&files, &machine(2048 * MIB)).unwrap().rec.gprs[0],
        0x4800_0000
    );
}

#[test]
fn the_monitor_measures_the_image_as_it_lies_in_memory_and_then_the_tree() {
    let (image, dtb) = (image(5000, 0, 0x10_0000), dtb(5000));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&dtb),
    };
    let layout = monitor(&files, &machine(64 * MIB)).unwrap();
    assert_eq!(layout.params.ipa_bits, 41);
    let mut rim = Rim::create(&layout.params, Rmm::V1_0);
    for block in 0..32 {
        let base = MONITOR_RAM + block * 2 * MIB;
        rim.init_ripas(base, base + 2 * MIB);
    }
    let mut loaded = image.clone();
    loaded.resize(0x10_0000, 0);
    data(&mut rim, 0x4420_0000, &loaded);
    let mut tree = dtb.clone();
    tree.resize(8192, 0);
    data(&mut rim, 0x4400_0000, &tree);
    rim.rec(&RecParams::entry(0x4420_0000, 0x4400_0000));
    assert_eq!(silent(&layout, Rmm::V1_0), rim.value());
    let none = Files { dtb: None, ..files };
    let refused = monitor(&none, &machine(64 * MIB)).unwrap_err();
    assert_eq!(refused, Error::DeviceTreeMissing);
}

#[test]
fn what_cannot_be_known_is_refused() {
    let (image, tree) = (image(5000, 0, 0x10_0000), dtb(100));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&tree),
    };
    let with = |files: Files<'_>, memory| {
        let layout = lkvm(&files, &machine(memory), Order::RamFirst);
        layout.map(|layout| silent(&layout, Rmm::V1_0)).unwrap_err()
    };
    let none = Files { dtb: None, ..files };
    assert_eq!(with(none, 256 * MIB), Error::DeviceTreeMissing);
    assert_eq!(
        qemu(&none, &machine(256 * MIB)).unwrap_err(),
        Error::DeviceTreeMissing
    );
    let garbage = Files {
        dtb: Some(b"no tree at all"),
        ..files
    };
    assert_eq!(with(garbage, 256 * MIB), Error::DeviceTreeBroken);
    let cut = Files {
        dtb: Some(&tree[..50]),
        ..files
    };
    assert_eq!(with(cut, 256 * MIB), Error::DeviceTreeBroken);
    let big = dtb(65_537);
    let big = Files {
        dtb: Some(&big),
        ..files
    };
    assert_eq!(
        with(big, 256 * MIB),
        Error::DeviceTreeTooBig { limit: 65_536 }
    );
    let no_image = Files {
        image: &tree,
        ..files
    };
    assert_eq!(with(no_image, 256 * MIB), Error::NotAnImage);
    for memory in [0, 1, 3 * MIB, 2 * MIB, u64::MAX - (2 * MIB - 1)] {
        assert_eq!(with(files, memory), Error::Memory { memory });
    }
}

#[test]
fn an_image_that_does_not_fit_is_refused() {
    let (image, dtb) = (image(3 << 20, 0, 0x10_0000), dtb(100));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&dtb),
    };
    let refused = lkvm(&files, &machine(4 * MIB), Order::RamFirst).unwrap_err();
    assert_eq!(
        refused,
        Error::DoesNotFit {
            at: 0x8000_0000,
            size: 3 << 20
        }
    );
}

#[test]
fn a_width_that_is_too_narrow_is_refused() {
    let (image, dtb) = (image(5000, 0, 0x10_0000), dtb(100));
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&dtb),
    };
    let narrow = Machine {
        ipa_bits: Some(32),
        ..machine(64 * MIB)
    };
    let refused = lkvm(&files, &narrow, Order::RamFirst).unwrap_err();
    assert_eq!(refused, Error::IpaWidth { bits: 32 });
}
