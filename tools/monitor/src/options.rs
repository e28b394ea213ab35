//! The monitor's own words on the kernel command line.
//!
//! `monitor.KEY=VALUE ... -- WORDS FOR THE GUEST`. A line without ` -- ` and without a word of the
//! monitor is the guest's as a whole.

mod device;
mod pools;
mod words;

use core::fmt;

use hostile::bus::Count;
use hostile::script::Script;
use token::{Form, Lifecycle, RealmProfile};

pub use self::device::TrustedDevice;
pub use self::pools::{MOST as MOST_POOLS, Pool, PoolOption, PoolOptions, Pools};
use self::words::models;
pub use self::words::{script, secrets};
use crate::oracle;
use crate::style::Style;

/// Which address a device has to use for a shared page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dma {
    /// The address with the shared bit, as Arm specified in 2025.
    High,
    /// The address without it, as older hosts want it.
    Low,
    /// Either.
    Both,
}

/// What a page holds after it changed halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Zero.
    Zero,
    /// Noise, so that a guest that expects zero is found out.
    Noise,
}

/// Which change to RAM the host refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// None.
    Never,
    /// The call with this number, counted from 1, and no other.
    Call(u64),
    /// Each.
    Always,
}

/// How far one change of state gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// To the end.
    Full,
    /// To the next multiple of 2 MiB.
    Block,
    /// One granule.
    Page,
    /// Nowhere.
    Zero,
}

/// The versions of the RSI that the monitor speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rsi {
    /// From `lowest` to `highest`, as the interface encodes versions.
    Versions {
        /// Lowest version.
        lowest: u64,
        /// Highest version.
        highest: u64,
    },
    /// None: this is not a realm.
    None,
}

/// How the SMMU is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Smmu {
    /// As it should be.
    On,
    /// Shared pages stand only at the address without the shared bit, whatever the guest was told.
    LowOnly,
    /// Not at all: devices go where they want.
    Off,
}

/// What happens with a virtio function that would go round the SMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsafeDevice {
    /// The monitor does not start the guest.
    Refuse,
    /// The guest sees the function, but the function never gets a queue.
    Allow,
    /// The guest does not see the function.
    Hide,
}

/// Which memory is the realm's when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ram {
    /// All of it.
    All,
    /// Image, device tree and initial RAM disk only, as older hosts do it.
    Image,
}

/// The hash that measures the realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How an attack runs; what is said is in its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attack {
    /// How often the guest is started.
    pub rounds: u32,
    /// The most lies of one round.
    pub lies: u32,
    /// Microseconds between two looks at the guest, about; 0 for none.
    pub tick: u32,
    /// Interrupts of nobody at each of these looks.
    pub storm: u32,
    /// Seconds of the guest's time that a round may take.
    pub budget: u32,
    /// Millions of instructions of the guest that it may take, where they are counted.
    pub instructions: u32,
    /// Thousands of traps that it may take.
    pub traps: u32,
    /// Whether nobody lies about what a disk holds and what is in shared pages.
    pub honest_data: bool,
    /// Whether the last processor is the attacker's, and writes to shared pages while the guest runs.
    pub race: bool,
    /// Whether our devices offer neither EVENT_IDX nor messages.
    pub lean: bool,
}

/// Everything that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Address width, 33 or 41; otherwise it follows from where configuration space lies.
    pub width: Option<u32>,
    /// The width that the realm is told, if it is told another.
    pub ipa: Option<u64>,
    /// Addresses for devices.
    pub dma: Dma,
    /// Content after a change of half.
    pub content: Content,
    /// Refused changes to RAM.
    pub reject: Reject,
    /// Progress of one change.
    pub progress: Progress,
    /// Whether the realm is told that PSCI is called by `hvc`, which no realm can.
    pub hvc: bool,
    /// Whether a token is never finished.
    pub incomplete: bool,
    /// Whether extending a measurement is refused.
    pub refuse_extend: bool,
    /// Versions of the RSI.
    pub rsi: Rsi,
    /// Use of the SMMU.
    pub smmu: Smmu,
    /// Whether stage 2 keeps the halves apart; off only to test the tests.
    pub enforce: bool,
    /// Functions that would go round the SMMU.
    pub unsafe_device: UnsafeDevice,
    /// Memory at the start.
    pub ram: Ram,
    /// Hash of the measurements.
    pub hash: Hash,
    /// What a token looks like.
    pub token: Style,
    /// Devices that are bound to a pool.
    pub pools: PoolOptions,
    /// The device that the realm may trust.
    pub device: TrustedDevice,
    /// Devices that the monitor is itself.
    pub models: Count,
    /// How the attack runs.
    pub attack: Attack,
    /// Whether shared pages are looked through for what nobody was told.
    pub oracle: bool,
}

/// RSI version 1.0.
pub const VERSION_1_0: u64 = 0x1_0000;

impl Default for Options {
    fn default() -> Self {
        Self {
            width: None,
            ipa: None,
            dma: Dma::High,
            content: Content::Zero,
            reject: Reject::Never,
            progress: Progress::Full,
            hvc: false,
            incomplete: false,
            refuse_extend: false,
            rsi: Rsi::Versions {
                lowest: VERSION_1_0,
                highest: VERSION_1_0,
            },
            smmu: Smmu::On,
            enforce: true,
            unsafe_device: UnsafeDevice::Refuse,
            ram: Ram::All,
            hash: Hash::Sha256,
            token: Style::default(),
            pools: PoolOptions::default(),
            device: TrustedDevice::default(),
            models: Count::default(),
            oracle: false,
            attack: Attack {
                rounds: 1,
                lies: 1000,
                tick: 0,
                storm: 0,
                budget: 120,
                instructions: 2000,
                traps: 1500,
                honest_data: false,
                race: false,
                lean: false,
            },
        }
    }
}

/// A word that the monitor does not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadWord<'a>(pub &'a str);

impl fmt::Display for BadWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an option of the monitor", self.0)
    }
}

/// Splits `line` into what the monitor is told and what the guest is told.
///
/// # Errors
///
/// [`BadWord`] with the first word before ` -- ` that is not an option with one of its values.
pub fn parse(line: &str) -> Result<(Options, &str), BadWord<'_>> {
    let line = line.trim();
    let (ours, guests) = match split(line) {
        Some(parts) => parts,
        None if line.starts_with(PREFIX) => (line, ""),
        None => ("", line),
    };
    let mut options = Options::default();
    for word in ours.split_ascii_whitespace() {
        set(&mut options, word).ok_or(BadWord(word))?;
    }
    Ok((options, guests))
}

const PREFIX: &str = "monitor.";

/// The parts before and behind the first word that is just `--`, if all before it may be ours.
fn split(line: &str) -> Option<(&str, &str)> {
    if let Some(guests) = line.strip_prefix("-- ") {
        return Some(("", guests.trim_start()));
    }
    if line == "--" {
        return Some(("", ""));
    }
    if !line.starts_with(PREFIX) {
        return None;
    }
    if let Some((ours, guests)) = line.split_once(" -- ") {
        return Some((ours, guests.trim_start()));
    }
    line.strip_suffix(" --").map(|ours| (ours, ""))
}

fn set(options: &mut Options, word: &str) -> Option<()> {
    let (key, value) = word.strip_prefix(PREFIX)?.split_once('=')?;
    match key {
        "width" => options.width = Some(value.parse().ok().filter(|w| matches!(w, 33 | 41))?),
        "ipa" => options.ipa = Some(value.parse().ok()?),
        "dma" => {
            options.dma = pick(
                value,
                &[("high", Dma::High), ("low", Dma::Low), ("both", Dma::Both)],
            )?
        }
        "content" => {
            options.content = pick(value, &[("zero", Content::Zero), ("noise", Content::Noise)])?
        }
        "reject" => options.reject = reject(value)?,
        "progress" => options.progress = progress(value)?,
        "psci" => options.hvc = pick(value, &[("smc", false), ("hvc", true)])?,
        "incomplete" => options.incomplete = pick(value, &[("forever", true), ("no", false)])?,
        "extend" => options.refuse_extend = pick(value, &[("allow", false), ("refuse", true)])?,
        "rsi" => options.rsi = versions(value)?,
        "smmu" => {
            options.smmu = pick(
                value,
                &[
                    ("on", Smmu::On),
                    ("low-only", Smmu::LowOnly),
                    ("off", Smmu::Off),
                ],
            )?
        }
        "pool" => options.pools.add(value)?,
        "stage2" => options.enforce = pick(value, &[("on", true), ("open", false)])?,
        "unsafe-device" => options.unsafe_device = unsafe_device(value)?,
        "ram" => options.ram = pick(value, &[("all", Ram::All), ("image", Ram::Image)])?,
        "hash" => {
            options.hash = pick(value, &[("sha256", Hash::Sha256), ("sha512", Hash::Sha512)])?
        }
        "token" => options.token.form = pick(value, &[("399", Form::Cca), ("907", Form::Cmw)])?,
        "trust" | "lie" | "vdev-info" | "vdev-hash" => options.device.set(key, value)?,
        "profile" => options.token.profile = profile(value)?,
        "attack" => drop(value.parse::<Script>().ok()?),
        "rounds" => options.attack.rounds = value.parse().ok().filter(|&n| n > 0)?,
        "data" => {
            options.attack.honest_data = pick(value, &[("honest", true), ("any", false)])?;
        }
        "race" => options.attack.race = pick(value, &[("yes", true), ("no", false)])?,
        "offers" => options.attack.lean = pick(value, &[("least", true), ("all", false)])?,
        "lies" => options.attack.lies = value.parse().ok()?,
        "tick" => options.attack.tick = value.parse().ok()?,
        "storm" => options.attack.storm = value.parse().ok()?,
        "budget" => options.attack.budget = value.parse().ok().filter(|&n| n > 0)?,
        "instructions" => {
            options.attack.instructions = value.parse().ok().filter(|&n| n > 0)?;
        }
        "traps" => options.attack.traps = value.parse().ok().filter(|&n| n > 0)?,
        "models" => options.models = models(value)?,
        "oracle" => options.oracle = pick(value, &[("on", true), ("off", false)])?,
        "secret" => drop(oracle::parse(value)?),
        "lifecycle" => {
            let digits = value.strip_prefix("0x")?;
            options.token.lifecycle = Lifecycle(u16::from_str_radix(digits, 16).ok()?);
        }
        _ => return None,
    }
    Some(())
}

fn pick<T: Copy>(value: &str, choices: &[(&str, T)]) -> Option<T> {
    choices
        .iter()
        .find(|(name, _)| *name == value)
        .map(|(_, choice)| *choice)
}

fn reject(value: &str) -> Option<Reject> {
    if value == "always" {
        return Some(Reject::Always);
    }
    value
        .parse()
        .ok()
        .filter(|&call| call > 0)
        .map(Reject::Call)
}

fn progress(value: &str) -> Option<Progress> {
    let choices = [
        ("full", Progress::Full),
        ("2m", Progress::Block),
        ("page", Progress::Page),
        ("zero", Progress::Zero),
    ];
    pick(value, &choices)
}

fn unsafe_device(value: &str) -> Option<UnsafeDevice> {
    let choices = [
        ("refuse", UnsafeDevice::Refuse),
        ("allow", UnsafeDevice::Allow),
        ("hide", UnsafeDevice::Hide),
    ];
    pick(value, &choices)
}

fn profile(value: &str) -> Option<RealmProfile> {
    let choices = [
        ("1.0.0", RealmProfile::V1_0_0),
        ("2.0.0", RealmProfile::V2_0_0),
        ("legacy", RealmProfile::Legacy),
    ];
    pick(value, &choices)
}

fn versions(value: &str) -> Option<Rsi> {
    let only = |version| Rsi::Versions {
        lowest: version,
        highest: version,
    };
    let choices = [
        ("1.0", only(VERSION_1_0)),
        (
            "1.1",
            Rsi::Versions {
                lowest: VERSION_1_0,
                highest: 0x1_0001,
            },
        ),
        ("1.1-only", only(0x1_0001)),
        ("2.0", only(0x2_0000)),
        ("none", Rsi::None),
    ];
    pick(value, &choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_words_of_ours_is_the_guests() {
        let line = "console=ttyAMA0 -- init args";
        assert_eq!(parse(line), Ok((Options::default(), line)));
        assert_eq!(parse(""), Ok((Options::default(), "")));
    }

    #[test]
    fn what_is_behind_the_dashes_is_the_guests() {
        let (options, guests) = parse("monitor.dma=low monitor.reject=3 -- a -- b").unwrap();
        assert_eq!(options.dma, Dma::Low);
        assert_eq!(options.reject, Reject::Call(3));
        assert_eq!(guests, "a -- b");
        assert_eq!(parse("-- a b").unwrap().1, "a b");
        assert_eq!(parse("monitor.dma=both --").unwrap().1, "");
        assert_eq!(parse("monitor.dma=both").unwrap().1, "");
    }

    #[test]
    fn a_word_that_we_do_not_know_is_refused() {
        assert_eq!(
            parse("monitor.dma=left -- a"),
            Err(BadWord("monitor.dma=left"))
        );
        assert_eq!(parse("monitor.dma=low quiet -- a"), Err(BadWord("quiet")));
        assert_eq!(parse("monitor.width=40"), Err(BadWord("monitor.width=40")));
        assert_eq!(parse("monitor.reject=0"), Err(BadWord("monitor.reject=0")));
        assert_eq!(
            parse("monitor.nothing=1"),
            Err(BadWord("monitor.nothing=1"))
        );
    }

    #[test]
    fn every_key_takes_its_values() {
        let line = "monitor.width=33 monitor.ipa=48 monitor.content=noise monitor.reject=always \
                    monitor.progress=page monitor.incomplete=forever monitor.rsi=2.0 \
                    monitor.smmu=low-only monitor.stage2=open monitor.unsafe-device=allow \
                    monitor.ram=image monitor.hash=sha512 monitor.token=907 monitor.profile=2.0.0 \
                    monitor.lifecycle=0x5001 monitor.psci=hvc";
        let (options, _) = parse(line).unwrap();
        assert_eq!(options.width, Some(33));
        assert_eq!(options.ipa, Some(48));
        assert_eq!(options.content, Content::Noise);
        assert_eq!(options.reject, Reject::Always);
        assert_eq!(options.progress, Progress::Page);
        assert!(options.incomplete);
        assert!(options.hvc);
        assert_eq!(
            options.rsi,
            Rsi::Versions {
                lowest: 0x2_0000,
                highest: 0x2_0000
            }
        );
        assert_eq!(options.smmu, Smmu::LowOnly);
        assert!(!options.enforce);
        assert_eq!(options.unsafe_device, UnsafeDevice::Allow);
        assert_eq!(options.ram, Ram::Image);
        assert_eq!(options.hash, Hash::Sha512);
        let style = Style {
            form: Form::Cmw,
            profile: RealmProfile::V2_0_0,
            lifecycle: Lifecycle(0x5001),
        };
        assert_eq!(options.token, style);
    }
}
