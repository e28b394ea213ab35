//! Devices that the monitor is itself, what they say, and what comes of it.
//!
//! Without the option `models` there are none, and QEMU's devices are the guest's.

mod reach;
mod scribble;
mod sites;
mod wires;

use alloc::string::String;

use hostile::bus::{Bus, Count};
use hostile::judge::Judge;
use hostile::{Liar, Part, Place, Point};

pub use self::reach::Reach;
pub use self::scribble::{Change, Scribbler};
pub use self::sites::Sites;
pub use self::wires::{
    TIMER, filter, has_timer, interrupt, let_timer, lets_timer, raise, reset, take_tick,
};

/// More of a line of the guest is not kept.
const LONGEST: usize = 512;

/// Devices of our own, who speaks for them, and who judges.
#[derive(Clone, Debug, Default)]
pub struct Attack {
    /// The devices.
    pub bus: Bus,
    /// Who speaks.
    pub liar: Liar,
    /// Who judges.
    pub judge: Judge,
    /// Who changes shared pages.
    pub scribbler: Scribbler,
    /// A line that is raised again and again, and how often it still is.
    pub storm: (u64, u32),
    /// The same for a message: of which device, and which event.
    pub flood: ((u32, u32), u32),
    /// The same for the interrupt of the guest's timer.
    pub alarms: u32,
    /// When that may come again, and whether the guest wants it to, while it does not.
    pub withheld: Option<(u64, bool)>,
    /// The first address that the guest told a device and the device may not reach.
    pub refused: Option<u64>,
    /// Private bytes were seen in a shared page, at this address.
    pub leaked: Option<u64>,
    /// The line that the guest is printing.
    line: String,
    /// The last line that says how it ended.
    pub last: String,
}

impl Attack {
    /// `count` devices, for which `liar` speaks.
    #[must_use]
    pub fn new(count: Count, liar: Liar) -> Self {
        Self {
            bus: Bus::new(count),
            liar,
            ..Self::default()
        }
    }

    /// The same devices, without what they need not offer, if `lean`.
    #[must_use]
    pub fn with_lean_devices(mut self, lean: bool) -> Self {
        if lean {
            self.bus = core::mem::take(&mut self.bus).lean();
        }
        self
    }

    /// Whether the window itself was changed behind the guest's back, so that what a device is told
    /// need not be what the guest wrote.
    #[must_use]
    pub fn scribbled(&self) -> bool {
        self.liar.told_by(Part::Window) != 0
    }

    /// Whether the RMM or the firmware lied; they are trusted, so all that is asked for is an end. That a change of
    /// the state of memory comes nowhere is no lie of theirs: the host does that.
    #[must_use]
    pub fn rmm_lied(&self) -> bool {
        let mut tally = self.liar.tally();
        tally.any(|(place, tally)| {
            let trusted = matches!(place.part, Part::Rmm | Part::Psci);
            trusted && place.point != Point::Progress && tally.lies != 0
        })
    }

    /// Whether the host lied about where devices are: how many redistributors there are, or which places of the
    /// bus are taken, or in the device tree. What the guest touches then may not be there.
    #[must_use]
    pub fn lied_where(&self) -> bool {
        let mut tally = self.liar.tally();
        tally.any(|(place, tally)| tally.lies != 0 && is_where(place))
    }

    /// Whether the device tree is not what the machine is. A guest that has no console then has no last word.
    #[must_use]
    pub fn tree_lied(&self) -> bool {
        self.liar.told_by(Part::Tree) != 0
    }

    /// Takes a byte that the guest prints.
    pub fn print(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                let line = core::mem::take(&mut self.line);
                self.judge.line(&line);
                if line.starts_with("payload: ") {
                    self.last = line;
                }
            }
            b'\r' => {}
            _ if self.line.len() < LONGEST => self.line.push(char::from(byte)),
            _ => {}
        }
    }
}

/// Whether what is said at `place` tells where devices are.
fn is_where(place: Place) -> bool {
    let Place { part, point, .. } = place;
    let registers = matches!(
        point,
        Point::Distributor | Point::Redistributor | Point::Translation
    );
    matches!(part, Part::Bus | Part::Tree) || part == Part::Interrupts && registers
}
