//! From one function to the one that called it, by the unwind tables.
//!
//! A row of the tables says how far the frame of a function reaches from the stack pointer, and where
//! in it the address is kept that it returns to. Few functions keep their frame by another register,
//! whose value the image does not tell: then the nearest word is taken that lies behind a call.

use super::Bytes;
use super::stack::Stack;
use gimli::{
    AArch64, BaseAddresses, CfaRule, EhFrame, RegisterRule, UnwindContext, UnwindSection,
    UnwindTableRow,
};

/// Most steps: a stack that calls itself for ever has no end.
const MOST_STEPS: usize = 64;

/// Addresses on the way out of what broke: first its own, then of each call that led there.
pub fn addresses(stack: &Stack, tables: &EhFrame<Bytes>, at: u64, text: &[u8]) -> Vec<u64> {
    let mut walk = Walk {
        stack,
        tables,
        bases: BaseAddresses::default().set_eh_frame(at),
        text,
        context: UnwindContext::new(),
        sp: 0,
    };
    let Some(first) = stack.pc.or(stack.link) else {
        return Vec::new();
    };
    let mut found = Vec::from([first]);
    let mut pc = first;
    for step in 0..MOST_STEPS {
        let link = stack.link.filter(|_| step == 0);
        let Some(next) = walk.step(pc, link) else {
            break;
        };
        // What is returned to is behind the call: the call itself says more.
        pc = next.saturating_sub(4);
        found.push(pc);
    }
    found
}

struct Walk<'s> {
    stack: &'s Stack,
    tables: &'s EhFrame<Bytes>,
    bases: BaseAddresses,
    text: &'s [u8],
    context: UnwindContext<usize>,
    /// The stack pointer of the function that is looked at, counted from that of the line.
    sp: u64,
}

/// Where a function keeps what it needs to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// Bytes of the frame from the stack pointer, if the tables know; and the place of the return
    /// address, counted from the frame's end.
    Saved { size: Option<i64>, at: i64 },
    /// The return address is in the link register still.
    InLink { size: i64 },
}

impl Walk<'_> {
    /// The address that the function around `pc` returns to.
    fn step(&mut self, pc: u64, link: Option<u64>) -> Option<u64> {
        match self.frame(pc)? {
            Frame::InLink { size } => {
                self.sp = self.sp.checked_add_signed(size)?;
                link
            }
            Frame::Saved {
                size: Some(size),
                at,
            } => {
                let end = self.sp.checked_add_signed(size)?;
                self.sp = end;
                let word = self.stack.words.get(&end.checked_add_signed(at)?);
                // Where the stack overflowed, the word was not written yet.
                word.copied().or(link)
            }
            Frame::Saved { size: None, at } => {
                let mut words = self.stack.words.range(self.sp..);
                let (place, word) = words.find(|(_, word)| self.is_behind_call(**word))?;
                self.sp = place.checked_add_signed(-at)?;
                Some(*word)
            }
        }
    }

    fn frame(&mut self, pc: u64) -> Option<Frame> {
        let from = |tables: &EhFrame<Bytes>, bases: &_, at| tables.cie_from_offset(bases, at);
        let row = self
            .tables
            .unwind_info_for_address(&self.bases, &mut self.context, pc, from)
            .ok()?;
        frame_of(row)
    }

    /// Whether the instruction before `address` is `bl` or `blr`.
    fn is_behind_call(&self, address: u64) -> bool {
        let call = || {
            let start = usize::try_from(address.checked_sub(4)?).ok()?;
            let word = self.text.get(start..start.checked_add(4)?)?;
            let word = u32::from_le_bytes(word.try_into().ok()?);
            Some(word >> 26 == 0b10_0101 || word & 0xffff_fc1f == 0xd63f_0000)
        };
        call().unwrap_or(false)
    }
}

fn frame_of(row: &UnwindTableRow<usize>) -> Option<Frame> {
    let size = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } if *register == AArch64::SP => {
            Some(*offset)
        }
        _ => None,
    };
    match row.register(AArch64::X30) {
        Some(RegisterRule::Offset(at)) => Some(Frame::Saved { size, at }),
        _ => Some(Frame::InLink { size: size? }),
    }
}
