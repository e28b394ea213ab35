//! The command queue: commands go in, and are waited for.

use clock::Clock;

use crate::command::{self, Command};
use crate::error::Error;
use crate::layout::Layout;
use crate::probe::PATIENCE;
use crate::traits::{self, Memory, Registers};

const CBASER: u64 = 0x80;
const CWRITER: u64 = 0x88;
const CREADR: u64 = 0x90;

const VALID: u64 = 1 << 63;
const CACHED: u64 = 7 << 59;
const READER_STALLED: u32 = 1 << 0;
const OFFSET: u32 = 0xf_ffe0;

/// The queue. All commands of a batch are carried out before the next batch is written, so it is
/// empty whenever one begins.
pub(crate) struct Queue {
    /// Where the next command goes, from the start of the queue.
    writer: u32,
}

impl Queue {
    /// Tells the ITS, which is stopped, where the queue is.
    pub(crate) fn open(
        registers: &impl Registers,
        memory: &impl Memory,
        layout: &Layout,
    ) -> Result<Self, Error> {
        const OURS: u32 = 0xffff_f0ff;
        let address = memory.address() + layout.commands.start;
        let pages = u64::from(layout.command_bytes()) / 4096;
        let value = VALID | CACHED | address | (pages - 1);
        traits::tell(registers, CBASER, value, OURS, CBASER)?;
        registers.write32(CWRITER, 0);
        Ok(Self { writer: 0 })
    }

    /// Commands that one batch can have: one place stays free, as equal offsets mean «empty».
    const fn longest(len: u32) -> usize {
        (len / command::BYTES - 1) as usize
    }

    /// Gives commands to the ITS, and waits until it has carried them out.
    ///
    /// An [`Error`] means that it may have carried out any of them, or none.
    pub(crate) fn run(
        &mut self,
        commands: &[Command],
        registers: &impl Registers,
        memory: &impl Memory,
        layout: &Layout,
        clock: &dyn Clock,
    ) -> Result<(), Error> {
        let len = layout.command_bytes();
        for batch in commands.chunks(Self::longest(len)) {
            for command in batch {
                let place = layout.commands.start + u64::from(self.writer);
                for (at, word) in (place..).step_by(8).zip(command.words()) {
                    memory.store(at, word);
                }
                self.writer = (self.writer + command::BYTES) % len;
            }
            memory.publish();
            // The upper half has nothing in it, and would be one more exit.
            registers.write32(CWRITER, self.writer);
            self.wait(registers, len, clock)?;
        }
        Ok(())
    }

    fn wait(&self, registers: &impl Registers, len: u32, clock: &dyn Clock) -> Result<(), Error> {
        let mut broken = None;
        let done = clock.wait(PATIENCE, &mut || {
            let said = registers
                .read32(CREADR)
                .any_value("an offset outside the queue ends the ITS");
            let offset = said & OFFSET;
            if offset >= len {
                broken = Some(Error::Reader { offset });
            } else if offset != self.writer && said & READER_STALLED != 0 {
                broken = Some(Error::Stalled);
            }
            broken.is_some() || offset == self.writer
        });
        match broken {
            Some(error) => Err(error),
            None if done => Ok(()),
            None => Err(Error::TimedOut),
        }
    }
}
