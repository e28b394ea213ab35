//! What was probed, what was found, and what is likely to be wrong: a table for people and a line
//! for programs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What a probe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Ok,
    /// It works, in a way that is worth a word.
    Remark,
    /// It is not there.
    Missing,
    /// It is there, and does not do what it must.
    Wrong,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Remark => "remark",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        })
    }
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What was probed.
    pub name: &'static str,
    /// What it came to.
    pub outcome: Outcome,
    /// What was seen.
    pub found: String,
    /// What is likely to be wrong, and what to do; what a remark means; empty where all is well.
    pub cause: &'static str,
}

/// Probes, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis(Vec<Row>);

impl Diagnosis {
    /// No probe yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a probe that found all well.
    pub fn ok(&mut self, name: &'static str, found: String) {
        self.add(name, Outcome::Ok, found, "");
    }

    /// Adds a probe that found all well, and something that a reader should know; `note` says what
    /// it means.
    pub fn remark(&mut self, name: &'static str, found: String, note: &'static str) {
        self.add(name, Outcome::Remark, found, note);
    }

    /// Adds a probe of something that is not there.
    pub fn missing(&mut self, name: &'static str, found: String, cause: &'static str) {
        self.add(name, Outcome::Missing, found, cause);
    }

    /// Adds a probe of something that does not do what it must.
    pub fn wrong(&mut self, name: &'static str, found: String, cause: &'static str) {
        self.add(name, Outcome::Wrong, found, cause);
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, found: String, cause: &'static str) {
        self.0.push(Row {
            name,
            outcome,
            found,
            cause,
        });
    }

    /// The probes.
    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// Probes that did not find all well.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        let bad = |row: &&Row| matches!(row.outcome, Outcome::Missing | Outcome::Wrong);
        self.0.iter().filter(bad)
    }

    /// The same as one line of JSON: a list of objects with `name`, `outcome`, `found`, `cause`.
    pub const fn json(&self) -> impl fmt::Display + '_ {
        Json(self)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, row) in self.0.iter().enumerate() {
            if i != 0 {
                f.write_str("\n")?;
            }
            write!(f, "{:<22} {:<8} {}", row.name, row.outcome, row.found)?;
            match row.outcome {
                Outcome::Ok => {}
                Outcome::Remark => write!(f, "\n{:<31} {}", "", row.cause)?,
                Outcome::Missing | Outcome::Wrong => {
                    write!(f, "\n{:<31} likely cause: {}", "", row.cause)?;
                }
            }
        }
        Ok(())
    }
}

struct Json<'a>(&'a Diagnosis);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, row) in self.0.rows().iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let (name, found, cause) = (Quoted(row.name), Quoted(&row.found), Quoted(row.cause));
            write!(f, r#"{comma}{{"name":{name},"outcome":"{}","#, row.outcome)?;
            write!(f, r#""found":{found},"cause":{cause}}}"#)?;
        }
        f.write_str("]")
    }
}

/// A JSON string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn sample() -> Diagnosis {
        let mut diagnosis = Diagnosis::new();
        diagnosis.ok("RSI version", "1.0".into());
        diagnosis.missing("entropy", "no \"RNDR\"\n".into(), "use -cpu max");
        diagnosis
    }

    #[test]
    fn a_table_has_a_line_a_probe_and_one_more_for_a_cause() {
        let text = sample().to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "RSI version            ok       1.0");
        assert!(lines[1].starts_with("entropy                missing  no"));
        assert!(text.ends_with("likely cause: use -cpu max"));
    }

    #[test]
    fn the_line_for_programs_is_json_whatever_was_found() {
        assert_eq!(
            sample().json().to_string(),
            "[{\"name\":\"RSI version\",\"outcome\":\"ok\",\"found\":\"1.0\",\"cause\":\"\"},\
             {\"name\":\"entropy\",\"outcome\":\"missing\",\"found\":\"no \\\"RNDR\\\"\\u000a\",\
             \"cause\":\"use -cpu max\"}]"
        );
    }

    #[test]
    fn a_remark_is_shown_and_is_no_failure() {
        let mut diagnosis = Diagnosis::new();
        diagnosis.remark("router", "no echo".into(), "many routers give none");
        assert_eq!(diagnosis.failures().count(), 0);
        let text = diagnosis.to_string();
        assert!(text.starts_with("router                 remark   no echo"));
        assert!(text.ends_with("  many routers give none") && !text.contains("likely cause"));
    }

    #[test]
    fn only_what_is_not_ok_is_a_failure() {
        let sample = sample();
        let names: Vec<_> = sample.failures().map(|row| row.name).collect();
        assert_eq!(names, ["entropy"]);
    }
}
