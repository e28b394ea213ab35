//! Where the parts of a split virtqueue lie in its rings.
//!
//! Ref: virtio 1.2, 2.7 "Split Virtqueues": descriptors at a multiple of 16, the available ring of
//! 2, the used ring of 4.

const DESCRIPTOR: usize = 16;
const AVAILABLE_ENTRY: usize = 2;
const USED_ENTRY: usize = 8;
const RING_HEADER: usize = 4;
const RING_EVENT: usize = 2;

/// Offsets inside the rings of a queue of a size, which is a power of two up to 32768.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    size: u16,
}

impl Layout {
    pub(crate) const fn new(size: u16) -> Self {
        Self { size }
    }

    pub(crate) const fn size(self) -> u16 {
        self.size
    }

    /// Bytes of all three parts.
    pub(crate) const fn len(self) -> usize {
        self.available_event() + RING_EVENT
    }

    pub(crate) const fn descriptor(self, id: u16) -> usize {
        DESCRIPTOR * self.wrap(id)
    }

    pub(crate) const fn available_flags(self) -> usize {
        DESCRIPTOR * self.entries()
    }

    pub(crate) const fn available_index(self) -> usize {
        self.available_flags() + 2
    }

    pub(crate) const fn available_entry(self, index: u16) -> usize {
        self.available_flags() + RING_HEADER + AVAILABLE_ENTRY * self.wrap(index)
    }

    /// Where the driver says at which used index it wants an interrupt.
    pub(crate) const fn used_event(self) -> usize {
        self.available_flags() + RING_HEADER + AVAILABLE_ENTRY * self.entries()
    }

    /// Its header ends at a multiple of 8, so that each entry lies at one and none across two pages.
    ///
    /// 4 would do for the specification. But QEMU 7.2 behind an SMMU writes an entry that two pages
    /// share in two parts, and the second, its length, to the offset in the ring as if that were an
    /// address (`address_space_write_cached_slow`; gone in 10.0).
    pub(crate) const fn used_flags(self) -> usize {
        let header = self.used_event() + RING_EVENT;
        (header + RING_HEADER).next_multiple_of(USED_ENTRY) - RING_HEADER
    }

    pub(crate) const fn used_index(self) -> usize {
        self.used_flags() + 2
    }

    pub(crate) const fn used_entry(self, index: u16) -> usize {
        self.used_flags() + RING_HEADER + USED_ENTRY * self.wrap(index)
    }

    /// Where the device says at which available index it wants a doorbell.
    pub(crate) const fn available_event(self) -> usize {
        self.used_flags() + RING_HEADER + USED_ENTRY * self.entries()
    }

    const fn entries(self) -> usize {
        self.size as usize
    }

    const fn wrap(self, index: u16) -> usize {
        (index & (self.size - 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_every_size_are_aligned_and_do_not_overlap() {
        for size in (0..=8).map(|shift| 1_u16 << shift) {
            let layout = Layout::new(size);
            assert_eq!(layout.descriptor(0), 0);
            assert!(layout.descriptor(size - 1) + 16 <= layout.available_flags());
            assert!(layout.available_entry(size - 1) + 2 <= layout.used_event());
            let gap = layout.used_flags() - (layout.used_event() + 2);
            assert!(gap < USED_ENTRY, "{gap} bytes for nothing");
            assert_eq!(layout.used_flags() % 4, 0);
            assert_eq!(layout.used_entry(0) % USED_ENTRY, 0);
            assert!(layout.used_entry(size - 1) + 8 <= layout.available_event());
            assert_eq!(layout.len(), layout.available_event() + 2);
        }
    }

    #[test]
    fn no_used_entry_crosses_a_page_wherever_the_rings_begin() {
        for size in (0..=8).map(|shift| 1_u16 << shift) {
            let layout = Layout::new(size);
            for base in (0..4096).step_by(DESCRIPTOR) {
                let straddles =
                    |index| (base + layout.used_entry(index)) % 4096 > 4096 - USED_ENTRY;
                assert!(!(0..size).any(straddles), "size {size}, base {base:#x}");
            }
        }
    }

    #[test]
    fn an_index_past_the_end_wraps() {
        let layout = Layout::new(8);
        assert_eq!(layout.used_entry(9), layout.used_entry(1));
        assert_eq!(layout.available_entry(u16::MAX), layout.available_entry(7));
    }
}
