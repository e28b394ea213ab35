//! Finding what would go round the SMMU.

use super::function::{BAR_COUNT, Function};
use super::{Common, MOST, Unsafe};
use crate::machine::{Abort, Machine};
use crate::syndrome::Width;

const FUNCTIONS: u32 = 256;
const HEADER_TYPE: u64 = 0x0e;
const STATUS: u64 = 0x06;
const CAPABILITIES: u64 = 0x34;
const VENDOR_SPECIFIC: u64 = 9;
const COMMON_REGISTERS: u64 = 1;
const RED_HAT: u64 = 0x1af4;
const MEMORY: u64 = 2;
/// Where a BAR stands while its function is asked: the start of PCI memory.
const WINDOW: u64 = 0x1000_0000;
/// `device_feature_select` and `device_feature`.
const FEATURE_SELECT: u64 = 0;
const FEATURE: u64 = 4;
/// Feature 33, in the second word.
const ACCESS_PLATFORM: u64 = 2;

/// The bus is not one that the monitor can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A function that is there does not answer.
    Silent,
    /// A bridge: what is behind it has no stream in the SMMU's table.
    Bridge(u32),
    /// More functions would go round the SMMU than the fence can hold.
    TooMany,
}

impl From<Abort> for Error {
    fn from(Abort: Abort) -> Self {
        Self::Silent
    }
}

/// Finds the functions of bus 0 that would go round the SMMU; `config` is its configuration space.
///
/// # Errors
///
/// [`Error`], if there may be more of them than can be watched.
pub fn scan<M: Machine>(machine: &M, config: u64) -> Result<heapless::Vec<Unsafe, MOST>, Error> {
    let mut list = heapless::Vec::new();
    for stream in 0..FUNCTIONS {
        let function = Function::new(machine, config, stream);
        let (vendor, device) = function.identity();
        if vendor == 0xffff {
            continue;
        }
        if function.read(HEADER_TYPE, Width::Byte) & 0x7f != 0 {
            return Err(Error::Bridge(stream));
        }
        let virtio = vendor == RED_HAT && (0x1000..0x1080).contains(&device);
        if virtio {
            let common = common(&function);
            if !offers_access_platform(machine, &function, common)? {
                let found = Unsafe {
                    stream,
                    common,
                    sizes: sizes(&function)?,
                };
                list.push(found).map_err(|_| Error::TooMany)?;
            }
        }
    }
    Ok(list)
}

/// Where a function keeps its common registers: walks the capabilities, of which there are at most 48.
pub fn common<M: Machine>(function: &Function<'_, M>) -> Option<Common> {
    const LIST: u64 = 0x10;
    if function.read(STATUS, Width::Half) & LIST == 0 {
        return None;
    }
    let mut at = function.read(CAPABILITIES, Width::Byte) & !3;
    for _ in 0..48 {
        if !(0x40..0x100).contains(&at) {
            return None;
        }
        let byte = |offset| function.read(at + offset, Width::Byte);
        if byte(0) == VENDOR_SPECIFIC && byte(3) == COMMON_REGISTERS {
            let bar = usize::try_from(byte(4)).ok()?;
            return Some(Common {
                bar,
                offset: function.read(at + 8, Width::Word),
            });
        }
        at = byte(1) & !3;
    }
    None
}

/// Asks the function itself. Its BAR stands in [`WINDOW`] meanwhile.
fn offers_access_platform<M: Machine>(
    machine: &M,
    function: &Function<'_, M>,
    common: Option<Common>,
) -> Result<bool, Abort> {
    let Some(common) = common else {
        return Ok(false);
    };
    if function.bar(common.bar).is_none_or(|bar| bar.ports) {
        return Ok(false);
    }
    function.set_bar(common.bar, WINDOW)?;
    function.command(MEMORY)?;
    let register = |offset| WINDOW + common.offset + offset;
    machine.store(register(FEATURE_SELECT), Width::Word, 1)?;
    let features = machine.load(register(FEATURE), Width::Word)?;
    machine.store(register(FEATURE_SELECT), Width::Word, 0)?;
    function.command(0)?;
    function.set_bar(common.bar, 0)?;
    Ok(features & ACCESS_PLATFORM != 0)
}

fn sizes<M: Machine>(function: &Function<'_, M>) -> Result<[u64; BAR_COUNT], Abort> {
    let mut sizes = [0; BAR_COUNT];
    let mut number = 0;
    while let Some(size) = sizes.get_mut(number) {
        *size = function.bar_size(number)?;
        let wide = function.bar(number).is_some_and(|bar| bar.wide);
        number += if wide { 2 } else { 1 };
    }
    Ok(sizes)
}
