//! Two scans of the same bus.

use std::cell::RefCell;
use std::rc::Rc;

use pci::Ecam;
use testkit::fake_pci::FakePci;
use testkit::fake_virtio::{FakeBlock, FakeNet, FakeRng, Personality, Style, plug};
use testkit::shared_memory::SharedMemory;
use virtio_drivers::transport::pci::bus::PciRoot;

use crate::machine::Access;

#[test]
fn both_scans_find_the_same_functions_with_the_same_names() {
    for style in [Style::Qemu, Style::Lkvm] {
        let pci = FakePci::default();
        let (_window, memory) = SharedMemory::new(1 << 20);
        let all: [(u8, Rc<RefCell<dyn Personality>>); 3] = [
            (1, Rc::new(RefCell::new(FakeNet::default()))),
            (5, Rc::new(RefCell::new(FakeBlock::new(8)))),
            (31, Rc::new(RefCell::new(FakeRng::default()))),
        ];
        for (slot, personality) in all {
            plug(&pci, style, slot, memory.clone(), 16, personality);
        }
        let ecam = Ecam::new(pci.ecam(0), 0, 0).expect("one bus");
        let ours: Vec<_> = pci::scan(&ecam)
            .functions
            .iter()
            .map(|f| (f.bdf.device(), f.vendor, f.device))
            .collect();
        let theirs: Vec<_> = PciRoot::new(Access(pci.ecam(0)))
            .enumerate_bus(0)
            .map(|(at, info)| (at.device, info.vendor_id, info.device_id))
            .collect();
        assert_eq!(ours, theirs, "{style:?}");
        assert_eq!(ours.len(), 3);
    }
}
