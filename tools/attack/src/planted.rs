//! Bugs that are put into a copy of the source, to see that a campaign finds them.

use crate::session::Images;
use crate::state::State;
use crate::table::{self, Table};
use crate::{Options, campaign};
use airlock_cli::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};

/// The list, in the source.
const LIST: &str = "tools/attack/planted/bugs.toml";
/// What came of it, in the folder of the campaign.
pub const RESULT: &str = "planted.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    bug: Vec<Bug>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    about: String,
    file: String,
    from: String,
    to: String,
    outcome: String,
}

/// What a campaign made of a bug.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    pub name: String,
    pub about: String,
    /// The outcome that gave it away; nothing if none did.
    pub outcome: String,
    /// Lies told until then.
    pub events: u64,
    /// The fewest lies that do it.
    pub lies: String,
    /// The commit into which it was planted, and the day.
    #[serde(default)]
    pub commit: String,
    #[serde(default)]
    pub date: String,
}

/// Plants one bug after the other; says whether each was found. Those that were found before are not planted again.
pub fn run(options: &Options) -> Result<bool> {
    let workspace = Workspace::find()?;
    let folder = campaign::folder(options, &workspace);
    let (tree, work) = (folder.join("planted/tree"), folder.join("planted"));
    std::fs::create_dir_all(&tree)?;
    copy(Path::new("."), &tree)?;
    let list = std::fs::read_to_string(LIST)
        .with_context(|| format!("cannot read {LIST}; run this at the root"))?;
    let list: List = toml::from_str(&list).context(LIST)?;
    let monitor = campaign::monitor_image(options, &workspace, &folder)?;
    airlock_cli::qemu::catch_interrupts()?;
    let result = folder.join(RESULT);
    let mut all = if options.fresh {
        Vec::new()
    } else {
        before(&result)
    };
    for bug in &list.bug {
        all.retain(|found| found.name != bug.name || found.outcome == bug.outcome);
        if all.iter().any(|found| found.name == bug.name) {
            println!("attack: {} was found before; --fresh looks again", bug.name);
            continue;
        }
        println!("attack: plants {}: {}", bug.name, bug.about);
        let image = build(&tree, bug)?;
        if airlock_cli::qemu::interrupted() {
            break;
        }
        let images = Images {
            victim: &image,
            monitor: &monitor,
        };
        let state = campaign::hunt(options, images, &work.join(&bug.name))?;
        if airlock_cli::qemu::interrupted() {
            break;
        }
        let found = judge(bug, &state);
        println!(
            "attack: {}: {} after {} lies",
            found.name, found.outcome, found.events
        );
        all.push(found);
        std::fs::write(&result, serde_json::to_string_pretty(&all)?)?;
    }
    println!("{}", table(&all));
    let is_found = |bug: &Bug| {
        let mut all = all.iter();
        all.any(|found| (&found.name, &found.outcome) == (&bug.name, &bug.outcome))
    };
    Ok(list.bug.iter().all(is_found))
}

/// What was found by an earlier run; nothing if there was none.
fn before(result: &Path) -> Vec<Found> {
    let text = std::fs::read(result).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn judge(bug: &Bug, state: &State) -> Found {
    let first = state.bad.iter().find(|bad| bad.outcome == bug.outcome);
    let first = first.or_else(|| state.bad.first());
    Found {
        name: bug.name.clone(),
        about: bug.about.clone(),
        outcome: first.map_or(String::new(), |bad| bad.outcome.clone()),
        events: state.events,
        lies: first.map_or(String::new(), |bad| bad.lies.clone()),
        // What is not committed is not in the copy.
        commit: campaign::commit().trim_end_matches("-dirty").to_owned(),
        date: campaign::today(),
    }
}

/// Puts what is committed in `root` into `tree`. Below the root cargo reads the root's `.cargo` as well as the copy's, and
/// would give the linker its script twice.
fn copy(root: &Path, tree: &Path) -> Result<()> {
    let mut archive = Command::new("git");
    archive.current_dir(root).args(["archive", "HEAD"]);
    if tree.canonicalize()?.starts_with(root.canonicalize()?) {
        std::fs::remove_dir_all(tree.join(".cargo")).or_else(gone)?;
        archive.args(["--", ".", ":(exclude).cargo"]);
    }
    let mut archive = archive.stdout(Stdio::piped()).spawn()?;
    let stream = archive.stdout.take().context("git says nothing")?;
    let unpacked = Command::new("tar")
        .arg("-xC")
        .arg(tree)
        .stdin(stream)
        .status()?;
    ensure!(
        archive.wait()?.success() && unpacked.success(),
        "cannot copy the source to {}",
        tree.display()
    );
    Ok(())
}

/// What is not there is gone.
fn gone(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

/// Builds the victim with the bug in it, and takes the bug out of the source again.
fn build(tree: &Path, bug: &Bug) -> Result<std::path::PathBuf> {
    let file = tree.join(&bug.file);
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("{}: {}", bug.name, bug.file))?;
    std::fs::write(&file, planted(&text, bug)?)?;
    let workspace = Workspace::find_in(tree)?;
    let image = workspace.write_image(&workspace.program("victim")?, &workspace.out(), false);
    std::fs::write(&file, text)?;
    let kept = workspace.out().join(format!("{}.img", bug.name));
    std::fs::rename(image?, &kept)?;
    Ok(kept)
}

fn planted(text: &str, bug: &Bug) -> Result<String> {
    let places = text.matches(&bug.from).count();
    ensure!(
        places == 1,
        "{}: what it replaces stands {places} times in {}; bring {LIST} up to date",
        bug.name,
        bug.file
    );
    Ok(text.replace(&bug.from, &bug.to))
}

/// What was found, as a table.
pub fn table(all: &[Found]) -> Table {
    let columns = [
        "planted bug",
        "found as",
        "lies told until then",
        "what does it",
        "planted into",
    ];
    let mut table = Table::new(5, columns);
    for found in all {
        let outcome = match found.outcome.as_str() {
            "" => "**not found**",
            outcome => outcome,
        };
        let cells = [
            format!("{}: {}", found.name, found.about),
            outcome.to_owned(),
            found.events.to_string(),
            table::some(&found.lies),
            format!("{}, {}", found.commit, found.date),
        ];
        table.rows.push(cells.to_vec());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_of_the_list_has_its_place_in_the_source() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let list = std::fs::read_to_string(root.join(LIST)).unwrap();
        let list: List = toml::from_str(&list).unwrap();
        for bug in &list.bug {
            let text = std::fs::read_to_string(root.join(&bug.file)).unwrap();
            let with = planted(&text, bug).unwrap();
            assert_ne!(with, text, "{}", bug.name);
        }
    }

    #[test]
    fn flags_of_cargo_reach_a_copy_once_wherever_it_is() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let (inside, outside) = (root.join("target"), std::env::temp_dir());
        std::fs::create_dir_all(&inside).unwrap();
        for (parent, has_flags) in [(inside, false), (outside, true)] {
            let tree = tempfile::tempdir_in(parent).unwrap();
            copy(&root, tree.path()).unwrap();
            assert_eq!(tree.path().join(".cargo").exists(), has_flags);
            assert!(tree.path().join("linker/image.ld").exists());
        }
    }

    #[test]
    fn a_bug_without_its_place_is_told() {
        let bug = Bug {
            name: String::from("x"),
            about: String::new(),
            file: String::from("a.rs"),
            from: String::from("one"),
            to: String::from("two"),
            outcome: String::from("hang"),
        };
        assert!(planted("one one", &bug).is_err() && planted("", &bug).is_err());
        assert_eq!(planted("a one b", &bug).unwrap(), "a two b");
    }
}
