//! One machine, in which many rounds follow one another.

use airlock_cli::attack::{Round, Row, dress, rounds, rows};
use airlock_cli::cli::{Arguments, Command};
use airlock_cli::options::RunOptions;
use airlock_cli::run;
use anyhow::{Result, bail};
use clap::Parser;
use hostile::Seed;
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
}

impl World {
    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realm | Self::Attested => "realm",
            Self::Trusting => "trusting",
            Self::Race => "race",
            Self::Plain => "plain",
        }
    }

    /// The world of machine number `number`.
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

/// Options of `airlock run` for `count` rounds that follow `script`.
pub fn options(
    images: Images<'_>,
    world: World,
    script: &Script,
    count: u32,
) -> Result<RunOptions> {
    let (victim, monitor) = (
        images.victim.to_string_lossy(),
        images.monitor.to_string_lossy(),
    );
    let rounds = format!("rounds={count}");
    let timeout = format!("{}s", SECONDS.0 + SECONDS.1 * count);
    let mut words = vec!["airlock", "run", "--payload", "victim", "--image", &victim];
    words.extend(["--monitor-image", &monitor, "--timeout", &timeout]);
    words.extend(["--monitor", &rounds]);
    words.extend(world.words());
    match Arguments::try_parse_from(words)?.command {
        Command::Run(options) => Ok(dress(&options, script)),
        _ => bail!("these are no arguments of run"),
    }
}

/// Runs `count` rounds from `seed` on.
pub fn run(images: Images<'_>, world: World, seed: &Seed, count: u32) -> Result<Session> {
    let options = options(images, world, &Script::Random(seed.clone()), count)?;
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
