//! The interrupt of the guest's timer, at the wrong time: the host carries it. The counter tells the truth.

use hostile::{Part, Place, Point};

use super::Monitor;
use crate::attack;
use crate::machine::Machine;

/// How long it does not come, at most, in milliseconds. The monitor's own timer wakes the guest meanwhile, as a
/// host does that runs something else now and then.
const LONGEST: u64 = 8000;
/// How often it comes again and again.
const ALARMS: u32 = 1000;

impl<M: Machine> Monitor<M> {
    /// Raises the interrupt of the timer, or keeps it away.
    pub(super) fn mistime(&mut self) {
        let liar = &mut self.attack.liar;
        let [early, storm, withhold] = [Point::Early, Point::Storm, Point::Withhold]
            .map(|point| liar.misbehave(Place::of(Part::Timer, point)));
        if storm.is_some() {
            self.attack.alarms = ALARMS;
        }
        let again = self.attack.alarms.checked_sub(1);
        self.attack.alarms = again.unwrap_or(0);
        if early.is_some() || again.is_some() {
            attack::raise(&self.machine, attack::TIMER);
        }
        let (now, second) = self.machine.time();
        match (self.attack.withheld, withhold) {
            (None, Some(value)) => {
                let wait = second.saturating_mul(value % LONGEST) / 1000;
                self.attack.withheld = Some((now + wait, attack::has_timer(&self.machine)));
                attack::let_timer(&self.machine, false);
            }
            (Some((until, wanted)), _) if until <= now => {
                self.attack.withheld = None;
                if wanted {
                    attack::let_timer(&self.machine, true);
                }
            }
            _ => {}
        }
    }
}
