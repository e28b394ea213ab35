//! The realm that the image runs in: its halves, its console, its pages.

use core::fmt;

use crate::hardware::{self, Width};

const RSI_REALM_CONFIG: u64 = 0xc400_0196;
const RSI_IPA_STATE_SET: u64 = 0xc400_0197;
const PSCI_SYSTEM_OFF: u64 = 0x8400_0008;
const PAGE: u64 = 0x1000;
const EMPTY: u64 = 0;
const RAM: u64 = 1;
const CHANGE_DESTROYED: u64 = 1;

/// PL011 of QEMU's `virt` machine.
pub const UART: u64 = 0x0900_0000;
/// Its flag register.
pub const UART_FLAGS: u64 = UART + 0x18;

/// What is known of the realm.
pub struct Realm {
    /// The bit that makes an address one of the shared half.
    pub shared: u64,
    /// Devices use addresses without it.
    pub dma_low: bool,
}

impl Realm {
    /// Asks the RMM for the width of addresses; `None` outside of a realm.
    pub fn start() -> Option<Self> {
        let page = Self::page(0);
        let [status, ..] = hardware::smc(RSI_REALM_CONFIG, [page, 0, 0, 0]);
        let width = hardware::load(page, Width::Double);
        (status == 0 && (33..=48).contains(&width)).then(|| Self {
            shared: 1 << (width - 1),
            dma_low: false,
        })
    }

    /// Private page number `number` of those that no object is in; 0 is for the RMM's answers.
    pub fn page(number: u64) -> u64 {
        hardware::pages() + number * PAGE
    }

    /// Shares the page at `page`; gives its address in the shared half.
    pub fn share(&self, page: u64) -> Result<u64, &'static str> {
        set(page, EMPTY)?;
        Ok(page | self.shared)
    }

    /// Makes the page at `page` private again.
    pub fn take_back(page: u64) -> Result<(), &'static str> {
        set(page, RAM)
    }

    /// The address that a device is told for `address`.
    pub fn dma(&self, address: u64) -> u64 {
        if self.dma_low {
            address & !self.shared
        } else {
            address
        }
    }

    /// A device register in the half where devices are.
    pub fn device(&self, address: u64) -> u64 {
        address | self.shared
    }
}

fn set(page: u64, state: u64) -> Result<(), &'static str> {
    let arguments = [page, page + PAGE, state, CHANGE_DESTROYED];
    let [status, reached, response] = hardware::smc(RSI_IPA_STATE_SET, arguments);
    if (status, reached, response) == (0, page + PAGE, 0) {
        Ok(())
    } else {
        Err("a page does not change its state")
    }
}

/// Ends the run.
pub fn power_off() -> ! {
    loop {
        hardware::smc(PSCI_SYSTEM_OFF, [0; 4]);
    }
}

impl fmt::Write for Realm {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            hardware::store(self.device(UART), Width::Word, u64::from(byte));
        }
        Ok(())
    }
}
