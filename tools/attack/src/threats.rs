//! What THREAT_MODEL.md says attacks each row is there, and the places were reached.

use hostile::Place;
use std::path::{Path, PathBuf};

/// A table row as its cells.
fn cells(line: &str) -> Vec<&str> {
    let inside = line.trim().trim_matches('|');
    inside.split(" | ").map(str::trim).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()))
}

/// Rows of the table: bytes, and what attacks them.
fn rows() -> Vec<(String, Vec<String>)> {
    let text = read("THREAT_MODEL.md");
    let (_, section) = text
        .split_once("## Each byte that the host controls")
        .expect("the section is there");
    let (section, _) = section.split_once("\n## ").expect("another one follows");
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.skip(2)
        .map(|line| {
            let cells = cells(line);
            assert_eq!(cells.len(), 4, "{line}");
            let attacks = cells[3].split([',', ';']);
            let attacks = attacks.map(|attack| attack.trim().to_owned());
            (cells[0].to_owned(), attacks.collect())
        })
        .collect()
}

/// How many lies the campaign of docs/hostile-host.md told at a place.
fn lies(place: &Place, report: &str) -> u64 {
    let (part, point) = (place.part.name(), place.point.name());
    let row = report.lines().find(|line| {
        let cells = cells(line);
        cells.first() == Some(&part) && cells.get(1) == Some(&point)
    });
    row.and_then(|row| cells(row).get(3)?.parse().ok())
        .unwrap_or(0)
}

/// Whether there is a file `name`.rs under `folder`.
fn has_file(folder: &str, name: &str) -> bool {
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .file_name()
                .is_some_and(|file| file == format!("{name}.rs").as_str())
            {
                return true;
            }
        }
    }
    false
}

/// Why `attack` shows nothing; `None` if it does.
fn objection(attack: &str, report: &str) -> Option<String> {
    let name = |text: &str| {
        text.trim()
            .trim_matches('`')
            .split(' ')
            .next()
            .map(|word| word.trim_matches('`').to_owned())
    };
    let bare = attack.split(" (").next().unwrap_or(attack).trim();
    if let Some(target) = bare.strip_prefix("fuzz ") {
        let target = name(target)?;
        let found = has_file("tests/fuzz/fuzz_targets", &target);
        return (!found).then(|| format!("no fuzz target {target}"));
    }
    if let Some(krate) = bare.strip_prefix("tests of ") {
        let krate = name(krate)?;
        let found = root().join("kernel").join(&krate).is_dir();
        return (!found).then(|| format!("no crate {krate}"));
    }
    let plain = bare.replace('`', "");
    if plain.starts_with("tests/") {
        let (folder, test) = plain.split_once(' ').unwrap_or((&plain, ""));
        let found = match test.split(' ').next() {
            None | Some("") => root().join(folder).is_dir(),
            Some(test) => has_file(folder, test),
        };
        return (!found).then(|| format!("no {plain}"));
    }
    let place = bare
        .trim_matches('`')
        .split(' ')
        .next()
        .unwrap_or_default()
        .trim_matches('`');
    match place.parse::<Place>() {
        Err(no) => Some(format!("{attack}: {no}")),
        Ok(place) if lies(&place, report) == 0 => {
            Some(format!("{place} was never lied about in a campaign"))
        }
        Ok(_) => None,
    }
}

#[test]
fn each_row_of_the_threat_model_names_what_shows_it() {
    let report = read("docs/hostile-host.md");
    let rows = rows();
    assert!(rows.len() > 30, "{}", rows.len());
    let mut wrong = Vec::new();
    for (bytes, attacks) in &rows {
        if attacks == &["–"] {
            // Nobody reads these, so nothing can be said there.
            let text = read("THREAT_MODEL.md");
            let row = text
                .lines()
                .find(|line| line.starts_with(&format!("| {bytes} |")));
            if !row.is_some_and(|row| row.contains("not read")) {
                wrong.push(format!("{bytes}: nothing attacks it, and it is read"));
            }
            continue;
        }
        let objections = attacks
            .iter()
            .filter_map(|attack| objection(attack, &report));
        wrong.extend(objections.map(|why| format!("{bytes}: {why}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_attack_that_is_not_there_is_told() {
    let report = "| disk | isr | 10 | 3 | 0 |\n| disk | status | 10 | 0 | 0 |";
    for good in [
        "`disk.isr`",
        "fuzz `token`",
        "tests of `pci`",
        "`tests/qemu` secrets",
        "tests/keyrelease",
    ] {
        assert_eq!(objection(good, report), None, "{good}");
    }
    for bad in [
        "`disk.status`",
        "`disk.nothing`",
        "fuzz `nothing`",
        "tests of `nothing`",
        "`tests/qemu` nothing",
        "tests/nothing",
    ] {
        assert!(objection(bad, report).is_some(), "{bad}");
    }
}
