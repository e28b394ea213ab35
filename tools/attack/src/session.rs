//! One machine, in which many rounds follow one another.

use airlock_cli::attack::{Round, Row, dress, rounds, rows};
use airlock_cli::cli::{Arguments, Command};
use airlock_cli::options::RunOptions;
use airlock_cli::run;
use anyhow::{Result, bail};
use clap::Parser;
use hostile::script::Script;
use std::path::Path;

/// Time for a machine, in seconds: a fixed part, and one for each round. A loaded computer is slow.
const SECONDS: (u32, u32) = (60, 15);

/// What is the same in all rounds of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    /// A realm.
    Realm,
    /// A realm that asks for tokens as well.
    Attested,
    /// A realm that takes what the kernel gives it for true, from devices that lie about all but the data.
    Trusting,
    /// A realm on one processor while another one, at EL2, writes to shared pages: time is the clock's.
    Race,
    /// An ordinary machine, as far as the guest knows: no RSI, one half.
    Plain,
    /// A realm with devices that offer as little as they may: no EVENT_IDX, no messages.
    Lean,
}

impl World {
    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realm | Self::Attested => "realm",
            Self::Trusting => "trusting",
            Self::Race => "race",
            Self::Plain => "plain",
            Self::Lean => "lean",
        }
    }

    /// The world of machine number `number` of a sweep. One that is lean comes twice: what only such a device says has
    /// no other turn.
    pub const fn swept(number: u64) -> Self {
        match number % 6 {
            0 => Self::Attested,
            1 => Self::Plain,
            3 => Self::Trusting,
            4 => Self::Race,
            _ => Self::Lean,
        }
    }

    /// The world of machine number `number` of random attacks.
    pub const fn of(number: u64) -> Self {
        match number % 8 {
            1 | 5 => Self::Attested,
            2 | 6 => Self::Trusting,
            3 | 7 => Self::Plain,
            4 => Self::Race,
            _ => Self::Realm,
        }
    }

    /// Rounds of a machine of which an ordinary one has `usual`. Where time is the clock's, deadlines are waited for.
    pub const fn rounds(self, usual: u32) -> u32 {
        match self {
            Self::Race => usual.div_ceil(8),
            _ => usual,
        }
    }

    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Realm => &[],
            Self::Attested => &["--append", "victim.token=yes"],
            Self::Trusting => &["--append", "victim.trust=yes", "--monitor", "data=honest"],
            Self::Race => &["--monitor", "race=yes"],
            Self::Plain => &["--monitor", "rsi=none", "--monitor", "stage2=open"],
            Self::Lean => &["--monitor", "offers=least"],
        }
    }
}

/// Images of the payload and of the monitor.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    pub victim: &'a Path,
    pub monitor: &'a Path,
}

/// What came of a machine.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub rounds: Vec<Round>,
    pub rows: Vec<Row>,
    /// The last lines that are none of ours, if not all rounds were told of.
    pub broke: Option<String>,
}

/// Options of `airlock run` for `machine`.
pub fn options(images: Images<'_>, machine: &Machine) -> Result<RunOptions> {
    let count = machine.all_rounds();
    let (victim, monitor) = (
        images.victim.to_string_lossy(),
        images.monitor.to_string_lossy(),
    );
    let rounds = format!("rounds={count}");
    let timeout = format!("{}s", SECONDS.0 + SECONDS.1 * count);
    let mut words = vec!["airlock", "run", "--payload", "victim", "--image", &victim];
    words.extend(["--monitor-image", &monitor, "--timeout", &timeout]);
    words.extend(["--monitor", &rounds]);
    words.extend(machine.world.words());
    if machine.swept {
        words.extend(FEW);
    }
    match Arguments::try_parse_from(words)?.command {
        Command::Run(options) => Ok(dress(&options, &machine.script)),
        _ => bail!("these are no arguments of run"),
    }
}

/// Machine number `number` of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    pub world: World,
    /// The first of its rounds.
    pub first: u64,
    /// How many there are.
    pub rounds: u32,
}

/// Rounds of a machine of a sweep. An honest one comes first, so there are many.
const SWEPT: u32 = 160;

impl Swept {
    /// Of machine `number`. Each has its own numbers, all worlds together all of them.
    pub fn of(number: u64) -> Self {
        let world = World::swept(number);
        Self {
            world,
            first: number * u64::from(SWEPT),
            rounds: world.rounds(SWEPT),
        }
    }
}

/// One device of each kind, and fewer looks at the guest: a round of a sweep is short, as there are thousands.
const FEW: [&str; 4] = ["--monitor", "models=1,1,1,1", "--monitor", "tick=500"];

/// What a machine does: rounds that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub world: World,
    pub script: Script,
    /// Rounds, of which a sweep has one more that is honest.
    pub rounds: u32,
    /// Whether it is of a sweep.
    pub swept: bool,
}

impl Machine {
    /// Whose rows these are in tables.
    pub fn name(&self) -> String {
        let sweep = if self.swept { SWEEP } else { "" };
        format!("{sweep}{}", self.world.name())
    }

    /// Rounds with the honest one.
    fn all_rounds(&self) -> u32 {
        self.rounds + u32::from(matches!(self.script, Script::Sweep(_)))
    }

    /// The machine of which the round after `told` others is the only one.
    pub fn alone(&self, told: u32) -> Self {
        let behind = self.all_rounds() - self.rounds;
        self.with(self.script(told.saturating_sub(behind)))
    }

    /// The same machine for one round in which `script` is followed.
    pub fn with(&self, script: Script) -> Self {
        let rounds = 1;
        Self {
            script,
            rounds,
            ..*self
        }
    }

    /// The script of round `number`.
    fn script(&self, number: u32) -> Script {
        match &self.script {
            Script::Random(seed) => Script::Random(seed.plus(number)),
            Script::Sweep(first) => Script::Sweep(first + u64::from(number)),
            other => other.clone(),
        }
    }
}

/// What the rows of a sweep begin with.
pub const SWEEP: &str = "sweep, ";

/// Runs what `machine` says.
pub fn run(images: Images<'_>, machine: &Machine) -> Result<Session> {
    let count = machine.all_rounds();
    let options = options(images, machine)?;
    let session = run::silently(&options)?;
    let rounds = rounds(&session.console);
    let missing = rounds.len() < count as usize;
    let broke = missing.then(|| {
        let lines = session.console.lines().iter();
        let others: Vec<_> = lines.filter(|line| !line.starts_with("attack: ")).collect();
        let last = others.iter().rev().take(3).rev().map(|line| line.as_str());
        let said: Vec<_> = last
            .chain(session.complaints.iter().map(String::as_str))
            .collect();
        format!("{:?}: {}", session.end, said.join(" | "))
    });
    Ok(Session {
        rows: rows(&session.console),
        rounds,
        broke,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_of_a_sweep_that_was_not_told_is_run_again_behind_its_honest_one() {
        let swept = Swept::of(7);
        let script = Script::Sweep(swept.first);
        let machine = Machine {
            world: swept.world,
            script,
            rounds: swept.rounds,
            swept: true,
        };
        assert_eq!(
            (machine.name().as_str(), swept.first),
            ("sweep, plain", 1120)
        );
        assert_eq!(machine.all_rounds(), 161);
        // Nobody told of the honest one; of the fourth that lies.
        for (told, number) in [(0, 1120), (4, 1123)] {
            let alone = machine.alone(told);
            assert_eq!(alone.script, Script::Sweep(number));
            assert_eq!(alone.all_rounds(), 2);
        }
        let script = Script::Random(7.into());
        let random = Machine {
            script,
            swept: false,
            ..machine
        };
        assert_eq!(random.alone(4).script, Script::Random(11.into()));
        assert_eq!(
            (random.name().as_str(), random.all_rounds()),
            ("plain", 160)
        );
    }
}
