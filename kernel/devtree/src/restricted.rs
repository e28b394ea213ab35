//! Restricted pools: memory that a device bounces through, and nothing else.
//!
//! Each node and each device is judged by itself: what is wrong with one is kept, with its place, and told
//! where the device would be started. Only direct children of the host bridge can name a pool of their own.
//!
//! Ref: Linux, Documentation/devicetree/bindings/reserved-memory/{shared-dma-pool,reserved-memory}.yaml.

use core::fmt;

use heapless::Vec;
use ipa::{GRANULE_SIZE, IpaSpace};

use crate::cells::Cells;
use crate::error::Failed;
use crate::node::{CellSizes, Node};
use crate::{AddressRange, Error, Tree};

/// Most restricted pools that we keep, and most functions that name one.
pub const MAX_POOLS: usize = 16;

/// Most runs of addresses that a pool without a place may be put in.
const MAX_RUNS: usize = 4;

const REGION: &str = "memory-region";

/// Bytes of a node's name that errors show.
const NAME: usize = 32;

/// The name of a node as far as it can be shown: 32 characters that are printable and ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NodeName([u8; NAME]);

impl NodeName {
    fn of(node: Node<'_>) -> Self {
        let mut name = [0; NAME];
        for (to, from) in name.iter_mut().zip(node.name()) {
            *to = if from.is_ascii_graphic() { *from } else { b'?' };
        }
        Self(name)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        f.write_str(core::str::from_utf8(text).unwrap_or_default())
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A pool, or a device that names one, that is not used: which node, which property, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolError {
    /// The node.
    pub node: NodeName,
    /// The property.
    pub property: &'static str,
    /// What is wrong with it.
    pub reason: PoolReason,
}

/// What is wrong with a restricted pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolReason {
    /// Memory that nobody may map cannot be bounced through.
    NotMapped,
    /// Memory that others use meanwhile would be shared with them.
    Reusable,
    /// The property does not have the length that its kind has.
    Length {
        /// Its bytes.
        len: usize,
    },
    /// A number is not one that the property can have.
    Value {
        /// The number.
        value: u64,
    },
    /// The range is empty, wraps, or leaves the protected half.
    Range {
        /// First address.
        base: u64,
        /// Bytes.
        len: u64,
    },
    /// A page is shared or not: this many bytes at this address are not pages.
    NotGranules {
        /// First address.
        base: u64,
        /// Bytes.
        len: u64,
    },
    /// The pool has neither a place nor a size.
    NoSize,
    /// The device names more than one pool.
    Two,
    /// The device names a node that is not there.
    NoNode {
        /// Its phandle.
        phandle: u32,
    },
}

impl fmt::Display for PoolReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMapped => f.write_str("a pool has to be mapped"),
            Self::Reusable => f.write_str("a pool is nobody else's"),
            Self::Length { len } => write!(f, "it cannot have {len} bytes"),
            Self::Value { value } => write!(f, "it cannot be {value:#x}"),
            Self::Range { base, len } => write!(
                f,
                "{len:#x} bytes at {base:#x} are empty or leave the address space"
            ),
            Self::NotGranules { base, len } => {
                write!(
                    f,
                    "{len:#x} bytes at {base:#x} are not whole pages of 4 KiB"
                )
            }
            Self::NoSize => f.write_str("there is neither a place nor a size"),
            Self::Two => f.write_str("it names more than one pool"),
            Self::NoNode { phandle } => write!(f, "there is no node of phandle {phandle:#x}"),
        }
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.node, self.property, self.reason)
    }
}

impl core::error::Error for PoolError {}

/// Where a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolPlace {
    /// There, whole granules.
    At(AddressRange),
    /// Nobody has placed it yet.
    Wanted {
        /// Bytes, whole granules, not 0.
        size: u64,
        /// What its address is a multiple of: a power of two, at least a granule.
        alignment: u64,
        /// Where it may be put; anywhere in RAM, if there are none.
        within: Vec<AddressRange, MAX_RUNS>,
    },
}

/// A restricted pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestrictedPool {
    /// The node's name.
    pub node: NodeName,
    /// Where it is, or what is wrong with its node.
    pub place: Result<PoolPlace, PoolError>,
}

/// The pool that devices are bound to: its number, or what is wrong with how they name it.
pub type Binding = Result<usize, PoolError>;

/// The restricted pools of the machine, and who is bound to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestrictedPools {
    pools: Vec<RestrictedPool, MAX_POOLS>,
    functions: Vec<(u16, Option<Binding>), MAX_POOLS>,
    bridge: Option<Binding>,
}

impl RestrictedPools {
    /// The pools, in the order of the tree.
    pub fn iter(&self) -> impl Iterator<Item = &RestrictedPool> {
        self.pools.iter()
    }

    /// The pool that a function is bound to: its bus in bits 15 to 8, its device in 7 to 3, its number
    /// in 2 to 0. What its own node names comes first, what the host bridge names after that.
    pub fn binding(&self, function: u16) -> Option<Binding> {
        let own = self.functions.iter().find(|(known, _)| *known == function);
        own.and_then(|(_, binding)| *binding).or(self.bridge)
    }

    pub(crate) fn parse(
        tree: &Tree<'_>,
        host: Option<Node<'_>>,
        space: IpaSpace,
    ) -> Result<Self, Failed> {
        let mut all = Self::default();
        let mut handles = Handles::default();
        if let Some(parent) = tree.reserved_memory()? {
            let cells = parent.child_cells()?;
            for node in parent.children("restricted pool")? {
                all.note(node, cells, space, &mut handles)?;
            }
        }
        let Some(host) = host else {
            return Ok(all);
        };
        all.bridge = handles.named(host);
        let (at, limit) = ("PCI functions with a memory-region", MAX_POOLS);
        for device in host.children("PCI function")? {
            if !device.has(REGION) {
                continue;
            }
            let binding = (function(device)?, handles.named(device));
            all.functions
                .push(binding)
                .map_err(|_| host.fail(Error::TooMany { at, limit }))?;
        }
        Ok(all)
    }

    /// Notes a node of reserved memory: what its phandle is, and the pool, if it is one.
    fn note(
        &mut self,
        node: Node<'_>,
        cells: CellSizes,
        space: IpaSpace,
        handles: &mut Handles,
    ) -> Result<(), Failed> {
        let is_pool = node.is_compatible(&["restricted-dma-pool"]);
        if let Some(phandle) = node.cell("phandle")? {
            handles.note(node, phandle, is_pool.then_some(self.pools.len()))?;
        }
        if !is_pool {
            return Ok(());
        }
        let pool = RestrictedPool {
            node: NodeName::of(node),
            place: place(node, cells, space),
        };
        let (at, limit) = ("restricted pools", MAX_POOLS);
        self.pools
            .push(pool)
            .map_err(|_| node.fail(Error::TooMany { at, limit }))
    }
}

/// The phandles of reserved memory, each with the number of its pool, if it is one.
#[derive(Default)]
struct Handles(Vec<(u32, Option<usize>), { 2 * MAX_POOLS }>);

impl Handles {
    fn note(&mut self, node: Node<'_>, phandle: u32, pool: Option<usize>) -> Result<(), Failed> {
        let (at, limit) = ("reserved memory with a phandle", 2 * MAX_POOLS);
        self.0
            .push((phandle, pool))
            .map_err(|_| node.fail(Error::TooMany { at, limit }))
    }

    /// The pool that `node` names, if it names one. Reserved memory of other kinds is not for us.
    fn named(&self, node: Node<'_>) -> Option<Binding> {
        let bytes = node.bytes(REGION)?;
        let mut cells = Cells::new(bytes);
        let mut found = None;
        while let Some(phandle) = cells.cell() {
            match self.0.iter().find(|(known, _)| *known == phandle) {
                None => return Some(Err(wrong(node, REGION, PoolReason::NoNode { phandle }))),
                Some((_, Some(_))) if found.is_some() => {
                    return Some(Err(wrong(node, REGION, PoolReason::Two)));
                }
                Some((_, pool)) => found = found.or(*pool),
            }
        }
        if !cells.is_empty() {
            let len = bytes.len();
            return Some(Err(wrong(node, REGION, PoolReason::Length { len })));
        }
        found.map(Ok)
    }
}

/// Where the pool of `node` is.
fn place(node: Node<'_>, cells: CellSizes, space: IpaSpace) -> Result<PoolPlace, PoolError> {
    for (property, reason) in [
        ("no-map", PoolReason::NotMapped),
        ("reusable", PoolReason::Reusable),
    ] {
        if node.has(property) {
            return Err(wrong(node, property, reason));
        }
    }
    if let Some(range) = ranges::<1>(node, "reg", cells, space)? {
        let [range] = range
            .into_array()
            .map_err(|_| wrong(node, "reg", length_of(node, "reg")))?;
        let (base, len) = (range.base(), range.len());
        if !base.is_multiple_of(GRANULE_SIZE) || !len.is_multiple_of(GRANULE_SIZE) {
            return Err(wrong(node, "reg", PoolReason::NotGranules { base, len }));
        }
        return Ok(PoolPlace::At(range));
    }
    let size = number(node, "size", cells.length)?;
    let size = size.ok_or_else(|| wrong(node, "size", PoolReason::NoSize))?;
    if size == 0 || !size.is_multiple_of(GRANULE_SIZE) {
        return Err(wrong(node, "size", PoolReason::Value { value: size }));
    }
    let alignment = number(node, "alignment", cells.length)?.unwrap_or(GRANULE_SIZE);
    if !alignment.is_power_of_two() {
        let value = alignment;
        return Err(wrong(node, "alignment", PoolReason::Value { value }));
    }
    Ok(PoolPlace::Wanted {
        size,
        alignment: alignment.max(GRANULE_SIZE),
        within: ranges(node, "alloc-ranges", cells, space)?.unwrap_or_default(),
    })
}

/// The ranges in `property`, at most `N`; `None` without the property.
fn ranges<const N: usize>(
    node: Node<'_>,
    property: &'static str,
    cells: CellSizes,
    space: IpaSpace,
) -> Result<Option<Vec<AddressRange, N>>, PoolError> {
    let Some(bytes) = node.bytes(property) else {
        return Ok(None);
    };
    let length = || wrong(node, property, length_of(node, property));
    let mut left = Cells::new(bytes);
    let mut ranges = Vec::new();
    while !left.is_empty() {
        let (base, len) = (left.number(cells.address), left.number(cells.length));
        let (Some(base), Some(len), true) = (base, len, cells.address != 0) else {
            return Err(length());
        };
        let range = AddressRange::new(space, base, len);
        let range = range.ok_or_else(|| wrong(node, property, PoolReason::Range { base, len }))?;
        ranges.push(range).map_err(|_| length())?;
    }
    Ok(Some(ranges))
}

/// A number of as many cells as a length has.
fn number(node: Node<'_>, property: &'static str, cells: u32) -> Result<Option<u64>, PoolError> {
    let Some(bytes) = node.bytes(property) else {
        return Ok(None);
    };
    let mut left = Cells::new(bytes);
    match (left.number(cells), left.is_empty()) {
        (Some(number), true) => Ok(Some(number)),
        _ => Err(wrong(node, property, length_of(node, property))),
    }
}

/// The function that a node below a PCI host is for.
fn function(node: Node<'_>) -> Result<u16, Failed> {
    let property = "reg";
    let bytes = node.required(property)?;
    let [_, bus, function, _] = bytes.first_chunk().ok_or_else(|| node.length(property))?;
    Ok(u16::from_be_bytes([*bus, *function]))
}

fn length_of(node: Node<'_>, property: &str) -> PoolReason {
    let len = node.bytes(property).map_or(0, <[u8]>::len);
    PoolReason::Length { len }
}

fn wrong(node: Node<'_>, property: &'static str, reason: PoolReason) -> PoolError {
    PoolError {
        node: NodeName::of(node),
        property,
        reason,
    }
}
