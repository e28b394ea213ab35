//! Measures everything, with progress: counts, boots, sizes, rounds against the clock, curves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use airlock_cli::qemu;
use anyhow::Result;
use tcg::counts::{Record, Register};
use tcg::plugin::Plugin;
use workload::phase::Phase;

use crate::effort::Effort;
use crate::figures::{Figures, amounts, as_float, figures};
use crate::guest::{Guest, Parts, Setting};
use crate::measured::{Boot, Curve, Measured, RECEIVE_CURVE, SEND_CURVE};
use crate::run::{Depth, Outcome, run};
use crate::{inside, window};

/// The jobs of a counting run.
const COUNTED: &str = "send,receive,rtt,read128k,read4k-1,read4k-4,read4k-32";
/// The jobs against the clock.
const TIMED: &str = "send,receive,rtt,read128k";
/// 32 connections at once.
const MANY: &str = "send-32,receive-32";
/// Rounds in which realms run, too.
const REALM_ROUNDS: usize = 5;
/// Memory of a guest, in bytes.
const MEMORY: u64 = 512 << 20;

/// Somebody who measures.
pub struct Session<'a> {
    /// What the guests are made of.
    pub parts: &'a Parts,
    /// What counts.
    pub plugin: &'a Plugin,
    /// How much is measured.
    pub effort: Effort,
    /// What came of it.
    pub measured: Measured,
    started: Instant,
}

impl<'a> Session<'a> {
    /// Nothing measured yet.
    #[must_use]
    pub fn new(parts: &'a Parts, plugin: &'a Plugin, effort: Effort, measured: Measured) -> Self {
        Self {
            parts,
            plugin,
            effort,
            measured,
            started: Instant::now(),
        }
    }

    /// Measures everything. What fails is noted, and does not keep the rest from being measured.
    ///
    /// # Errors
    /// The user interrupts.
    pub fn measure(&mut self) -> Result<()> {
        let guests: &[Guest] = if self.effort.quick {
            &[
                Guest::Airlock,
                Guest::AirlockRealm,
                Guest::Linux,
                Guest::LinuxBounced,
            ]
        } else {
            &crate::goals::GUESTS
        };
        for guest in guests {
            let done = self.count(*guest);
            self.note(*guest, "counts", done)?;
        }
        for guest in [Guest::Airlock, Guest::LinuxBounced] {
            let done = self.many(guest);
            self.note(guest, "32 connections", done)?;
        }
        self.least_memory(Guest::Airlock, &[16, 12, 8, 6, 5, 4, 3])?;
        self.least_memory(Guest::AirlockRealm, &[16, 12, 8, 6, 5, 4, 3])?;
        if !self.effort.quick {
            self.least_memory(
                Guest::LinuxBounced,
                &[256, 192, 128, 96, 80, 64, 56, 48, 40],
            )?;
        }
        self.rounds()?;
        self.packets()?;
        self.memories()?;
        self.depths();
        Ok(())
    }

    pub(crate) fn say(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs();
        eprintln!("bench: {:2}:{:02} {what}", seconds / 60, seconds % 60);
    }

    /// Keeps a failure for the report.
    pub(crate) fn note(&mut self, guest: Guest, what: &str, done: Result<()>) -> Result<()> {
        if let Err(error) = done {
            anyhow::ensure!(!qemu::interrupted(), "interrupted");
            let problem = format!("{}, {what}: {error:#}", guest.name());
            self.say(&problem);
            self.measured.problems.push(problem);
        }
        Ok(())
    }

    pub(crate) fn setting(workload: String) -> Setting {
        Setting {
            memory: MEMORY,
            mtu: 1500,
            workload,
            append: String::new(),
            card: String::new(),
            console: false,
            trace: None,
            window: None,
        }
    }

    pub(crate) fn run(&self, guest: Guest, setting: &Setting, depth: Depth) -> Result<Outcome> {
        // Linux boots slowly when each of its accesses to memory is looked at.
        let limit = Duration::from_secs(if guest.is_linux() { 300 } else { 120 });
        run(guest, self.parts, setting, self.plugin, depth, limit)
    }

    fn count(&mut self, guest: Guest) -> Result<()> {
        let mut setting = Self::setting(self.effort.counting(COUNTED));
        let limit = Duration::from_secs(120);
        self.say(&format!("{}: where its window is", guest.name()));
        let found = window::find(guest, self.parts, &setting, self.plugin, limit)?;
        let sizes = self.measured.sizes.entry(guest).or_default();
        sizes.shared = guest
            .is_bounced()
            .then(|| as_float(found.end - found.start) / 1_048_576.0);
        setting.window = Some(found);
        let command = crate::run::command(guest, self.parts, &setting);
        self.measured.commands.push((guest, command));
        for number in 0..self.effort.counts {
            let (depth, what) = match number {
                0 => (Depth::Memory, "counts each access"),
                _ => (Depth::Instructions, "counts instructions"),
            };
            self.say(&format!(
                "{}: {what} ({} of {})",
                guest.name(),
                number + 1,
                self.effort.counts
            ));
            let outcome = self.run(guest, &setting, depth)?;
            if let (0, Some(boot)) = (number, boot(&outcome.record)) {
                self.measured.boots.insert(guest, boot);
            }
            let figures = by_phase(&outcome.record, &setting)?;
            self.measured.counts.entry(guest).or_default().push(figures);
        }
        Ok(())
    }

    fn many(&mut self, guest: Guest) -> Result<()> {
        self.say(&format!("{}: 32 connections at once", guest.name()));
        let setting = Self::setting(self.effort.counting(MANY));
        let outcome = self.run(guest, &setting, Depth::Instructions)?;
        let figures = by_phase(&outcome.record, &setting)?;
        self.measured.counts.entry(guest).or_default().push(figures);
        Ok(())
    }

    /// The least of `sizes` (MiB, falling) with which a guest still does its work.
    fn least_memory(&mut self, guest: Guest, sizes: &[u64]) -> Result<()> {
        for mib in sizes {
            self.say(&format!("{}: does it run with {mib} MiB?", guest.name()));
            let setting = Setting {
                memory: mib << 20,
                ..Self::setting("bench.jobs=rtt,read4k-1 bench.count=8".to_owned())
            };
            let limit = Duration::from_secs(if guest.is_linux() { 60 } else { 20 });
            match run(guest, self.parts, &setting, self.plugin, Depth::Time, limit) {
                Ok(_) => {
                    let sizes = self.measured.sizes.entry(guest).or_default();
                    sizes.memory = Some(as_float(*mib));
                }
                Err(_) => {
                    anyhow::ensure!(!qemu::interrupted(), "interrupted");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Everybody in turn, and the other way round in every second round: what the host does meanwhile
    /// meets all of them alike.
    fn rounds(&mut self) -> Result<()> {
        let setting = Self::setting(self.effort.timing(TIMED));
        for number in 0..self.effort.pairs {
            let mut guests = vec![Guest::Airlock, Guest::LinuxBounced, Guest::Linux];
            if !self.effort.quick && number < REALM_ROUNDS {
                guests.extend([Guest::AirlockRealm, Guest::LinuxRealm]);
            }
            if number % 2 == 1 {
                guests.reverse();
            }
            self.say(&format!(
                "against the clock, round {} of {}",
                number + 1,
                self.effort.pairs
            ));
            let mut round = BTreeMap::new();
            for guest in guests {
                let done = self.run(guest, &setting, Depth::Time).and_then(|outcome| {
                    let figures = by_phase(&outcome.record, &setting)?;
                    let rates = figures.into_iter().map(|(phase, one)| (phase, one.rate));
                    round.insert(guest, rates.collect());
                    Ok(())
                });
                self.note(guest, "against the clock", done)?;
            }
            self.measured.rounds.push(round);
        }
        Ok(())
    }

    fn packets(&mut self) -> Result<()> {
        let mut curves = [(SEND_CURVE, Phase::Send), (RECEIVE_CURVE, Phase::Receive)]
            .map(|(title, phase)| (phase, curve(title, "MTU in bytes", "instructions per byte")));
        for guest in [Guest::Airlock, Guest::LinuxBounced] {
            let mut points = [Vec::new(), Vec::new()];
            for mtu in self.effort.packets {
                self.say(&format!("{}: packets of {mtu} bytes", guest.name()));
                let setting = Setting {
                    mtu: *mtu,
                    ..Self::setting(self.effort.counting("send,receive"))
                };
                let done = inside::set_mtu(*mtu)
                    .and_then(|()| self.run(guest, &setting, Depth::Instructions))
                    .and_then(|outcome| by_phase(&outcome.record, &setting));
                let done = done.map(|figures| {
                    for ((phase, _), points) in curves.iter().zip(&mut points) {
                        let figure = figures.get(phase).map(|one| one.instructions);
                        points.extend(figure.map(|y| (f64::from(*mtu), y)));
                    }
                });
                self.note(guest, &format!("packets of {mtu} bytes"), done)?;
            }
            for ((_, curve), points) in curves.iter_mut().zip(points) {
                curve.series.push((guest, points));
            }
        }
        inside::set_mtu(1500)?;
        self.keep(curves.map(|(_, curve)| curve));
        Ok(())
    }

    fn memories(&mut self) -> Result<()> {
        let mut boots = curve(
            "Boot by memory",
            "MiB of RAM",
            "million instructions to main",
        );
        for guest in [Guest::Airlock, Guest::LinuxBounced] {
            let mut points = Vec::new();
            let least = if guest.is_linux() { 128 } else { 0 };
            for mib in self.effort.memories.iter().filter(|mib| **mib >= least) {
                self.say(&format!("{}: boot with {mib} MiB", guest.name()));
                let setting = Setting {
                    memory: mib << 20,
                    ..Self::setting("bench.jobs=rtt bench.count=4".to_owned())
                };
                let done = self
                    .run(guest, &setting, Depth::Instructions)
                    .map(|outcome| {
                        let boot = outcome.record.phase(Phase::Boot).guest().instructions;
                        points.push((as_float(*mib), as_float(boot) / 1e6));
                    });
                self.note(guest, &format!("boot with {mib} MiB"), done)?;
            }
            boots.series.push((guest, points));
        }
        self.keep([boots]);
        Ok(())
    }

    /// What is known from the counting runs.
    fn depths(&mut self) {
        let mut depths = curve(
            "4 KiB reads by depth",
            "requests at once",
            "instructions per request",
        );
        for guest in crate::goals::GUESTS {
            let phases = [
                Phase::Read4KDepth1,
                Phase::Read4KDepth4,
                Phase::Read4KDepth32,
            ];
            let points = phases.iter().filter_map(|phase| {
                let y = self
                    .measured
                    .counted(guest, *phase, |one| one.instructions)?;
                Some((as_float(phase.depth() as u64), y.median))
            });
            depths.series.push((guest, points.collect()));
        }
        self.keep([depths]);
    }

    fn keep(&mut self, curves: impl IntoIterator<Item = Curve>) {
        let some = |curve: &Curve| curve.series.iter().any(|(_, points)| points.len() > 1);
        self.measured.curves.extend(curves.into_iter().filter(some));
    }
}

fn curve(title: &str, x: &str, y: &str) -> Curve {
    Curve {
        title: title.to_owned(),
        x: x.to_owned(),
        y: y.to_owned(),
        series: Vec::new(),
    }
}

fn by_phase(record: &Record, setting: &Setting) -> Result<BTreeMap<Phase, Figures>> {
    let amounts = amounts(&setting.workload)?;
    let all = Phase::jobs().filter_map(|phase| {
        let found = figures(record, phase, &amounts, setting.window.as_ref())?;
        Some((phase, found))
    });
    Ok(all.collect())
}

/// What was counted before the first doorbell of the card's transmit queue.
pub(crate) fn boot(record: &Record) -> Option<Boot> {
    let doorbell = transmit_doorbell(record)?;
    let first = record.phases.values().filter_map(|counts| {
        let register = counts.registers.get(&doorbell)?;
        (register.stores > 0).then_some(*register)
    });
    let first: Register = first.min_by_key(|register| register.instructions_before)?;
    Some(Boot {
        instructions: as_float(first.instructions_before),
        exits: as_float(first.mmio_before),
    })
}

/// The register that is rung most when a guest sends is a doorbell of the card. Of the card's doorbells
/// in its page the second is that of the transmit queue.
///
/// Ref: virtio 1.2, 5.1.2 "Virtqueues": queue 0 receives, queue 1 transmits.
fn transmit_doorbell(record: &Record) -> Option<u64> {
    let send = record.phases.get(&Phase::Send)?;
    let most = send
        .registers
        .iter()
        .max_by_key(|(_, register)| register.stores);
    let (address, _) = most.filter(|(_, register)| register.stores > 0)?;
    let page = *address & !0xfff;
    let mut rung: Vec<u64> = record
        .phases
        .values()
        .flat_map(|counts| counts.registers.range(page..page + 0x1000))
        .filter(|(_, register)| register.stores > 0)
        .map(|(address, _)| *address)
        .collect();
    rung.sort_unstable();
    rung.dedup();
    rung.get(1).or(rung.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_ends_at_the_first_doorbell_of_the_transmit_queue() {
        let record = Record::parse(
            "phase 0 1 1\nregister 0x9000000 50 60 10 1\nregister 0x10003000 0 1 700 40\n\
             phase 1 1 1\nregister 0x10003004 0 2 900 55\n\
             phase 2 1 1\nregister 0x10003000 0 9 2000 90\nregister 0x10003004 0 5 3000 99\n",
        );
        let boot = boot(&record.unwrap()).unwrap();
        assert_eq!((boot.instructions, boot.exits), (900.0, 55.0));
    }
}
