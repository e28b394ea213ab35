//! Boots whole images in QEMU, for the tests in `tests/images`.
//!
//! Every test says what it boots with [`Boot`], in the words of `airlock run`, and looks at the
//! [`Outcome`]. Each image is built once; as many machines run at a time as there are processors,
//! so that a time limit means the same alone and in company.
#![forbid(unsafe_code)]

pub mod flood;
pub mod gateway;
mod images;
pub mod turns;

pub use airlock_cli::report::{Report, total};
pub use airlock_cli::run::Outcome;
pub use airlock_cli::verdict::Verdict;
pub use images::{all_images, image, image_with, monitor_image, rogue_image};

use airlock_cli::cli::{Arguments, Command};
use airlock_cli::features;
use airlock_cli::options::RunOptions;
use airlock_cli::run::run_once;
use clap::Parser;
use std::thread::{self, JoinHandle};

/// The options with the image of their payload, which is built once.
fn with_image(mut options: RunOptions) -> RunOptions {
    if options.image.is_none() {
        let payload = options.payload_name();
        options.image = Some(image_with(payload, &features::wanted(&options)));
    }
    options
}

/// What ended well.
fn clean(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.verdict, Verdict::Ok, "{}", outcome.verdict);
    outcome
}

/// One machine that is to boot.
#[derive(Clone, Debug)]
pub struct Boot {
    words: Vec<String>,
}

impl Boot {
    /// A payload as a realm, under the monitor.
    #[must_use]
    pub fn realm(payload: &str) -> Self {
        Self::new(payload, "realm").watched()
    }

    /// A payload in a plain machine.
    #[must_use]
    pub fn machine(payload: &str) -> Self {
        Self::new(payload, "vm")
    }

    /// The image that breaks rules, as a realm; `rule` is `break=RULE` or `keep=RULE`.
    #[must_use]
    pub fn rogue(rule: &str) -> Self {
        let image = rogue_image();
        let words = ["airlock", "run", "--payload", "rogue", "--mode", "realm"];
        let words = words.map(str::to_owned).to_vec();
        let boot = Self { words }.watched();
        let boot = boot.with(&["--image", &image.to_string_lossy()]);
        boot.with(&["--append", rule, "--net", "none", "--timeout", "20s"])
    }

    /// Under the monitor, which looks for leaks.
    fn watched(self) -> Self {
        let monitor = monitor_image();
        self.with(&["--oracle", "--monitor-image", &monitor.to_string_lossy()])
    }

    /// The same with nobody who looks for leaks: for what would be measured with him, or cannot be judged,
    /// and for a test that he is needed.
    #[must_use]
    pub fn unwatched(mut self) -> Self {
        self.words.retain(|word| word != "--oracle");
        self
    }

    fn new(payload: &str, mode: &str) -> Self {
        let words = ["airlock", "run", "--payload", payload, "--mode", mode];
        Self {
            words: words.map(str::to_owned).to_vec(),
        }
    }

    /// More arguments of `airlock run`.
    #[must_use]
    pub fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// Options of the monitor, `KEY=VALUE` each.
    #[must_use]
    pub fn monitor(self, options: &[&str]) -> Self {
        options
            .iter()
            .fold(self, |boot, option| boot.with(&["--monitor", option]))
    }

    /// Boots it while everything that a host controls lies as the arguments say, and judges it. `Verdict::Ok`: it
    /// came to nothing that must not be.
    ///
    /// # Panics
    /// As [`Self::run`].
    #[must_use]
    pub fn attacked(&self) -> Outcome {
        // Its rounds start again in the same memory; what judges them has the same list of secrets.
        self.clone().unwatched().boot(airlock_cli::attack::run_once)
    }

    /// Boots it and waits for the end, at most for the time limit of the arguments.
    ///
    /// # Panics
    /// The arguments are wrong, or something is missing: both end the test.
    #[must_use]
    pub fn run(&self) -> Outcome {
        self.boot(run_once)
    }

    fn boot(&self, run: fn(&RunOptions) -> anyhow::Result<Outcome>) -> Outcome {
        let options = self.options();
        let _turn = turns::take();
        run(&options).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// What its arguments say, with its image, which is built.
    fn options(&self) -> RunOptions {
        println!("$ {}", self.words.join(" "));
        match Arguments::try_parse_from(&self.words).map(|arguments| arguments.command) {
            Ok(Command::Run(options)) => with_image(*options),
            Ok(_) => panic!("only `run` boots"),
            Err(error) => panic!("{error}"),
        }
    }

    /// Boots it in a thread of its own, and insists there on a clean end. When this returns, its image is built and its
    /// turn has come: who waits for what it does waits for the machine alone.
    ///
    /// # Panics
    /// The arguments are wrong, or something is missing. The thread panics as [`Self::run_ok`].
    #[must_use]
    pub fn start(&self) -> JoinHandle<Outcome> {
        let (options, turn) = (self.options(), turns::take());
        thread::spawn(move || {
            let outcome = run_once(&options).unwrap_or_else(|error| panic!("{error:#}"));
            drop(turn);
            clean(outcome)
        })
    }

    /// Boots it, and insists on a clean end: payload ok, and nothing for the monitor to object to.
    ///
    /// # Panics
    /// It ended in any other way.
    #[must_use]
    pub fn run_ok(&self) -> Outcome {
        clean(self.run())
    }

    /// Boots it, and insists that the payload or the boot fails in its own words, with `text` among
    /// them, and that the monitor has nothing to object to.
    ///
    /// # Panics
    /// It ended in any other way.
    pub fn fails_with(&self, text: &str) {
        match self.run().verdict {
            Verdict::PayloadFailed(reason) => {
                assert!(reason.contains(text), "`{reason}` does not say `{text}`");
            }
            other => panic!("no failure of its own, but: {other}"),
        }
    }

    /// Boots it, and insists that the monitor names a violation with `text` in it.
    ///
    /// # Panics
    /// It ended in any other way.
    pub fn is_caught(&self, text: &str) {
        match self.run().verdict {
            Verdict::Violations(list) => {
                assert!(
                    list.iter().any(|one| one.contains(text)),
                    "{list:?} does not say `{text}`"
                );
            }
            other => panic!("the monitor did not object: {other}"),
        }
    }
}
