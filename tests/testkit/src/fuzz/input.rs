//! Bytes taken one after the other; zeros when there are no more.

/// The bytes of one run.
pub(super) struct Input<'b>(&'b [u8]);

/// Whether `bytes` have `secret` in them, in either direction: a fuzzer reads it out of the comparison that
/// looks for it. What such a host says is no leak.
pub(super) fn knows(bytes: &[u8], secret: &[u8]) -> bool {
    let backwards: Vec<u8> = secret.iter().rev().copied().collect();
    let mut windows = bytes.windows(secret.len());
    windows.any(|window| window == secret || window == backwards)
}

impl<'b> Input<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(super) fn half(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(super) fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// The next `len` bytes, or as many as there are.
    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let (now, later) = self.0.split_at(len.min(self.0.len()));
        self.0 = later;
        now.to_vec()
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let (now, later) = self.0.split_at(N.min(self.0.len()));
        array[..now.len()].copy_from_slice(now);
        self.0 = later;
        array
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_has_the_secret_in_it_is_told_from_others() {
        assert!(knows(b"?secret!", b"secret") && knows(b"terces", b"secret"));
        assert!(!knows(b"secre", b"secret") && !knows(b"", b"secret"));
    }
}
