//! The generated part of docs/hostile-host.md: what campaigns, planted bugs, coverage, fuzzing and mutants came to, as
//! the files of tests/hostile say it. Who measures writes such a file; this only puts them together.

use crate::finding::Finding;
use crate::tree::Tree;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const DOCUMENT: &str = "docs/hostile-host.md";
const BEGIN: &str = "<!-- generated: cargo run -p xtask -- hostile-host -->";
const END: &str = "<!-- end of what is generated -->";
/// Files of sections, in the order of the page.
const SECTIONS: [&str; 2] = ["tests/hostile/campaign.json", "tests/hostile/planted.json"];
const PLACES: &str = "tests/hostile/places.json";
const MUTANTS: &str = "tests/hostile/mutants.json";
const FUZZ: &str = "tests/fuzz/account.json";

/// A section of the page.
#[derive(Deserialize)]
struct Section {
    title: String,
    commit: String,
    date: String,
    text: String,
    tables: Vec<Table>,
}

/// A table of it.
#[derive(Deserialize)]
struct Table {
    title: String,
    columns: Vec<String>,
    /// So many of them are words; the others are numbers.
    words: usize,
    rows: Vec<Vec<String>>,
}

/// Where the kernel takes the host's word, and what went there.
#[derive(Deserialize)]
struct Places {
    commit: String,
    date: String,
    places: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    file: String,
    /// `test CRATE`, `fuzz TARGET`, `image RUN`, `attack WORLD`.
    reached: Vec<String>,
}

/// What planted bugs and those of cargo-mutants came to. `tools/mutants` writes it.
#[derive(Deserialize)]
struct Mutants {
    planted: Option<Planted>,
    #[serde(default)]
    crates: Vec<Mutated>,
}

#[derive(Deserialize)]
struct Planted {
    bugs: u64,
    killed: u64,
    commit: String,
    date: String,
}

#[derive(Deserialize)]
struct Mutated {
    #[serde(rename = "crate")]
    name: String,
    mutants: u64,
    caught: u64,
    missed: u64,
    unviable: u64,
    timeout: u64,
    commit: String,
    date: String,
}

#[derive(Deserialize)]
struct Fuzzed {
    executions: u64,
    seconds: u64,
    findings: u64,
}

/// Writes the page.
///
/// # Errors
///
/// A file cannot be read or written, or is not what it should be.
pub fn write(root: &Path, tree: &Tree) -> Result<()> {
    let page = page(tree)?;
    std::fs::write(root.join(DOCUMENT), page).context(DOCUMENT)
}

/// Says whether the page is what would be written.
pub fn check(tree: &Tree) -> Vec<Finding> {
    match page(tree) {
        Ok(page) if Some(page.as_str()) == tree.text(DOCUMENT) => Vec::new(),
        Ok(_) => vec![Finding::at(
            DOCUMENT,
            "is not what its files say: cargo run -p xtask -- hostile-host",
        )],
        Err(error) => vec![Finding::at(DOCUMENT, format!("{error:#}"))],
    }
}

fn page(tree: &Tree) -> Result<String> {
    let old = tree.text(DOCUMENT).context(DOCUMENT)?;
    let marks = format!("{DOCUMENT} has not both marks");
    let (before, rest) = old.split_once(BEGIN).with_context(|| marks.clone())?;
    let (_, after) = rest.split_once(END).with_context(|| marks.clone())?;
    let mut text = String::new();
    for path in SECTIONS {
        if let Some(section) = read::<Section>(tree, path)? {
            text.push_str(&section.markdown());
        }
    }
    if let Some(places) = read::<Places>(tree, PLACES)? {
        text.push_str(&places.markdown());
    }
    if let Some(fuzzed) = read::<BTreeMap<String, Fuzzed>>(tree, FUZZ)? {
        text.push_str(&fuzzing(&fuzzed));
    }
    if let Some(mutants) = read::<Mutants>(tree, MUTANTS)? {
        text.push_str(&mutants.markdown());
    }
    Ok(format!("{before}{BEGIN}\n\n{text}{END}{after}"))
}

/// What `path` says; nothing if there is no such file.
fn read<T: for<'de> Deserialize<'de>>(tree: &Tree, path: &str) -> Result<Option<T>> {
    let text = tree.text(path);
    text.map(|text| serde_json::from_str(text).with_context(|| path.to_owned()))
        .transpose()
}

fn heading(title: &str, commit: &str, date: &str, text: &str) -> String {
    format!("### {title}\n\nCommit {commit}, {date}. {text}\n\n")
}

impl Section {
    fn markdown(&self) -> String {
        let mut text = heading(&self.title, &self.commit, &self.date, &self.text);
        for table in &self.tables {
            if !table.title.is_empty() {
                text.push_str(&format!("{}:\n\n", table.title));
            }
            text.push_str(&table.markdown());
        }
        text
    }
}

impl Table {
    /// One without a title, whose first column is words.
    fn of_numbers<const COLUMNS: usize>(columns: [&str; COLUMNS], rows: Vec<Vec<String>>) -> Self {
        Self {
            title: String::new(),
            columns: columns.map(str::to_owned).to_vec(),
            words: 1,
            rows,
        }
    }

    fn markdown(&self) -> String {
        let rule = (0..self.columns.len()).map(|n| if n < self.words { "---" } else { "---:" });
        let rule: Vec<String> = rule.map(str::to_owned).collect();
        let lines = [&self.columns, &rule].into_iter().chain(&self.rows);
        let lines = lines.map(|cells| format!("| {} |\n", cells.join(" | ")));
        lines.chain([String::from("\n")]).collect()
    }
}

impl Places {
    fn markdown(&self) -> String {
        let kinds = ["test", "image", "fuzz", "attack"];
        let mut files: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for place in &self.places {
            let end = place.file.match_indices('/').nth(1);
            let folder = end.and_then(|(end, _)| place.file.get(..end));
            let folder = folder.unwrap_or(&place.file);
            files.entry(folder).or_default().push(place);
        }
        let row = |name: &str, places: &[&Place]| {
            let by = |kind: &str| {
                let reaches = |what: &String| what.split(' ').next() == Some(kind);
                let mut of = places
                    .iter()
                    .filter(|place| place.reached.iter().any(reaches));
                of.by_ref().count().to_string()
            };
            let of_nobody = places
                .iter()
                .filter(|place| place.reached.is_empty())
                .count();
            let mut cells = vec![name.to_owned(), places.len().to_string()];
            cells.extend(kinds.map(by));
            cells.push(of_nobody.to_string());
            cells
        };
        let mut rows: Vec<_> = files
            .iter()
            .map(|(name, places)| row(name, places))
            .collect();
        let all: Vec<&Place> = self.places.iter().collect();
        rows.push(row("all", &all));
        let columns = [
            "crate",
            "places",
            "by tests",
            "in images",
            "by fuzzing",
            "by attacks",
            "by nobody",
        ];
        let table = Table::of_numbers(columns, rows);
        let text = format!(
            "{} places take out what the host said; each is in [places.json](../{PLACES}) with what reached it, by real coverage.",
            self.places.len()
        );
        heading("Places", &self.commit, &self.date, &text) + &table.markdown()
    }
}

impl Mutants {
    fn markdown(&self) -> String {
        let mut text = String::from("### Mutants\n\n");
        if let Some(planted) = &self.planted {
            let Planted {
                bugs,
                killed,
                commit,
                date,
            } = planted;
            text.push_str(&format!(
                "Commit {commit}, {date}. {killed} of {bugs} bugs of other projects and of reviews are killed by the quick \
                 test that each names (`make mutants`).\n\n"
            ));
        }
        if self.crates.is_empty() {
            return text;
        }
        text.push_str(
            "Of the bugs that cargo-mutants makes, [docs/mutants.md](mutants.md) explains who survived:\n\n",
        );
        text + &self.table().markdown()
    }

    fn table(&self) -> Table {
        let row = |name: &str, numbers: [u64; 5], when: [&str; 2]| {
            let numbers = numbers.map(|number| number.to_string());
            let words = [name, when[0], when[1]].map(str::to_owned);
            words.into_iter().chain(numbers).collect::<Vec<_>>()
        };
        let numbers = |one: &Mutated| {
            [
                one.mutants,
                one.caught,
                one.missed,
                one.unviable,
                one.timeout,
            ]
        };
        let mut all = [0; 5];
        for one in &self.crates {
            all.iter_mut()
                .zip(numbers(one))
                .for_each(|(sum, number)| *sum += number);
        }
        let crates = self
            .crates
            .iter()
            .map(|one| row(&one.name, numbers(one), [&one.commit, &one.date]));
        let columns = [
            "crate",
            "commit",
            "date",
            "mutants",
            "caught",
            "missed",
            "do not compile",
            "time out",
        ];
        Table {
            title: String::new(),
            columns: columns.map(str::to_owned).to_vec(),
            words: 3,
            rows: crates.chain([row("all", all, ["", ""])]).collect(),
        }
    }
}

fn fuzzing(account: &BTreeMap<String, Fuzzed>) -> String {
    let sum = |of: fn(&Fuzzed) -> u64| account.values().map(of).sum::<u64>();
    // In tenths, without floating point.
    let tenths = sum(|one| one.seconds) / 360;
    format!(
        "### Fuzzing\n\n{} targets, {} executions, {}.{} hours, {} findings: [docs/fuzzing.md](fuzzing.md).\n\n",
        account.len(),
        sum(|one| one.executions),
        tenths / 10,
        tenths % 10,
        sum(|one| one.findings)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let section = r#"{"title":"T","commit":"c","date":"d","text":"x","tables":[
            {"title":"by kind","columns":["a","b"],"words":1,"rows":[["p","7"]]}]}"#;
        let places = r#"{"commit":"c","date":"d","places":[
            {"file":"kernel/net/src/a.rs","line":1,"reached":["test net","attack realm"]},
            {"file":"kernel/net/src/b.rs","line":2,"reached":[]}]}"#;
        let mutants = r#"{"planted":{"bugs":75,"killed":74,"commit":"c","date":"d"},"crates":[
            {"crate":"rsi","mutants":9,"caught":5,"missed":1,"unviable":2,"timeout":1,"commit":"e","date":"f"},
            {"crate":"pci","mutants":1,"caught":1,"missed":0,"unviable":0,"timeout":0,"commit":"g","date":"h"}]}"#;
        let fuzzed = r#"{"one":{"executions":10,"seconds":5400,"findings":1,"coverage":3}}"#;
        Tree::default()
            .with(DOCUMENT, &format!("before\n{BEGIN}\nold\n{END}\nafter\n"))
            .with(SECTIONS[0], section)
            .with(PLACES, places)
            .with(FUZZ, fuzzed)
            .with(MUTANTS, mutants)
    }

    #[test]
    fn the_page_has_what_the_files_say_between_its_marks() {
        let page = page(&tree()).unwrap();
        assert!(page.starts_with("before\n") && page.ends_with("\nafter\n"));
        for line in [
            "### T",
            "Commit c, d. x",
            "| --- | ---: |",
            "| p | 7 |",
            "| kernel/net | 2 | 1 | 0 | 0 | 1 | 1 |",
            "| rsi | e | f | 9 | 5 | 1 | 2 | 1 |",
            "| all |  |  | 10 | 6 | 1 | 2 | 1 |",
            "1 targets, 10 executions, 1.5 hours, 1 findings: [docs/fuzzing.md](fuzzing.md).",
        ] {
            assert!(page.lines().any(|one| one == line), "{line}: {page}");
        }
        assert!(page.contains("74 of 75 bugs") && !page.contains("old"));
    }

    #[test]
    fn a_page_that_is_not_what_the_files_say_is_found() {
        let stale = tree();
        assert_eq!(check(&stale).len(), 1);
        let page = page(&stale).unwrap();
        let fresh = tree().with(DOCUMENT, &page);
        assert!(check(&fresh).is_empty());
        assert_eq!(check(&fresh.with(MUTANTS, "{")).len(), 1);
    }
}
