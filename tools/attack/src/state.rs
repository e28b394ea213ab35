//! What a campaign knows, and keeps between runs.

use crate::Options;
use crate::session::{Machine, Session, Swept, World};
use airlock_cli::attack::Round;
use anyhow::{Context, Result};
use hostile::Seed;
use hostile::random::mix;
use hostile::script::Script;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Outcomes that must not be, of which so many are kept word for word.
const KEPT: usize = 100;
/// Machines of a row: one of each kind of world.
const WORLDS: u64 = 8;
/// Points of the curves of a report.
const CURVE: usize = 2000;

/// A place in one world.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cell {
    pub said: u64,
    pub lies: u64,
    /// Rounds in which there was a lie here, by outcome.
    pub outcomes: BTreeMap<String, u64>,
}

/// An outcome that must not be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bad {
    pub world: String,
    pub seed: String,
    pub outcome: String,
    pub events: u64,
    pub why: String,
    /// The lies that do it, as few as were found.
    pub lies: String,
}

/// A moment of the campaign.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Moment {
    pub events: u64,
    pub rounds: u64,
    pub sites: u64,
    pub endings: u64,
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Sweep {
    /// Machines that were begun.
    pub machines: u64,
    /// Their rounds.
    pub rounds: u64,
}

/// What a campaign knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub next_seed: u64,
    #[serde(default)]
    pub sweep: Sweep,
    pub sessions: u64,
    pub rounds: u64,
    pub events: u64,
    /// Seconds that machines ran, added up.
    pub machine_seconds: u64,
    /// Rounds by world and outcome.
    pub outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    /// Lies by world.
    pub lies: BTreeMap<String, u64>,
    /// Places by world.
    pub places: BTreeMap<String, BTreeMap<String, Cell>>,
    /// Lines of the guest's code that were reached.
    pub sites: BTreeSet<u32>,
    /// Last words of the guest, without numbers.
    pub endings: BTreeMap<String, u64>,
    /// Seeds that reached a line of code, or an ending, that none before had.
    pub corpus: Vec<String>,
    /// How many of them were bred of others, and rounds of such seeds.
    #[serde(default)]
    pub bred: (u64, u64),
    /// The most instructions and the most traps of a round that ended well.
    #[serde(default)]
    pub most: (u64, u64),
    pub bad: Vec<Bad>,
    pub curve: Vec<Moment>,
    /// The commit of the images that were attacked last, and the day.
    pub commit: String,
    pub date: String,
}

impl State {
    /// Reads the state at `path`; an empty one if there is none.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.is_file() {
            return Ok(Self::default());
        }
        let text =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is not the state of a campaign; --fresh begins anew",
                path.display()
            )
        })
    }

    /// Writes the state, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let part = path.with_extension("part");
        std::fs::write(&part, serde_json::to_vec(self)?)
            .and_then(|()| std::fs::rename(&part, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Adds what came of a machine whose rows are called `name`; gives the rounds that must not be.
    pub fn add(&mut self, name: &str, session: &Session, seconds: u64) -> Vec<Round> {
        self.sessions += 1;
        self.machine_seconds += seconds;
        for round in &session.rounds {
            self.add_round(name, round);
        }
        let places = self.places.entry(name.to_owned()).or_default();
        for row in &session.rows {
            let cell = places.entry(row.place.clone()).or_default();
            cell.said += row.said;
            cell.lies += row.lies;
            for (outcome, count) in &row.outcomes {
                *cell.outcomes.entry(outcome.clone()).or_default() += count;
            }
        }
        self.note_moment();
        let bad = session.rounds.iter().filter(|round| round.is_bad());
        bad.cloned().collect()
    }

    fn add_round(&mut self, world: &str, round: &Round) {
        self.rounds += 1;
        self.events += round.events;
        *self.lies.entry(world.to_owned()).or_default() += round.events;
        let outcomes = self.outcomes.entry(world.to_owned()).or_default();
        *outcomes.entry(round.outcome.clone()).or_default() += 1;
        let seed = round.seed();
        let is_bred = u64::from(seed.as_ref().is_some_and(|seed| seed.generation() != 0));
        self.bred.1 += is_bred;
        if !round.is_bad() {
            let (instructions, traps) = self.most;
            self.most = (instructions.max(round.instructions), traps.max(round.traps));
        }
        let before = (self.sites.len(), self.endings.len());
        self.sites.extend(&round.sites);
        *self.endings.entry(without_numbers(&round.why)).or_default() += 1;
        if before != (self.sites.len(), self.endings.len()) {
            self.corpus.extend(seed.map(|seed| seed.to_string()));
            self.bred.0 += is_bred;
        }
    }

    /// What the next machine does; `None` if all that `options` ask for is done. The sweep keeps pace with the random
    /// lies, and begins.
    pub fn next(&mut self, options: &Options) -> Option<Machine> {
        let (events, rounds) = (options.events, options.swept());
        let random = self.events < events;
        let sweep = self.sweep.rounds < rounds;
        let is_behind = u128::from(self.sweep.rounds) * u128::from(events)
            <= u128::from(self.events) * u128::from(rounds);
        match (sweep, random) {
            (true, _) if is_behind || !random => Some(self.next_swept()),
            (_, true) => Some(self.next_random(options.rounds)),
            _ => None,
        }
    }

    fn next_swept(&mut self) -> Machine {
        let swept = Swept::of(self.sweep.machines);
        self.sweep.machines += 1;
        self.sweep.rounds += u64::from(swept.rounds);
        Machine {
            world: swept.world,
            script: Script::Sweep(swept.first),
            rounds: swept.rounds,
            swept: true,
        }
    }

    fn next_random(&mut self, rounds: u32) -> Machine {
        let (turn, seed) = self.next_seed(rounds);
        let world = World::of(turn);
        Machine {
            world,
            script: Script::Random(seed),
            rounds: world.rounds(rounds),
            swept: false,
        }
    }

    /// What the next machine begins with: a new seed, or, for every other row of machines of all worlds, a child of
    /// one that reached something new. `rounds` numbers are its own.
    fn next_seed(&mut self, rounds: u32) -> (u64, Seed) {
        let number = self.next_seed;
        self.next_seed += u64::from(rounds);
        let turn = number / u64::from(rounds.max(1));
        let parents = self.corpus.len() as u64;
        let chosen = mix(number)
            .checked_rem(parents)
            .filter(|_| turn / WORLDS % 2 == 1);
        let parent = chosen.and_then(|at| self.corpus.get(usize::try_from(at).ok()?));
        let parent = parent.and_then(|text| text.parse::<Seed>().ok());
        let salt = u32::try_from(number % u64::from(u32::MAX)).unwrap_or(0);
        let child = parent.and_then(|parent| parent.child(salt));
        (turn, child.unwrap_or_else(|| Seed::from(number)))
    }

    fn note_moment(&mut self) {
        if self.curve.len() < CURVE {
            self.curve.push(Moment {
                events: self.events,
                rounds: self.rounds,
                sites: self.sites.len() as u64,
                endings: self.endings.len() as u64,
            });
        }
    }

    /// Keeps an outcome that must not be.
    pub fn keep(&mut self, bad: Bad) {
        if self.bad.len() < KEPT {
            self.bad.push(bad);
        }
    }

    /// How many rounds ended so, in all worlds.
    pub fn count(&self, outcome: &str) -> u64 {
        let of = |world: &BTreeMap<String, u64>| world.get(outcome).copied().unwrap_or(0);
        self.outcomes.values().map(of).sum()
    }
}

/// `text`, with `N` for each number, so that two ends that differ in an address are one.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (body, end) = match word.char_indices().last() {
            Some((at, c)) if !c.is_ascii_alphanumeric() => word.split_at(at),
            _ => (word, ""),
        };
        let number = body.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(if number { "N" } else { body });
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(seed: u64, outcome: &str, why: &str, sites: &[u32]) -> Round {
        Round {
            round: format!("random:{seed}"),
            outcome: outcome.to_owned(),
            events: 10,
            why: why.to_owned(),
            sites: sites.to_vec(),
            ..Round::default()
        }
    }

    #[test]
    fn a_seed_is_kept_when_it_reached_something_new() {
        let mut state = State::default();
        let rounds = vec![
            round(1, "ok", "payload: ok", &[1, 2]),
            round(2, "ok", "payload: ok", &[2]),
            round(3, "error", "failed at 0x12", &[]),
            round(4, "error", "failed at 0x13", &[]),
            round(5, "hang", "failed at 0x13", &[3]),
        ];
        let session = Session {
            rounds,
            ..Session::default()
        };
        let bad = state.add("plain", &session, 7);
        assert_eq!(state.corpus, ["1", "3", "5"]);
        assert_eq!(
            (state.events, state.rounds, state.count("error")),
            (50, 5, 2)
        );
        assert_eq!(bad.len(), 1);
    }

    #[test]
    fn every_other_row_of_machines_begins_with_a_child_of_a_seed_that_reached_something() {
        let mut state = State {
            next_seed: 8 * 40,
            ..State::default()
        };
        assert_eq!(
            state.next_seed(40),
            (8, Seed::from(320)),
            "there is no parent yet"
        );
        state.corpus = vec![String::from("7"), String::from("9~2")];
        let (turn, child) = state.next_seed(40);
        assert_eq!(turn, 9);
        assert!(
            ["7~360", "9~2~360"].contains(&child.to_string().as_str()),
            "{child}"
        );
        state.next_seed = 16 * 40;
        assert_eq!(state.next_seed(40), (16, Seed::from(640)));
        let session = Session {
            rounds: vec![round(1, "ok", "payload: ok", &[])],
            ..Session::default()
        };
        state.add("plain", &session, 1);
        assert_eq!(state.bred, (0, 0));
        let mut of_a_child = round(1, "ok", "payload: other", &[8]);
        of_a_child.round = String::from("random:7~120");
        (of_a_child.instructions, of_a_child.traps) = (5000, 60);
        let rounds = vec![of_a_child];
        state.add("plain", &Session { rounds, ..session }, 1);
        assert_eq!((state.bred, state.most), ((1, 1), (5000, 60)));
    }

    #[test]
    fn a_sweep_begins_keeps_pace_and_has_all_its_rounds_in_every_world() {
        use clap::Parser;
        let options = Options::parse_from(["attack", "--events", "100000", "--sweep", "3000"]);
        assert_eq!(
            Options {
                sweep: None,
                ..options.clone()
            }
            .swept(),
            2000
        );
        let (mut state, mut swept) = (State::default(), BTreeMap::new());
        let (mut machines, mut rounds) = (0, 0);
        while let Some(machine) = state.next(&options) {
            if let Script::Sweep(first) = machine.script {
                assert!(
                    swept.insert(first, machine.world).is_none(),
                    "{first} comes twice"
                );
                rounds += u64::from(machine.rounds);
            } else {
                assert_ne!(machines, 0, "the sweep begins");
            }
            state.events += if machine.rounds < 10 { 100 } else { 1000 };
            machines += 1;
            let behind = state.events as i64 - rounds.min(3000) as i64 * 33;
            assert!(behind.abs() < 10_000, "{behind}");
        }
        assert!(rounds >= 3000 && state.events >= 100_000);
        for world in 0..6 {
            assert!(swept.values().any(|one| *one == World::swept(world)));
        }
        let mut state = State {
            events: 100_000,
            ..State::default()
        };
        assert!(matches!(
            state.next(&options),
            Some(Machine {
                script: Script::Sweep(0),
                ..
            })
        ));
        state.sweep.rounds = 3000;
        assert_eq!(state.next(&options), None);
    }

    #[test]
    fn a_state_that_was_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut state = State::read(&path).unwrap();
        state.next_seed = 7;
        state.write(&path).unwrap();
        assert_eq!(State::read(&path).unwrap().next_seed, 7);
        std::fs::write(&path, "{").unwrap();
        assert!(format!("{:#}", State::read(&path).unwrap_err()).contains("--fresh"));
    }

    #[test]
    fn ends_that_differ_in_numbers_are_one() {
        assert_eq!(
            without_numbers("BAR 1 has size 0xfff0 (3 in all)"),
            "BAR N has size N (N in all)"
        );
    }
}
