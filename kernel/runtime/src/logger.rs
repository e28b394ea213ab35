//! Log lines: time since entry, and what happened.

use core::cell::{Cell, RefCell};
use core::time::Duration;

use arch::counter::Counter;
use clock::{Clock, Instant};
use critical_section::Mutex;
use log::{Level, LevelFilter, Log, Metadata, Record};
use plan::LogFilter;

use crate::console;

/// When the image was entered, and the clock that knows it.
static ENTRY: Mutex<Cell<Option<(Counter, Instant)>>> = Mutex::new(Cell::new(None));

/// What is printed; `info` and above without it.
static FILTER: Mutex<RefCell<Option<LogFilter>>> = Mutex::new(RefCell::new(None));

static LOGGER: Logger = Logger;

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        critical_section::with(|cs| match FILTER.borrow(cs).borrow().as_ref() {
            Some(filter) => metadata.level() <= filter.level(metadata.target()),
            None => metadata.level() <= LevelFilter::Info,
        })
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let entry = critical_section::with(|cs| ENTRY.borrow(cs).get());
        let since = entry.map_or(Duration::ZERO, |(clock, entry)| clock.now().since(entry));
        let (seconds, micros) = (since.as_secs(), since.subsec_micros());
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

/// Prints what `log=` asks for. What is no filter leaves everything as it is, and is told.
pub fn set_filter(text: &str) {
    match LogFilter::parse(text) {
        Ok(filter) => {
            log::set_max_level(filter.highest());
            critical_section::with(|cs| *FILTER.borrow(cs).borrow_mut() = Some(filter));
        }
        Err(error) => log::warn!("{error}"),
    }
}
