//! Which log lines are printed: the boot argument `log=`.

use alloc::string::String;
use alloc::vec::Vec;

use log::LevelFilter;

use crate::order::ordered;

/// Most modules that have a level of their own.
const MOST_MODULES: usize = 16;

/// A level for everything, and others for single modules, such as `info,net=debug,virtio::blk=trace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    everything: LevelFilter,
    /// The longest paths first, so that the first that fits is the one that says most.
    modules: Vec<(String, LevelFilter)>,
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFilterError {
    /// A word that is neither a level nor `MODULE=LEVEL`.
    Word(String),
    /// More modules than 16.
    TooMany,
}

impl core::fmt::Display for LogFilterError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Word(word) => write!(
                f,
                "log: `{word}` is no level; use off, error, warn, info, debug or trace, and \
                 MODULE=LEVEL for single modules"
            ),
            Self::TooMany => write!(f, "log: more than {MOST_MODULES} modules"),
        }
    }
}

impl core::error::Error for LogFilterError {}

impl Default for LogFilter {
    /// What is logged where nobody says more.
    fn default() -> Self {
        Self {
            everything: LevelFilter::Info,
            modules: Vec::new(),
        }
    }
}

impl LogFilter {
    /// Reads levels and `MODULE=LEVEL`, with commas between them. A later word of the same kind wins.
    ///
    /// # Errors
    ///
    /// [`LogFilterError`]; then nothing of the text counts.
    pub fn parse(text: &str) -> Result<Self, LogFilterError> {
        let mut filter = Self::default();
        for word in text.split(',') {
            let wrong = || LogFilterError::Word(word.into());
            let (module, level) = match word.split_once('=') {
                Some((module, level)) if !module.is_empty() => (Some(module), level),
                Some(_) => return Err(wrong()),
                None => (None, word),
            };
            let level = level.parse().map_err(|_| wrong())?;
            match module {
                Some(module) => filter.set(module, level)?,
                None => filter.everything = level,
            }
        }
        filter.modules = ordered(filter.modules, |(module, _)| usize::MAX - module.len());
        Ok(filter)
    }

    fn set(&mut self, module: &str, level: LevelFilter) -> Result<(), LogFilterError> {
        self.modules.retain(|(known, _)| known != module);
        if self.modules.len() == MOST_MODULES {
            return Err(LogFilterError::TooMany);
        }
        self.modules.push((module.into(), level));
        Ok(())
    }

    /// The level of the module at `path`, such as `net::stack`: that of itself or of the nearest
    /// module around it.
    pub fn level(&self, path: &str) -> LevelFilter {
        let around = |module: &str| {
            let rest = path.strip_prefix(module);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let found = self.modules.iter().find(|(module, _)| around(module));
        found.map_or(self.everything, |(_, level)| *level)
    }

    /// The highest level that any module has.
    pub fn highest(&self) -> LevelFilter {
        let levels = self.modules.iter().map(|(_, level)| *level);
        levels.fold(self.everything, |highest, level| highest.max(level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_is_for_everything() {
        let filter = LogFilter::parse("debug").unwrap();
        assert_eq!(filter.level("net::stack"), LevelFilter::Debug);
        assert_eq!(LogFilter::default().level("net"), LevelFilter::Info);
    }

    #[test]
    fn the_nearest_module_around_counts() {
        let filter = LogFilter::parse("warn,net=debug,net::tcp=trace").unwrap();
        assert_eq!(filter.level("net::tcp::socket"), LevelFilter::Trace);
        assert_eq!(filter.level("net::tcpdump"), LevelFilter::Debug);
        assert_eq!(filter.level("network"), LevelFilter::Warn);
        assert_eq!(filter.highest(), LevelFilter::Trace);
    }

    #[test]
    fn the_last_word_for_a_module_wins() {
        let filter = LogFilter::parse("net=debug,error,net=off").unwrap();
        assert_eq!(filter.level("net"), LevelFilter::Off);
        assert_eq!(filter.highest(), LevelFilter::Error);
    }

    #[test]
    fn what_is_no_level_is_named() {
        for (text, word) in [
            ("", ""),
            ("loud", "loud"),
            ("info,net=", "net="),
            ("=info", "=info"),
        ] {
            let error = LogFilterError::Word(word.into());
            assert_eq!(LogFilter::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_host_that_names_a_thousand_modules_is_refused() {
        let text: Vec<_> = (0..1000).map(|n| alloc::format!("m{n}=info")).collect();
        assert_eq!(
            LogFilter::parse(&text.join(",")),
            Err(LogFilterError::TooMany)
        );
    }
}
