//! Rounds: the guest is started, attacked, judged, and started anew.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use hostile::judge::{Excuses, Outcome};
use hostile::liar::Tally;
use hostile::script::{self, Script};
use hostile::sweep::Survey;
use hostile::{Liar, Lie, Place, Point};

use super::world::shared_view;
use super::{Monitor, Next};
use crate::attack::{self, Attack, Sites};
use crate::gic::Tables;
use crate::granules::{Ripas, granules};
use crate::layout::{GRANULE_BYTES, GUEST_ENTRY, GUEST_RAM};
use crate::machine::Machine;
use crate::oracle::{Leak, Secrets};
use crate::report::Escaped;

use crate::stage2::Side;
use crate::violation::{Violation, Violations};

/// Seconds that the guest has to switch itself off after its verdict.
const FAREWELL: u64 = 3;
/// How often the time between ticks is doubled while the guest sleeps.
const LONGEST_SLEEP: u32 = 9;

/// What is known from round to round.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    active: bool,
    script: Script,
    /// What the honest round of a sweep said.
    survey: Option<Survey>,
    number: u32,
    most: u32,
    /// Memory that is as it was when a round starts.
    kept: Range<u64>,
    /// When the round began, and when its verdict was there.
    began: u64,
    done: Option<u64>,
    /// Instructions of the guest in this round, and what the counter said last.
    instructions: (u64, u32),
    traps: u64,
    sites: Sites,
    table: BTreeMap<Place, Row>,
    /// Shared pages, and how many had moved when this was written down.
    pub(super) pages: Vec<u64>,
    moved: (u64, u64),
    /// What is looked for in them.
    secrets: Secrets,
    /// The page that is looked at next.
    looked: usize,
    /// Where the last tick found the guest, and how often in a row.
    asleep: (u64, u32),
}

/// What was said at a place, and how rounds ended in which that was a lie.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    said: u64,
    lies: u64,
    outcomes: [u64; Outcome::ALL.len()],
}

impl Rounds {
    /// Whether anybody is judged.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Whether the console is shown: not when rounds follow one another.
    pub(super) fn shows(&self) -> bool {
        self.most <= 1
    }

    /// Notes that the guest was at `pc`.
    pub(super) fn note(&mut self, pc: u64) {
        if self.active
            && let Some(offset) = pc.checked_sub(GUEST_ENTRY)
        {
            self.sites.note(offset);
        }
    }

    /// Notes a trap.
    pub(super) fn note_trap(&mut self) {
        self.traps = self.traps.saturating_add(1);
    }

    fn current(&self) -> Script {
        match &self.script {
            Script::Random(seed) => Script::Random(seed.plus(self.number)),
            // The first round is honest, and says where one can lie.
            Script::Sweep(first) => match self.number.checked_sub(1) {
                None => Script::Lies(Vec::new()),
                Some(behind) => Script::Sweep(first.wrapping_add(behind.into())),
            },
            other => other.clone(),
        }
    }

    /// Who speaks in this round, and tells `most` lies at most.
    fn liar(&self, most: u32) -> Liar {
        let script = self.current();
        match (&script, &self.survey) {
            (&Script::Sweep(number), Some(survey)) => {
                Liar::new(script, most).with_aim(survey, number)
            }
            _ => Liar::new(script, most),
        }
    }

    /// Keeps where an honest round speaks, before the first lie of a sweep. Of the attacker's processor, only what it
    /// does is swept: time is the clock's there, and rounds are long.
    fn note_survey(&mut self, said: impl Iterator<Item = (Place, Tally)>, race: bool) {
        if self.survey.is_none() {
            let survey = Survey::new(said.map(|(place, tally)| (place, tally.said)));
            self.survey = Some(if race {
                survey.only(Point::Race)
            } else {
                survey
            });
        }
    }

    fn count(&mut self, tally: impl Iterator<Item = (Place, Tally)>, outcome: Outcome) {
        for (place, tally) in tally {
            let row = self.table.entry(place).or_default();
            row.said += u64::from(tally.said);
            row.lies += u64::from(tally.lies);
            if tally.lies != 0
                && let Some(count) = row.outcomes.get_mut(outcome as usize)
            {
                *count += 1;
            }
        }
    }
}

impl<M: Machine> Monitor<M> {
    /// Prepares the rounds, of which each starts with memory `kept` as it is now.
    pub(super) fn begin_rounds(&mut self, script: Script, kept: Range<u64>) {
        self.rounds = Rounds {
            active: script != Script::Honest || self.options.models != Default::default(),
            script,
            most: self.options.attack.rounds,
            kept: kept.clone(),
            ..Rounds::default()
        };
        if self.rounds.most > 1 {
            self.machine.save(kept);
        }
        if self.options.attack.race {
            self.machine.start_race();
        }
        self.begin_round();
    }

    fn begin_round(&mut self) {
        let liar = self.rounds.liar(self.options.attack.lies);
        let liar = liar.with_honest_data(self.options.attack.honest_data);
        self.attack =
            Attack::new(self.options.models, liar).with_lean_devices(self.options.attack.lean);
        self.violations = Violations::new();
        self.rounds.began = self.machine.time().0;
        self.rounds.done = None;
        self.rounds.instructions = (0, self.machine.instructions());
        self.rounds.traps = 0;
        self.rounds.moved = (u64::MAX, u64::MAX);
        self.spoil_tree();
        if self.options.attack.tick != 0 {
            attack::take_tick(&self.machine);
            self.plan_tick();
        }
    }

    /// The timer of the monitor has gone off; the guest was at `pc`.
    pub fn tick(&mut self, pc: u64) -> Next {
        self.rounds.note(pc);
        self.rounds.asleep = match self.rounds.asleep {
            (before, count) if before == pc => (pc, count.saturating_add(1)),
            _ => (pc, 0),
        };
        if self.is_beyond_budget() {
            return self.end_round(Some(Outcome::Hang));
        }
        let (now, second) = self.machine.time();
        if self.attack.judge.is_done() || self.rounds.done.is_some() {
            let done = *self.rounds.done.get_or_insert(now);
            if now.saturating_sub(done) > FAREWELL * second {
                return self.end_round(None);
            }
        }
        self.scribble();
        self.disturb();
        self.storm();
        self.plan_tick();
        Next::Resume
    }

    /// Whether the guest has taken more than a round may take: time, instructions, or traps. A loop of the guest
    /// takes instructions, one that asks a device takes traps, and one that sleeps takes time.
    pub(super) fn is_beyond_budget(&mut self) -> bool {
        if !self.rounds.active {
            return false;
        }
        let count = self.machine.instructions();
        let (sum, before) = self.rounds.instructions;
        let sum = sum.saturating_add(count.wrapping_sub(before).into());
        self.rounds.instructions = (sum, count);
        let (now, second) = self.machine.time();
        let options = &self.options.attack;
        now.saturating_sub(self.rounds.began) > second.saturating_mul(options.budget.into())
            || sum > u64::from(options.instructions).saturating_mul(1_000_000)
            || self.rounds.traps > u64::from(options.traps).saturating_mul(1000)
    }

    /// The guest wanted to be off, and was not let: it has nothing more to say.
    pub(super) fn note_off(&mut self) {
        self.rounds.done.get_or_insert(self.machine.time().0);
    }

    /// The next look at the guest comes after half to one and a half times what was asked for, so
    /// that it falls on any instruction. A guest that sleeps is left alone for longer and longer.
    fn plan_tick(&mut self) {
        let (now, second) = self.machine.time();
        let mean = second.saturating_mul(self.options.attack.tick.into()) / 1_000_000;
        let mean = mean << self.rounds.asleep.1.min(LONGEST_SLEEP);
        let jitter = hostile::random::mix(now) % mean.max(1);
        self.machine.set_tick(now + mean / 2 + jitter + 1);
    }

    /// Judges the round, and starts the next one if there is to be one.
    pub(super) fn end_round(&mut self, ended: Option<Outcome>) -> Next {
        if !self.rounds.active {
            return Next::SystemOff;
        }
        self.machine.end_race();
        self.look_at_window();
        let outcome = self.outcome(ended);
        self.end_line();
        self.print_round(outcome);
        self.rounds.count(self.attack.liar.tally(), outcome);
        let race = self.options.attack.race;
        self.rounds.note_survey(self.attack.liar.tally(), race);
        self.rounds.number += 1;
        if self.rounds.number < self.rounds.most {
            self.restart();
            return Next::Restart;
        }
        for (place, row) in &self.rounds.table {
            self.machine
                .print(format_args!("attack: {}", TableRow(*place, row)));
        }
        Next::SystemOff
    }

    fn outcome(&self, ended: Option<Outcome>) -> Outcome {
        // Only the host knows where devices are; one that says so and does not answer stops the guest.
        let mut broken = self.violations.iter();
        let aborted = self.violations.total() != 0
            && self.attack.lied_where()
            && broken.all(|(one, _)| matches!(one, Violation::NoDevice { .. }));
        let rmm_lied = self.attack.rmm_lied();
        let said = self.attack.judge.outcome(Excuses {
            fault: rmm_lied || aborted,
            silence: rmm_lied || self.attack.tree_lied(),
        });
        if self.attack.leaked.is_some() {
            return Outcome::Leak;
        }
        if said == Outcome::Corruption {
            return said;
        }
        if let Some(ended) = ended {
            return ended;
        }
        if self.violations.total() != 0 && !aborted && !rmm_lied {
            return Outcome::Violation;
        }
        said
    }

    fn print_round(&mut self, outcome: Outcome) {
        let script = self.rounds.current();
        let fresh = self.rounds.sites.take_fresh();
        let (now, second) = self.machine.time();
        let round = Round {
            script: &script,
            outcome,
            events: self.attack.liar.told(),
            instructions: self.rounds.instructions.0,
            traps: self.rounds.traps,
            millis: now.saturating_sub(self.rounds.began).saturating_mul(1000) / second.max(1),
            last: &self.attack.last,
            sites: &fresh,
            lies: if outcome.is_bad() || self.rounds.shows() {
                self.attack.liar.lies()
            } else {
                &[]
            },
            violations: &self.violations,
        };
        self.machine.print(format_args!("attack: {round}"));
    }

    /// Everything as it was before the guest ran.
    fn restart(&mut self) {
        let all = GUEST_RAM..self.memory.top();
        for at in granules(&all) {
            if self.realm.granules.state(at) == Ripas::Ram {
                continue;
            }
            self.realm.granules.set(at, Ripas::Ram);
            if let Some(granule) = self.memory.granule(at) {
                self.stage2.unmap(Side::Shared, granule);
                self.smmu.unmap(shared_view(&self.pools, at), granule);
            }
            self.place(at);
        }
        self.machine.flush();
        // What the SMMU does not forget shows as violations of the next round.
        let _ = self.smmu.forget(&self.machine);
        self.machine.restore(self.rounds.kept.clone());
        self.realm.restart();
        self.tables = Tables::new();
        attack::reset(&self.machine);
        self.begin_round();
    }

    /// Looks for private bytes in every shared page.
    fn look_at_window(&mut self) {
        self.list_pages();
        for page in 0..self.rounds.pages.len() {
            self.look_at(page);
        }
    }

    /// Looks for private bytes in the next shared page.
    pub(super) fn look_around(&mut self) {
        self.list_pages();
        self.rounds.looked = (self.rounds.looked + 1)
            .checked_rem(self.rounds.pages.len())
            .unwrap_or(0);
        self.look_at(self.rounds.looked);
    }

    fn look_at(&mut self, page: usize) {
        let Some(&address) = self.rounds.pages.get(page) else {
            return;
        };
        let mut bytes = [0; GRANULE_BYTES];
        self.machine.read(address, &mut bytes);
        if let Some((at, secret)) = self.rounds.secrets.find(&bytes) {
            self.attack.leaked.get_or_insert(address);
            self.violation(Violation::Leak(Leak::of_secret(
                address + at as u64,
                secret,
            )));
        }
    }

    /// Writes down which pages are shared, if that changed.
    pub(super) fn list_pages(&mut self) {
        let moved = self.counters.granules_moved;
        if self.rounds.moved == moved || !self.options.enforce {
            return;
        }
        self.rounds.moved = moved;
        let all = GUEST_RAM..self.memory.top();
        let granules = granules(&all);
        let shared = granules.filter(|&at| self.realm.granules.state(at) == Ripas::Empty);
        self.rounds.pages = shared.collect();
    }
}

/// One round, as a JSON object.
struct Round<'a> {
    script: &'a Script,
    outcome: Outcome,
    events: u32,
    millis: u64,
    instructions: u64,
    traps: u64,
    last: &'a str,
    sites: &'a [u32],
    lies: &'a [Lie],
    violations: &'a Violations,
}

impl fmt::Display for Round<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let script = match self.script {
            // Its lies are told below.
            Script::Lies(_) => &Script::Honest,
            other => other,
        };
        write!(
            f,
            "{{\"round\":\"{script}\",\"outcome\":\"{}\",\"events\":{},\"millis\":{},\"instructions\":{},\"traps\":{},\"why\":\"",
            self.outcome, self.events, self.millis, self.instructions, self.traps
        )?;
        write!(Escaped(f), "{}", self.last)?;
        f.write_str("\",\"sites\":[")?;
        for (n, site) in self.sites.iter().enumerate() {
            write!(f, "{}{site}", if n == 0 { "" } else { "," })?;
        }
        f.write_str("],\"lies\":\"")?;
        script::list(f, self.lies)?;
        f.write_str("\",\"violations\":[")?;
        for (n, (violation, _)) in self.violations.iter().enumerate() {
            f.write_str(if n == 0 { "\"" } else { ",\"" })?;
            write!(Escaped(f), "{violation}")?;
            f.write_char('"')?;
        }
        f.write_str("]}")
    }
}

/// A row of the table, as a JSON object.
struct TableRow<'a>(Place, &'a Row);

impl fmt::Display for TableRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(place, row) = self;
        let Row { said, lies, .. } = row;
        write!(f, "{{\"place\":\"{place}\",\"said\":{said},\"lies\":{lies}")?;
        for (outcome, count) in Outcome::ALL.iter().zip(row.outcomes) {
            write!(f, ",\"{outcome}\":{count}")?;
        }
        f.write_str("}")
    }
}
