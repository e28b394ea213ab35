//! The rules, each with a way to keep it and a way to break it.

use crate::device::Entropy;
use crate::hardware::{self, Width};
use crate::leaks::{self, Leak};
use crate::realm::{Realm, UART, UART_FLAGS};

/// A rule of realms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Devices are in the shared half.
    PrivateRegister,
    /// A device access is one register and one address.
    WriteBack,
    /// Code is in the protected half.
    SharedCode,
    /// A device is told of shared pages only.
    PrivateDescriptor,
    /// A page that was taken back is out of every device's reach.
    StaleDescriptor,
    /// A page is used in one half at a time: its alias is not touched while it is private.
    Alias,
    /// The same, the other way round.
    Empty,
    /// The interrupt controller's tables are shared.
    PrivateTable(Table),
    /// What is closed to realms is not touched.
    ClosedDevice,
    /// A device that does not offer ACCESS_PLATFORM is not started.
    UnsafeDevice,
    /// A device that has a pool is told of nothing else: not of the neighbour's pool,
    PoolNeighbour,
    /// not of what other devices share,
    PoolGeneral,
    /// and not of the page behind the pool's end.
    PoolEnd,
    /// Shared pages hold what a device was told, and nothing else.
    Leak(Leak),
}

/// Memory that the interrupt controller reads or writes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The ITS's command queue.
    Commands,
    /// Its table of devices.
    Devices,
    /// Its table of collections.
    Collections,
    /// A device's table of events.
    Events,
    /// The configuration of a redistributor's LPIs.
    Lpis,
    /// Which of them are pending.
    Pending,
}

/// Whether a rule is kept or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Kept.
    Keep,
    /// Broken.
    Break,
}

const NAMES: [(&[u8], Rule); 24] = [
    (b"private-register", Rule::PrivateRegister),
    (b"write-back", Rule::WriteBack),
    (b"shared-code", Rule::SharedCode),
    (b"private-descriptor", Rule::PrivateDescriptor),
    (b"stale-descriptor", Rule::StaleDescriptor),
    (b"alias", Rule::Alias),
    (b"empty", Rule::Empty),
    (b"private-commands", Rule::PrivateTable(Table::Commands)),
    (b"private-devices", Rule::PrivateTable(Table::Devices)),
    (
        b"private-collections",
        Rule::PrivateTable(Table::Collections),
    ),
    (b"private-events", Rule::PrivateTable(Table::Events)),
    (b"private-lpis", Rule::PrivateTable(Table::Lpis)),
    (b"private-pending", Rule::PrivateTable(Table::Pending)),
    (b"closed-device", Rule::ClosedDevice),
    (b"unsafe-device", Rule::UnsafeDevice),
    (b"pool-neighbour", Rule::PoolNeighbour),
    (b"pool-general", Rule::PoolGeneral),
    (b"pool-end", Rule::PoolEnd),
    (b"leak-slot", Rule::Leak(Leak::Slot)),
    (b"leak-padding", Rule::Leak(Leak::Padding)),
    (b"leak-length", Rule::Leak(Leak::Length)),
    (b"leak-ring", Rule::Leak(Leak::Ring)),
    (b"leak-heap", Rule::Leak(Leak::Heap)),
    (b"leak-key", Rule::Leak(Leak::Key)),
];

/// The pool of the device, and that of its neighbour, as the test asks for them.
const POOL: u64 = 0x4600_0000;
const POOL_SIZE: u64 = 0x4000;
const NEIGHBOUR: u64 = 0x4601_0000;

/// The monitor puts the boot arguments into the first 64 KiB at `tree`.
const TREE: u64 = 0x1_0000;
/// `ret`.
const RETURN: u64 = 0xd65f_03c0;
/// Registers of the ITS: end of the new commands, and tables.
const ITS_COMMANDS: u64 = 0x0808_0080;
const ITS_WRITER: u64 = 0x0808_0088;
const ITS_DEVICES: u64 = 0x0808_0100;
const ITS_COLLECTIONS: u64 = 0x0808_0108;
/// Registers of the first redistributor.
const LPI_CONFIGURATION: u64 = 0x080a_0070;
const LPI_PENDING: u64 = 0x080a_0078;
/// Bits of LPI numbers minus one: 8192 of them, whose configuration has two pages.
const LPI_BITS: u64 = 13;
/// The command that gives a device its table, for device 8.
const MAP_DEVICE: u64 = 8 << 32 | 8;
const COMMAND: u64 = 32;
const VALID: u64 = 1 << 63;
/// fw_cfg, which could read and write all memory.
const CLOSED: u64 = 0x0902_0000;

/// Looks for `break=RULE` or `keep=RULE`.
pub fn find(tree: u64) -> Option<(Rule, Way)> {
    (tree..tree + TREE).find_map(|at| {
        let way = [(b"break=".as_slice(), Way::Break), (b"keep=", Way::Keep)];
        way.into_iter().find_map(|(word, way)| {
            let name = starts(at, word).then(|| at + word.len() as u64)?;
            let whole = |text: &[u8]| {
                let end = hardware::load(name + text.len() as u64, Width::Byte);
                starts(name, text) && (end == 0 || end == 0x20)
            };
            NAMES
                .iter()
                .find(|(text, _)| whole(text))
                .map(|(_, rule)| (*rule, way))
        })
    })
}

fn starts(at: u64, text: &[u8]) -> bool {
    (at..)
        .zip(text)
        .all(|(at, byte)| hardware::load(at, Width::Byte) == u64::from(*byte))
}

/// Whether the boot arguments say `dma=low`: devices use addresses without the shared bit.
pub fn is_dma_low(tree: u64) -> bool {
    (tree..tree + TREE).any(|at| starts(at, b"dma=low"))
}

/// Keeps or breaks `rule`.
pub fn run(realm: &mut Realm, rule: Rule, way: Way) -> Result<(), &'static str> {
    let broken = way == Way::Break;
    match rule {
        Rule::PrivateRegister => {
            let address = if broken {
                UART_FLAGS
            } else {
                realm.device(UART_FLAGS)
            };
            hardware::load(address, Width::Word);
        }
        Rule::WriteBack => {
            let end = u64::from(b'\n');
            if broken {
                hardware::store_write_back(realm.device(UART), end);
            } else {
                hardware::store(realm.device(UART), Width::Word, end);
            }
        }
        Rule::SharedCode => {
            let page = Realm::page(1);
            let code = if broken { realm.share(page)? } else { page };
            hardware::store(code, Width::Word, RETURN);
            hardware::call(code);
        }
        Rule::PrivateDescriptor => return descriptor(realm, broken),
        Rule::PoolNeighbour => return pool(realm, broken, NEIGHBOUR),
        Rule::PoolGeneral => return pool(realm, broken, Realm::page(1)),
        Rule::PoolEnd => return pool(realm, broken, POOL + POOL_SIZE),
        Rule::Leak(leak) => return leaks::run(realm, leak, broken),
        Rule::UnsafeDevice => return unsafe_device(realm, broken),
        Rule::StaleDescriptor => return stale_descriptor(realm, broken),
        Rule::Alias => {
            let page = Realm::page(1);
            hardware::load(if broken { page | realm.shared } else { page }, Width::Word);
        }
        Rule::Empty => {
            let page = Realm::page(1);
            let alias = realm.share(page)?;
            hardware::load(if broken { page } else { alias }, Width::Word);
        }
        Rule::PrivateTable(table) => return private_table(realm, table, broken),
        Rule::ClosedDevice => {
            let address = if broken { CLOSED } else { UART_FLAGS };
            hardware::load(realm.device(address), Width::Word);
        }
    }
    Ok(())
}

/// Tells the interrupt controller of a table.
fn private_table(realm: &Realm, table: Table, broken: bool) -> Result<(), &'static str> {
    // Aligned for the table that wants most, and long enough for the longest.
    let place = Realm::page(1).next_multiple_of(0x1_0000);
    if !broken {
        realm.share(place)?;
        realm.share(place + 0x1000)?;
    }
    let tell = |register, value| hardware::store(realm.device(register), Width::Double, value);
    match table {
        Table::Commands => tell(ITS_COMMANDS, VALID | place),
        Table::Devices => tell(ITS_DEVICES, VALID | place),
        Table::Collections => tell(ITS_COLLECTIONS, VALID | place),
        Table::Lpis => tell(LPI_CONFIGURATION, place | LPI_BITS),
        Table::Pending => {
            tell(LPI_CONFIGURATION, LPI_BITS);
            tell(LPI_PENDING, place);
        }
        Table::Events => {
            let queue = place + 0x1_0000;
            let commands = realm.share(queue)?;
            let words = [MAP_DEVICE, 1, VALID | place];
            for (at, word) in (commands..).step_by(8).zip(words) {
                hardware::store(at, Width::Double, word);
            }
            tell(ITS_COMMANDS, VALID | queue);
            tell(ITS_WRITER, COMMAND);
        }
    }
    Ok(())
}

/// Lets a device write into a page, and looks whether it did.
fn descriptor(realm: &Realm, broken: bool) -> Result<(), &'static str> {
    let queue = realm.share(Realm::page(1))?;
    let page = Realm::page(2);
    let target = if broken { page } else { realm.share(page)? };
    let mut device = Entropy::open(realm, queue)?;
    fill(&mut device, target, target, !broken)
}

/// Lets a device that has a pool write into the pool, or into a page beside it that is shared as well.
fn pool(realm: &Realm, broken: bool, beside: u64) -> Result<(), &'static str> {
    let queue = realm.share(POOL)?;
    let own = realm.share(POOL + 0x1000)?;
    let beside = realm.share(beside)?;
    let target = if broken { beside } else { own };
    let mut device = Entropy::open(realm, queue)?;
    fill(&mut device, target, target, !broken)
}

/// The same with a page that the device reached before.
fn stale_descriptor(realm: &Realm, broken: bool) -> Result<(), &'static str> {
    let queue = realm.share(Realm::page(1))?;
    let page = Realm::page(2);
    let alias = realm.share(page)?;
    let mut device = Entropy::open(realm, queue)?;
    fill(&mut device, alias, alias, true)?;
    if broken {
        Realm::take_back(page)?;
        return fill(&mut device, alias, page, false);
    }
    fill(&mut device, alias, alias, true)
}

/// Opens a device that would go round the SMMU, and leaves it at that, or lets it write.
fn unsafe_device(realm: &Realm, broken: bool) -> Result<(), &'static str> {
    let queue = realm.share(Realm::page(1))?;
    if !broken {
        Entropy::open_unsafe(realm, queue)?;
        return Ok(());
    }
    let page = Realm::page(2);
    let mut device = Entropy::open_unsafe(realm, queue)?;
    fill(&mut device, page, page, false)
}

const LENGTH: u64 = 64;

/// Lets the device write at `target`; `seen` is where we look at the same page.
fn fill(
    device: &mut Entropy<'_>,
    target: u64,
    seen: u64,
    expected: bool,
) -> Result<(), &'static str> {
    let words = || (seen..seen + LENGTH).step_by(8);
    words().for_each(|at| hardware::store(at, Width::Double, 0));
    // A device that is blocked may say that it is done, or nothing; memory is what counts.
    let answer = device.fill(target, LENGTH);
    let written = words().any(|at| hardware::load(at, Width::Double) != 0);
    match (expected, written) {
        (true, true) => answer,
        (true, false) => Err("the device did not write"),
        (false, true) => Err("a device wrote where it may not"),
        (false, false) => Ok(()),
    }
}
