//! Log lines: time since entry, and what happened.

use core::cell::Cell;

use arch::counter::Counter;
use clock::{Clock, Instant};
use critical_section::Mutex;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::console;

/// When the image was entered, and the clock that knows it.
static ENTRY: Mutex<Cell<Option<(Counter, Instant)>>> = Mutex::new(Cell::new(None));

static LOGGER: Logger = Logger;

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let entry = critical_section::with(|cs| ENTRY.borrow(cs).get());
        let since = entry.map_or(0, |(clock, entry)| clock.now().since(entry).as_micros());
        let (seconds, micros) = (since / 1_000_000, since % 1_000_000);
        let mark = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            _ => "",
        };
        console::print_line(format_args!(
            "[{seconds:5}.{micros:06}] {mark}{}",
            record.args()
        ));
    }

    fn flush(&self) {}
}

/// Sends log lines to the console. `entry` is when the image was entered.
pub fn open(clock: Counter, entry: Instant) {
    critical_section::with(|cs| ENTRY.borrow(cs).set(Some((clock, entry))));
    // Fails only if there is a logger already, which then is this one.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(LevelFilter::Info);
}

/// Sets the level of `log=`. What is no level leaves it as it is, and is told.
pub fn set_level(level: &str) {
    match level.parse() {
        Ok(level) => log::set_max_level(level),
        Err(_) => log::warn!("log={level}: use off, error, warn, info, debug or trace"),
    }
}
