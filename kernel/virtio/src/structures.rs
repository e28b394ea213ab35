//! Where the parts of the transport are: vendor capabilities, checked.

use alloc::rc::Rc;
use alloc::vec::Vec;

use pci::{BAR_COUNT, Capability, Function, Mapper, MsiX, Placement, Registers};
use untrusted::Untrusted;

use crate::{Error, Part};

/// Id of a vendor capability.
const VENDOR: u8 = 0x09;
/// Bytes of a vendor capability; the one for doorbells has four more.
const CAPABILITY_SIZE: u8 = 16;
const COMMON_SIZE: u32 = 56;
/// Who checks what a capability says.
const SOUND: &str = "is_sound, and the BAR when it is known";
const DOORBELL: &str = "Transport::doorbell checks the product";

/// A run of registers inside a mapped BAR. Accesses are checked against its length.
#[derive(Clone)]
pub(crate) struct Structure {
    registers: Rc<dyn Registers>,
    offset: u64,
    len: u64,
}

macro_rules! accesses {
    ($read:ident, $write:ident, $word:ty) => {
        /// Reads the word at `at`; all ones outside the structure.
        pub(crate) fn $read(&self, at: u64) -> Untrusted<$word> {
            match self.inside(at, size_of::<$word>() as u64) {
                Some(at) => self.registers.$read(at),
                None => Untrusted::from_host(<$word>::MAX),
            }
        }

        /// Writes the word at `at`; nothing outside the structure.
        pub(crate) fn $write(&self, at: u64, value: $word) {
            if let Some(at) = self.inside(at, size_of::<$word>() as u64) {
                self.registers.$write(at, value);
            }
        }
    };
}

impl Structure {
    accesses!(read8, write8, u8);
    accesses!(read16, write16, u16);
    accesses!(read32, write32, u32);

    /// Whether the `len` bytes at `at` are in the structure.
    pub(crate) fn holds(&self, at: u64, len: u64) -> bool {
        self.inside(at, len).is_some()
    }

    fn inside(&self, at: u64, len: u64) -> Option<u64> {
        let end = at.checked_add(len)?;
        (end <= self.len).then_some(self.offset.checked_add(at)?)
    }
}

/// The parts of one function.
pub(crate) struct Structures {
    pub(crate) common: Structure,
    pub(crate) notify: Structure,
    pub(crate) multiplier: u32,
    pub(crate) isr: Structure,
    pub(crate) device: Option<Structure>,
    pub(crate) msi_x: Option<MsiX>,
    /// Where the BARs are, and, in them, what is read and written: address and length.
    pub(crate) bars: pci::Bars,
    pub(crate) runs: Vec<(u64, u64)>,
}

/// A vendor capability that makes sense so far: its BAR is not known yet.
#[derive(Clone, Copy)]
struct Location {
    part: Part,
    bar: u8,
    offset: u32,
    len: u32,
    multiplier: u32,
}

impl Location {
    /// First byte of the BAR behind the structure.
    fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.len)
    }
}

impl Structures {
    /// Finds the parts, enables the function, and maps what the parts lie in.
    pub(crate) fn open<R: Registers + Clone + 'static, M: Mapper>(
        function: &Function<'_, R>,
        placement: &mut Placement,
        mapper: &M,
    ) -> Result<Self, Error>
    where
        M::Registers: 'static,
    {
        let capabilities = function.capabilities()?;
        function.disable_msi_x(&capabilities);
        let found = locate(function, &capabilities)?;
        let common = first(&found, Part::Common)?;
        let notify = first(&found, Part::Notify)?;
        let isr = first(&found, Part::Isr)?;
        let device = first(&found, Part::Device).ok();

        let used = [Some(common), Some(notify), Some(isr), device];
        let mut needs = [0; BAR_COUNT];
        for location in used.iter().flatten() {
            if let Some(need) = needs.get_mut(usize::from(location.bar)) {
                *need = location.end().max(*need);
            }
        }
        let table = function.msi_x_table(&capabilities);
        if let Some(table) = &table
            && let Some(need) = needs.get_mut(usize::from(table.bar))
        {
            *need = table.end().max(*need);
        }
        let enabled = function.enable(&needs, placement)?;
        let bars = Bars::map(&enabled, &needs, mapper)?;
        let run = |location: &Location| {
            let bar = enabled.address(location.bar)?;
            Some((bar + u64::from(location.offset), u64::from(location.len)))
        };
        Ok(Self {
            runs: used.iter().flatten().filter_map(run).collect(),
            bars: enabled,
            common: bars.structure(common)?,
            notify: bars.structure(notify)?,
            multiplier: notify.multiplier,
            isr: bars.structure(isr)?,
            device: device.map(|d| bars.structure(d)).transpose()?,
            msi_x: table.and_then(|table| function.msi_x(table, bars.get(table.bar)?)),
        })
    }
}

/// Mapped BARs.
struct Bars([Option<Rc<dyn Registers>>; BAR_COUNT]);

impl Bars {
    fn map<M: Mapper>(
        enabled: &pci::Bars,
        needs: &[u64; BAR_COUNT],
        mapper: &M,
    ) -> Result<Self, Error>
    where
        M::Registers: 'static,
    {
        let mut mapped = Self([const { None }; BAR_COUNT]);
        for (index, (need, slot)) in (0_u8..).zip(needs.iter().zip(mapped.0.iter_mut())) {
            if let Some(address) = enabled.address(index) {
                let registers = mapper.map(address, *need).map_err(pci::Error::from)?;
                *slot = Some(Rc::new(registers));
            }
        }
        Ok(mapped)
    }

    fn get(&self, bar: u8) -> Option<Rc<dyn Registers>> {
        self.0.get(usize::from(bar)).cloned().flatten()
    }

    fn structure(&self, location: Location) -> Result<Structure, Error> {
        let registers = self
            .get(location.bar)
            .ok_or(Error::MissingPart(location.part))?;
        if registers.len() < location.end() {
            return Err(Error::MissingPart(location.part));
        }
        Ok(Structure {
            registers,
            offset: location.offset.into(),
            len: location.len.into(),
        })
    }
}

/// The first usable structure for `part`: a device may offer several, the preferred one first.
fn first(found: &[Location], part: Part) -> Result<Location, Error> {
    let mut of_part = found.iter().filter(|l| l.part == part);
    of_part.next().copied().ok_or(Error::MissingPart(part))
}

/// Lists the vendor capabilities that make sense.
///
/// Ref: virtio 1.2, 4.1.4 "Virtio Structure PCI Capabilities".
fn locate<R: Registers>(
    function: &Function<'_, R>,
    capabilities: &[Capability],
) -> Result<Vec<Location>, Error> {
    let mut vendor = capabilities.iter().filter(|c| c.id == VENDOR).peekable();
    if vendor.peek().is_none() {
        return Err(Error::LegacyOnly);
    }
    Ok(vendor.filter_map(|c| read_location(function, *c)).collect())
}

fn read_location<R: Registers>(
    function: &Function<'_, R>,
    Capability { at, head, .. }: Capability,
) -> Option<Location> {
    let [_, _, cap_len, cfg_type] = head;
    let (part, wanted) = match cfg_type {
        1 => (Part::Common, CAPABILITY_SIZE),
        2 => (Part::Notify, CAPABILITY_SIZE + 4),
        3 => (Part::Isr, CAPABILITY_SIZE),
        4 => (Part::Device, CAPABILITY_SIZE),
        _ => return None,
    };
    if cap_len < wanted || at.checked_add(wanted - 1).is_none() {
        return None;
    }
    let at = u16::from(at);
    let location = Location {
        part,
        bar: function.read8(at + 4).any_value(SOUND),
        offset: function.read32(at + 8).any_value(SOUND),
        len: function.read32(at + 12).any_value(SOUND),
        multiplier: match part {
            Part::Notify => function.read32(at + 16).any_value(DOORBELL),
            _ => 0,
        },
    };
    is_sound(&location).then_some(location)
}

/// Checks what can be checked before the BAR is known.
fn is_sound(location: &Location) -> bool {
    let (align, least) = match location.part {
        Part::Common => (4, COMMON_SIZE),
        Part::Notify => (2, 2),
        Part::Isr => (1, 1),
        Part::Device => (4, 1),
    };
    usize::from(location.bar) < BAR_COUNT
        && location.len >= least
        && location.offset.is_multiple_of(align)
        && location.offset.checked_add(location.len).is_some()
}
