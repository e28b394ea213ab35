//! A token, piece by piece.

use ipa::GRANULE_SIZE;
use rsi::Arguments;

use super::{Answer, ERROR_INPUT, ERROR_STATE, INCOMPLETE, SUCCESS, State, returning, status};

/// How much of a token is out.
#[derive(Debug, Default)]
pub(super) struct Sent {
    bytes: usize,
    stalled: u32,
}

impl State {
    pub(super) fn token_init(&mut self, _: &Arguments) -> Answer {
        self.token = Some(Sent::default());
        let bound = self.behaviour.token.len().next_multiple_of(4096);
        returning(SUCCESS, &[bound as u64])
    }

    pub(super) fn token_continue(&mut self, arguments: &Arguments) -> Answer {
        let [_, granule, offset, size, ..] = *arguments;
        let end = offset.checked_add(size).filter(|end| *end <= GRANULE_SIZE);
        if end.is_none() || offset == GRANULE_SIZE || !self.is_granule_of_ram(granule) {
            return status(ERROR_INPUT);
        }
        let Some(sent) = &mut self.token else {
            return status(ERROR_STATE);
        };
        if sent.stalled < self.behaviour.token_stalls {
            sent.stalled += 1;
            return returning(INCOMPLETE, &[0]);
        }
        sent.stalled = 0;
        let rest = &self.behaviour.token[sent.bytes..];
        let piece = rest
            .len()
            .min(size as usize)
            .min(self.behaviour.token_piece);
        self.memory.write(granule + offset, &rest[..piece]);
        sent.bytes += piece;
        if sent.bytes < self.behaviour.token.len() {
            return returning(INCOMPLETE, &[piece as u64]);
        }
        self.token = None;
        returning(SUCCESS, &[piece as u64])
    }
}
