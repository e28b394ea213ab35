//! Text that waits for a console that takes it in pieces.

use alloc::collections::VecDeque;

/// Text that waits, up to a limit. What finds no room is lost, and counted.
#[derive(Debug)]
pub struct Lines {
    bytes: VecDeque<u8>,
    limit: usize,
    lost: u64,
}

impl Lines {
    /// Room for `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            limit,
            lost: 0,
        }
    }

    /// Adds `text`, a terminal's end of line for each of its own.
    pub fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.add(b'\r');
            }
            self.add(byte);
        }
    }

    fn add(&mut self, byte: u8) {
        // Who has no memory left may still have something to say.
        if self.bytes.len() < self.limit && self.bytes.try_reserve(1).is_ok() {
            self.bytes.push_back(byte);
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that found no room, so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Copies what waits longest into `into`, and leaves it; says how much that is.
    pub fn front(&self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.bytes.len());
        into.iter_mut()
            .zip(&self.bytes)
            .for_each(|(to, from)| *to = *from);
        count
    }

    /// Forgets the `count` bytes that wait longest.
    pub fn forget(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_out_in_order_with_the_end_of_line_that_terminals_want() {
        let mut lines = Lines::new(64);
        lines.push("one\ntwo\n");
        let mut piece = [0; 6];
        assert_eq!(lines.front(&mut piece), 6);
        assert_eq!(&piece, b"one\r\nt");
        lines.forget(4);
        assert_eq!(lines.front(&mut piece), 6);
        assert_eq!(&piece, b"\ntwo\r\n");
        lines.forget(usize::MAX);
        assert!(lines.is_empty());
        assert_eq!(lines.front(&mut piece), 0);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_what_was_there_stays() {
        let mut lines = Lines::new(4);
        lines.push("abcdef\n");
        assert_eq!((lines.len(), lines.lost()), (4, 4));
        let mut all = [0; 8];
        assert_eq!(lines.front(&mut all), 4);
        assert_eq!(all.get(..4), Some(&b"abcd"[..]));
    }
}
