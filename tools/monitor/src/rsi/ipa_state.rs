//! The state of granules, as the realm asks for it and changes it.

use super::{ERROR_INPUT, Hindrance, Realm, Reply, SUCCESS, World};
use crate::granules::{Ripas, granules};
use crate::layout::GRANULE;
use crate::options::{Progress, Reject};

const ACCEPT: u64 = 0;
const REJECT: u64 = 1;
const CHANGE_DESTROYED: u64 = 1;
const BLOCK: u64 = 2 << 20;

impl Realm<'_> {
    /// Ref: DEN0137 1.0, B5.3.6 and A5.4.
    pub(super) fn ipa_state_set(&mut self, x: &[u64; 10], world: &mut impl World) -> Reply {
        let [base, top, state, flags, ..] = *x;
        let wanted = match state {
            0 => Ripas::Empty,
            1 => Ripas::Ram,
            _ => return Reply::status(ERROR_INPUT),
        };
        if !self.is_range(base, top) || flags & !CHANGE_DESTROYED != 0 {
            return Reply::status(ERROR_INPUT);
        }
        self.changes = self.changes.saturating_add(1);
        if self.is_rejected() || self.has_no_memory(base, wanted) {
            return Reply::values([SUCCESS, base, REJECT, 0]);
        }
        let end = self.limit(base, top);
        let end = self.release_registers(base, end, wanted);
        let reached = self.change(base, end, wanted, flags & CHANGE_DESTROYED != 0, world);
        Reply::values([SUCCESS, reached, ACCEPT, 0])
    }

    /// Ref: DEN0137 1.0, B5.3.5.
    pub(super) fn ipa_state_get(&self, base: u64, top: u64) -> Reply {
        if !self.is_range(base, top) {
            return Reply::status(ERROR_INPUT);
        }
        // A real RMM may stop at any table boundary; so does this one when told to go slowly.
        let end = self.limit(base, top).max(base + GRANULE);
        let (out, state) = match self.device_run(base, end) {
            Ok(run) => run,
            Err(limit) => {
                let (out, state) = self.granules.run(base, limit);
                (out, state.code())
            }
        };
        Reply::values([SUCCESS, out, state, 0])
    }

    pub(super) fn is_range(&self, base: u64, top: u64) -> bool {
        let half = self.space.shared_bit();
        base.is_multiple_of(GRANULE) && top.is_multiple_of(GRANULE) && base < top && top <= half
    }

    fn is_rejected(&self) -> bool {
        if self.hindrance == Some(Hindrance::Refusal) {
            return true;
        }
        match self.options.reject {
            Reject::Never => false,
            Reject::Call(call) => call == self.changes,
            Reject::Always => true,
        }
    }

    /// The host has no memory to give where there is none in the machine.
    fn has_no_memory(&self, base: u64, wanted: Ripas) -> bool {
        wanted == Ripas::Ram && !self.granules.memory().contains(base)
    }

    fn limit(&self, base: u64, top: u64) -> u64 {
        let progress = match self.hindrance {
            Some(Hindrance::Slow(progress)) => progress,
            _ => self.options.progress,
        };
        match progress {
            Progress::Full => top,
            Progress::Block => ((base | (BLOCK - 1)) + 1).min(top),
            Progress::Page => (base + GRANULE).min(top),
            Progress::Zero => base,
        }
    }

    /// Changes `base..end` as far as it goes; returns where it stopped.
    fn change(
        &mut self,
        base: u64,
        end: u64,
        wanted: Ripas,
        destroyed_too: bool,
        world: &mut impl World,
    ) -> u64 {
        let mut at = base;
        while at < end {
            let (run_end, state) = self.granules.run(at, end);
            if wanted == Ripas::Ram && !self.granules.memory().contains(at) {
                break;
            }
            if state == Ripas::Destroyed && !destroyed_too {
                break;
            }
            // An EMPTY run may go on behind the last byte of memory.
            let run_end = if wanted == Ripas::Ram {
                run_end.min(self.granules.memory().top())
            } else {
                run_end
            };
            if state != wanted {
                self.move_run(at..run_end, state, wanted, world);
            }
            at = run_end;
        }
        at
    }

    fn move_run(
        &mut self,
        range: core::ops::Range<u64>,
        from: Ripas,
        to: Ripas,
        world: &mut impl World,
    ) {
        for at in granules(&range) {
            self.granules.set(at, to);
        }
        match (from, to) {
            (_, Ripas::Empty) => world.share(range),
            (_, _) => world.take_back(range),
        }
    }
}
