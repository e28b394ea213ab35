//! What was fuzzed, and for how long: an account that grows with each `make fuzz`.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const ACCOUNT: &str = "tests/fuzz/account.json";
const DOCUMENT: &str = "docs/fuzzing.md";
const BEGIN: &str = "<!-- the account -->\n";
const END: &str = "<!-- end of the account -->";

/// What is known of one target.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
struct Entry {
    /// Inputs that were tried, ever.
    executions: u64,
    /// Seconds that it took.
    seconds: u64,
    /// Inputs that were a bug of ours.
    findings: u64,
    /// Edges of the code that the last run reached.
    coverage: u64,
}

/// Adds the run of `target` whose output is in `log`, and writes the table anew.
///
/// # Errors
///
/// A file cannot be read or written, or the output is of no run.
pub fn add(root: &Path, target: &str, log: &Path) -> Result<()> {
    let text = std::fs::read(log).with_context(|| log.display().to_string())?;
    let run = read(&String::from_utf8_lossy(&text)).context("this is not what libFuzzer says")?;
    let path = root.join(ACCOUNT);
    let account = std::fs::read_to_string(&path).unwrap_or_default();
    let mut account: BTreeMap<String, Entry> = serde_json::from_str(&account).unwrap_or_default();
    let entry = account.entry(target.to_owned()).or_default();
    entry.executions = entry.executions.saturating_add(run.executions);
    entry.seconds = entry.seconds.saturating_add(run.seconds);
    entry.findings = entry.findings.saturating_add(run.findings);
    entry.coverage = run.coverage;
    let json = serde_json::to_string_pretty(&account)?;
    std::fs::write(&path, format!("{json}\n")).context(ACCOUNT)?;
    let path = root.join(DOCUMENT);
    let document = std::fs::read_to_string(&path).context(DOCUMENT)?;
    let document =
        with_table(&document, &table(&account)).context("the document has no place for it")?;
    std::fs::write(&path, document).context(DOCUMENT)
}

/// Reads the output of one run.
fn read(text: &str) -> Option<Entry> {
    let number = |line: &str, before: &str| -> Option<u64> {
        let digits = line.split(before).nth(1)?.trim_start();
        digits
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    // A run that found something ends without a summary: the last status line has the number.
    // The dictionary that it recommends at the end begins with such signs, too.
    let is_status = |line: &&str| {
        let second = line.strip_prefix('#').and_then(|rest| rest.chars().next());
        second.is_some_and(|digit| digit.is_ascii_digit())
    };
    let last = text.lines().rfind(is_status)?;
    let tried = last
        .trim_start_matches('#')
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    let done = text.lines().find(|line| line.starts_with("Done "));
    let findings = text
        .lines()
        .filter(|line| line.contains("SUMMARY: libFuzzer"))
        .count();
    Some(Entry {
        executions: done.and_then(|line| number(line, "Done ")).unwrap_or(tried),
        seconds: done.and_then(|line| number(line, " runs in ")).unwrap_or(0),
        findings: u64::try_from(findings).ok()?,
        coverage: number(last, "cov: ").unwrap_or(0),
    })
}

fn table(account: &BTreeMap<String, Entry>) -> String {
    let mut text = String::from(
        "| target | executions | hours | edges | findings |\n| --- | --- | --- | --- | --- |\n",
    );
    for (target, entry) in account {
        // In hundredths, without floating point.
        let hundredths = entry.seconds.saturating_mul(100) / 3600;
        let (hours, rest) = (hundredths / 100, hundredths % 100);
        let Entry {
            executions,
            coverage,
            findings,
            ..
        } = entry;
        let _always_fits = writeln!(
            text,
            "| `{target}` | {executions} | {hours}.{rest:02} | {coverage} | {findings} |"
        );
    }
    text
}

/// `document` with another table between its marks.
fn with_table(document: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: Seed: 7\n#2\tINITED cov: 90 ft: 91\n#4096\tpulse  cov: 1201 ft: 3\n\
                       #9000\tDONE   cov: 1300 ft: 4\nDone 9000 runs in 21 second(s)\n";

    #[test]
    fn a_run_is_read_from_what_the_fuzzer_says() {
        let run = read(LOG).unwrap();
        assert_eq!((run.executions, run.seconds), (9000, 21));
        assert_eq!((run.coverage, run.findings), (1300, 0));
        assert_eq!(read("cargo: no such target"), None);
    }

    #[test]
    fn a_run_that_found_something_counts_it() {
        let found = "#70\tNEW cov: 5 ft: 1\n==1== ERROR\nSUMMARY: libFuzzer: deadly signal\n";
        let run = read(found).unwrap();
        assert_eq!((run.executions, run.findings), (70, 1));
    }

    #[test]
    fn a_recommended_dictionary_is_no_status() {
        let log = "#7\tDONE   cov: 5\n###### End of recommended dictionary. ######\nDone 7 runs in 2 second(s)\n";
        let run = read(log).unwrap();
        assert_eq!((run.executions, run.seconds, run.coverage), (7, 2, 5));
    }

    #[test]
    fn runs_add_up_in_the_account_and_in_the_document() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tests/fuzz", "docs"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let document = folder.path().join(DOCUMENT);
        std::fs::write(&document, format!("# Fuzzing\n{BEGIN}old\n{END}\nmore\n")).unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, LOG).unwrap();
        for _ in 0..2 {
            add(folder.path(), "frames", &log).unwrap();
        }
        let text = std::fs::read_to_string(&document).unwrap();
        assert!(
            text.contains("| `frames` | 18000 | 0.01 | 1300 | 0 |"),
            "{text}"
        );
        assert!(text.starts_with("# Fuzzing") && text.ends_with("more\n") && !text.contains("old"));
    }
}
