//! Stores to the interrupt controller that tell it of memory.

use core::ops::Range;

use super::Monitor;
use crate::gic::{self, COMMAND, Command, ItsBase, Register};
use crate::machine::Machine;
use crate::regions::Region;
use crate::syndrome::Width;
use crate::violation::Violation;

/// `GITS_CREADR`, `GITS_TYPER`, and the eight `GITS_BASER<n>`.
const READER: u64 = 0x90;
const TYPER: u64 = 0x08;
const BASES: u64 = 8;
/// The most commands in a queue: 256 pages of 4 KiB.
const MOST_COMMANDS: u64 = 256 * 4096 / COMMAND;

impl<M: Machine> Monitor<M> {
    /// Whether a store to a device would give the interrupt controller memory that is not shared.
    pub(super) fn is_table_refused(
        &mut self,
        (region, offset): (Region, u64),
        width: Width,
        value: u64,
    ) -> bool {
        let register = match region {
            Region::Gicr => Register::of_redistributor(offset),
            Region::Its => Register::of_its(offset),
            _ => None,
        };
        let Some(register) = register else {
            return false;
        };
        let old = self.gic(region, register.offset());
        let value = gic::merge(old, offset, width.bytes(), value);
        if register == Register::Writer {
            return !self.are_commands_safe(value);
        }
        let bits = match register {
            Register::Configuration(_) => value & 0x1f,
            Register::Pending(frame) => {
                self.gic(region, Register::Configuration(frame).offset()) & 0x1f
            }
            _ => 0,
        };
        let table = register.table(value, bits);
        let owner = gic::register(region == Region::Its, register.offset());
        !self.accept(region, owner, table)
    }

    /// Whether `table` may be used by `owner`; notes it if so.
    fn accept(&mut self, region: Region, owner: (u8, u64), table: Range<u64>) -> bool {
        // The controller is told of addresses with the shared bit or without it.
        let bare = |address| address & !self.space.shared_bit();
        let length = table.end.saturating_sub(table.start);
        let table = bare(table.start)..bare(table.start).saturating_add(length);
        let shared = table.is_empty() || self.realm.granules.is_shared(&table);
        if !self.options.enforce || shared && self.tables.note(owner, table.clone()) {
            return true;
        }
        self.violation(Violation::PrivateTable {
            region,
            address: table.start,
        });
        false
    }

    /// Reads a 64-bit register of the controller.
    fn gic(&self, region: Region, offset: u64) -> u64 {
        let base = region.place(self.space.width() == 41).0;
        self.machine.load(base + offset, Width::Double).unwrap_or(0)
    }

    /// Looks at each command that `writer` adds to the queue of the ITS.
    fn are_commands_safe(&mut self, writer: u64) -> bool {
        let base = self.gic(Region::Its, Register::Commands.offset());
        let queue = Register::Commands.table(base, 0);
        let queue_start = queue.start & !self.space.shared_bit();
        let size = queue.end.saturating_sub(queue.start);
        if size == 0 {
            return true;
        }
        let entry = (self.gic(Region::Its, TYPER) >> 4 & 0xf) + 1;
        let mut at = self.gic(Region::Its, READER) & 0xf_ffe0;
        let end = writer & 0xf_ffe0;
        for _ in 0..MOST_COMMANDS {
            if at == end || at >= size {
                break;
            }
            let words = self.words(queue_start + at);
            if let Some(command) = Command::decode(words, entry)
                && !self.is_command_safe(command)
            {
                return false;
            }
            at = (at + COMMAND) % size;
        }
        true
    }

    fn is_command_safe(&mut self, command: Command) -> bool {
        match command {
            Command::UnmapDevice { device } => self.tables.note(gic::device(device), 0..0),
            Command::MapDevice { device, table } => {
                self.accept(Region::Its, gic::device(device), table.0..table.1)
                    && self.is_second_level_safe(device)
            }
        }
    }

    fn is_second_level_safe(&mut self, device: u64) -> bool {
        (0..BASES).all(|number| {
            let base = ItsBase(self.gic(Region::Its, Register::Base(number).offset()));
            let Some(entry) = base.first_level(device) else {
                return true;
            };
            let entry = entry & !self.space.shared_bit();
            let [value, ..] = self.words(entry);
            let owner = gic::second_level(entry);
            self.accept(Region::Its, owner, base.second_level(value))
        })
    }

    /// Three words of guest memory; zero where it is not shared.
    pub(super) fn words(&self, address: u64) -> [u64; 3] {
        let mut words = [0; 3];
        let range = address..address.saturating_add(24);
        let shared = !self.options.enforce || self.realm.granules.is_shared(&range);
        if !shared || !self.memory.covers(&range) {
            return words;
        }
        let mut bytes = [0; 24];
        self.machine.read(address, &mut bytes);
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }
}
