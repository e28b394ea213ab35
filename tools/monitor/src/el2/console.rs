//! The PL011 that the guest prints on as well: the monitor writes whole lines.

use core::fmt::{self, Write};

use monitor::syndrome::Width;

use super::asm;

const BASE: u64 = 0x0900_0000;
const DATA: u64 = 0;
const FLAGS: u64 = 0x18;
const TRANSMIT_FULL: u64 = 1 << 5;
/// How often a full UART is asked again. QEMU's never is for long.
const PATIENCE: usize = 1_000_000;

/// The UART.
pub(super) struct Console;

impl Console {
    /// Prints `line` and ends it.
    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) {
        // A UART cannot fail.
        let _ = writeln!(self, "{line}");
    }

    fn byte(byte: u8) {
        for _ in 0..PATIENCE {
            if asm::load(BASE + FLAGS, Width::Word).is_ok_and(|flags| flags & TRANSMIT_FULL == 0) {
                break;
            }
        }
        let _ = asm::store(BASE + DATA, Width::Word, u64::from(byte));
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                Self::byte(b'\r');
            }
            Self::byte(byte);
        }
        Ok(())
    }
}
