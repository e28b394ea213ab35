//! The log of the broker, for people.

use std::io::Write;

use log::{LevelFilter, Log, Metadata, Record};

struct StandardError;

impl Log for StandardError {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("keybroker")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_lowercase();
            // In one piece: a guest's console may be written to the same terminal.
            let line = format!("keybroker: {level}: {}\n", record.args());
            // There is nowhere to say that standard error is gone.
            let _gone = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// Writes what the broker logs, up to `level`, to standard error. A program that has a log already
/// keeps its own.
pub fn log_to_standard_error(level: LevelFilter) {
    if log::set_logger(&StandardError).is_ok() {
        log::set_max_level(level);
    }
}
