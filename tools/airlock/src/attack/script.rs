//! Scripts as people write them: TOML, one table for each lie.

use anyhow::{Context, Result};
use hostile::script::Script;
use hostile::{Lie, Seed};
use serde::Deserialize;
use std::fmt::Write;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    lie: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: String,
    #[serde(default)]
    count: u32,
    value: Value,
}

/// A number; those that TOML has no room for are text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(u64),
    Text(String),
}

/// The script that a user means by `text`: `random` (of `seed`, or of the time), a file, or a script itself.
///
/// # Errors
/// It is none of these; the text says what a script looks like.
pub fn of(text: &str, seed: Option<u64>) -> Result<Script> {
    if text == "random" {
        return Ok(Script::Random(Seed::from(seed.unwrap_or_else(now))));
    }
    let path = Path::new(text);
    if path.is_file() {
        let file = std::fs::read_to_string(path).with_context(|| format!("cannot read {text}"))?;
        return read(&file).with_context(|| text.to_owned());
    }
    text.parse()
        .with_context(|| format!("--attack {text}: no file, and no script"))
}

fn now() -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    time.map_or(0, |time| time.as_secs())
}

/// Reads a script.
///
/// # Errors
/// It is not TOML, or names a place that is not there.
pub fn read(text: &str) -> Result<Script> {
    let file: File = toml::from_str(text)?;
    let lies = file.lie.iter().map(|entry| {
        let value = match &entry.value {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
        };
        let line = format!("{}@{}={value}", entry.at, entry.count);
        line.parse::<Lie>().with_context(|| line.clone())
    });
    Ok(Script::Lies(lies.collect::<Result<_>>()?))
}

/// Writes a script.
#[must_use]
pub fn write(lies: &[Lie]) -> String {
    let mut text = String::from(
        "# When something is said at a place for the COUNTth time, from 0, VALUE is said.\n",
    );
    for lie in lies {
        // A string takes whatever is written to it.
        let _ = write!(
            text,
            "\n[[lie]]\nat = \"{}\"\ncount = {}\nvalue = \"{:#x}\"\n",
            lie.place, lie.count, lie.value
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_was_written_reads_back() {
        let script: Script = "card.isr@0=0x7,disk1.content@3=0xffffffffffffffff"
            .parse()
            .unwrap();
        let Script::Lies(lies) = &script else {
            panic!("these are lies")
        };
        assert_eq!(read(&write(lies)).unwrap(), script);
    }

    #[test]
    fn a_lie_needs_a_place_and_a_value_and_nothing_else() {
        let good = read("[[lie]]\nat = \"disk.status\"\nvalue = 64\n").unwrap();
        assert_eq!(good.to_string(), "disk.status@0=0x40");
        for bad in [
            "[[lie]]\nat = \"disk.status\"\n",
            "[[lie]]\nat = \"disk.nothing\"\nvalue = 1\n",
            "[[lie]]\nat = \"disk.status\"\nvalue = 1\nwhen = 2\n",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn random_takes_the_seed() {
        assert_eq!(
            of("random", Some(9)).unwrap(),
            Script::Random(Seed::from(9))
        );
        assert_eq!(of("honest", None).unwrap(), Script::Honest);
        let error = format!("{:#}", of("no/such/file", None).unwrap_err());
        assert!(error.contains("disk.used-length@3"), "{error}");
    }
}
