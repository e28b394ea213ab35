//! A balloon in small, the host that moves it, and the realm's memory beside it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use virtio::{BLOCK, Lost, Memory};

use super::{Personality, Ring};
use crate::fake_clock::FakeClock;

const INFLATE: usize = 0;
/// Pages of a block.
pub const PAGES: u32 = (BLOCK >> 12) as u32;
/// Feature: pages are used again only after the device was told.
pub const MUST_TELL_HOST: u64 = 1 << 0;
/// Feature: a queue of statistics.
pub const STATISTICS: u64 = 1 << 1;
/// Feature: pages may be used again when memory is short.
pub const DEFLATE_ON_OOM: u64 = 1 << 2;

/// A balloon and its host.
#[derive(Debug)]
pub struct FakeBalloon {
    /// Pages that the host wants.
    pub wanted: u32,
    /// Features that it offers.
    pub features: u64,
    /// Pages that it was told to have, and not told to have lost.
    pub pages: BTreeSet<u32>,
    /// Pages as the driver says in the configuration.
    pub actual: u32,
    /// How often it said so.
    pub told: u64,
    /// Times that it was told of a page that it had, or was asked for one that it had not.
    pub confused: u64,
    /// Whether the number shows only after FEATURES_OK, as with lkvm.
    pub shy: bool,
    /// Whether it reports words that it read, as lkvm does.
    pub counts_reads: bool,
    /// Whether it confirms what it is told.
    pub completes: bool,
}

impl Default for FakeBalloon {
    fn default() -> Self {
        Self {
            wanted: 0,
            features: DEFLATE_ON_OOM | STATISTICS,
            pages: BTreeSet::new(),
            actual: 0,
            told: 0,
            confused: 0,
            shy: false,
            counts_reads: false,
            completes: true,
        }
    }
}

impl FakeBalloon {
    /// A host that wants `blocks` blocks.
    pub fn wanting(blocks: u32) -> Self {
        Self {
            wanted: blocks * PAGES,
            ..Self::default()
        }
    }

    fn hear(&mut self, index: usize, page: u32) {
        let is_news = match index {
            INFLATE => self.pages.insert(page),
            _ => self.pages.remove(&page),
        };
        self.confused += u64::from(!is_news);
    }
}

impl Personality for FakeBalloon {
    fn kind(&self) -> u16 {
        5
    }

    fn class(&self) -> u32 {
        0xff_0000
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queues(&self) -> usize {
        3
    }

    fn config(&self, at: u64, ready: bool) -> u8 {
        match at {
            0..4 if ready || !self.shy => self.wanted.to_le_bytes()[at as usize],
            4..8 => self.actual.to_le_bytes()[at as usize - 4],
            _ => 0,
        }
    }

    fn write_config(&mut self, at: u64, word: u32) {
        assert_eq!(at, 4, "nothing else may be written");
        self.actual = word;
        self.told += 1;
    }

    fn process(&mut self, index: usize, ring: &mut Ring<'_>) {
        while self.completes
            && let Some(chain) = ring.take()
        {
            let bytes = ring.read(&chain);
            for page in bytes.chunks_exact(4) {
                let page = u32::from_le_bytes(page.try_into().expect("4 bytes"));
                self.hear(index, page);
            }
            let words = (bytes.len() / 4) as u32;
            ring.complete(&chain, if self.counts_reads { words } else { 0 });
        }
    }
}

/// Where each block of a realm's memory is.
#[derive(Debug, Default)]
pub struct Blocks {
    /// First pages of blocks that are free.
    pub free: Vec<u32>,
    /// First pages of blocks that are out.
    pub out: BTreeSet<u32>,
    /// Whether the RMM fails to give a block away.
    pub keeps: bool,
    /// Whether the host gives no block back.
    pub withholds: bool,
    /// What moving a block costs.
    pub cost: Duration,
    /// What that is spent of.
    pub clock: Option<Rc<FakeClock>>,
}

impl Blocks {
    /// `count` blocks.
    pub fn new(count: u32) -> Self {
        let first = |block| 0x4_0000 + block * PAGES;
        Self {
            free: (0..count).map(first).collect(),
            ..Self::default()
        }
    }

    fn spend(&self) {
        if let Some(clock) = &self.clock {
            clock.advance(self.cost);
        }
    }
}

/// A block that is out. It cannot be copied, so it comes back once.
#[derive(Debug)]
pub struct Out(u32);

/// A realm's memory.
#[derive(Clone, Debug)]
pub struct FakeMemory(pub Rc<RefCell<Blocks>>);

impl Memory for FakeMemory {
    type Out = Out;

    fn give(&mut self) -> Result<Option<Out>, Lost> {
        let mut blocks = self.0.borrow_mut();
        let Some(first) = blocks.free.pop() else {
            return Ok(None);
        };
        blocks.spend();
        if blocks.keeps {
            return Err(Lost);
        }
        assert!(blocks.out.insert(first), "a block goes once");
        Ok(Some(Out(first)))
    }

    fn first_page(block: &Out) -> u32 {
        block.0
    }

    fn take_back(&mut self, block: Out) -> Result<(), Lost> {
        let mut blocks = self.0.borrow_mut();
        blocks.spend();
        assert!(blocks.out.remove(&block.0), "only what is out comes back");
        if blocks.withholds {
            return Err(Lost);
        }
        blocks.free.push(block.0);
        Ok(())
    }
}
