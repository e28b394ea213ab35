//! Every place where the kernel reads a byte that the host controls.
//!
//! What the host said is an `Untrusted<T>`. A function whose result has one in it hands the host's word
//! on, marked; whoever calls such a function and has none in its own result takes the word out, and
//! that call is a place. So the list is made of the source, and what the compiler demands keeps it
//! whole: no word comes out of an `Untrusted` by itself.

mod calls;
mod functions;
mod macros;

use crate::finding::Finding;
use crate::tree::Tree;
use calls::Call;
use functions::Function;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Whose word each file takes out: `path  what it reads`.
const LIST: &str = "tools/xtask/places.txt";
/// Functions that read raw memory, and not the host's: `path function  # reason`.
const OWN: &str = "tools/xtask/own-reads.txt";
/// Reads the device tree. Its bytes lie in private memory by then and do not change any more, and what it makes
/// of them is a `devtree::Machine`, each field checked: that type is the boundary. So its words are no
/// `Untrusted`, and are listed by the names of the functions that read.
const TREE: &str = "kernel/devtree/src/";
const TREE_READERS: [&str; 12] = [
    "read",
    "cell",
    "number",
    "head",
    "name",
    "name_without_address",
    "bytes",
    "required",
    "text",
    "raw_reg",
    "entries",
    "memory_reservations",
];
/// What is in an image.
const FOLDERS: [&str; 3] = ["kernel/", "boards/", "payloads/"];
/// The crate that defines the mark.
const MARK_CRATE: &str = "kernel/untrusted/";

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, from the root.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in it, from 1.
    pub column: usize,
    /// The function that it is in.
    pub function: String,
    /// The call, as it stands in the source.
    pub call: String,
    /// Which one it is of those that are written alike in this function of this file, from 0.
    pub nth: usize,
    /// Whose word that is.
    pub of: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            function,
            call,
            of,
            ..
        } = self;
        write!(f, "{path}:{line}\t{of}\t{function}\t{call}")
    }
}

/// What the source says of the host's word.
struct Source<'t> {
    /// Functions of the image, by file.
    functions: BTreeMap<&'t str, Vec<Function>>,
    /// Names of functions that hand the host's word on.
    marked: BTreeSet<String>,
    /// The same, in the parser of the tree.
    of_tree: BTreeSet<String>,
}

impl<'t> Source<'t> {
    fn read(tree: &'t Tree) -> Self {
        let of_image = |path: &str| {
            let inside = FOLDERS.iter().any(|folder| path.starts_with(folder));
            inside && path.contains("/src/") && !path.starts_with(MARK_CRATE)
        };
        let files = tree.with_extension("rs");
        let files = files.filter(|(path, _)| of_image(path));
        let functions: BTreeMap<_, _> = files
            .map(|(path, text)| (path, functions::of(text)))
            .collect();
        let marked = functions.values().flatten().filter(|f| f.is_marked);
        let names = |f: &Function| [vec![f.name.clone()], f.made.clone()].concat();
        let marked = marked.flat_map(names).collect();
        Self {
            functions,
            marked,
            of_tree: TREE_READERS.map(str::to_owned).into(),
        }
    }

    fn calls(&self) -> impl Iterator<Item = (&'t str, &Function, Call)> {
        self.functions.iter().flat_map(move |(path, functions)| {
            let names = match path.starts_with(TREE) {
                true => &self.of_tree,
                false => &self.marked,
            };
            let hands_on =
                |f: &Function| f.is_marked || path.starts_with(TREE) && names.contains(&f.name);
            let takes_out = functions.iter().filter(move |f| !hands_on(f));
            takes_out.flat_map(move |function| {
                let found = calls::of(&function.body, names);
                found.into_iter().map(move |call| (*path, function, call))
            })
        })
    }
}

/// The places of `tree`, by file and line.
pub fn of(tree: &Tree) -> Vec<Place> {
    let listed = listed(tree, LIST);
    let source = Source::read(tree);
    let mut places: Vec<_> = source
        .calls()
        .map(|(path, function, call)| Place {
            path: path.to_owned(),
            line: call.line,
            column: call.column,
            function: function.name.clone(),
            call: call.text,
            nth: 0,
            of: listed.get(path).cloned().unwrap_or_default(),
        })
        .collect();
    places.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
    number(&mut places);
    places
}

/// Numbers those that are written alike.
fn number(places: &mut [Place]) {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for place in places {
        let key = (
            place.path.clone(),
            place.function.clone(),
            place.call.clone(),
        );
        let count = seen.entry(key).or_default();
        place.nth = *count;
        *count += 1;
    }
}

/// Looks for reads that no mark guards, and for places that nobody has named.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let source = Source::read(tree);
    let mut findings = unnamed(tree);
    findings.extend(raw_reads(tree, &source));
    findings.extend(homonyms(&source));
    findings
}

/// Files with places that the list does not name, and the other way round.
fn unnamed(tree: &Tree) -> Vec<Finding> {
    let listed = listed(tree, LIST);
    let places = of(tree);
    let with_places: BTreeSet<&str> = places.iter().map(|place| &*place.path).collect();
    let missing = places
        .iter()
        .filter(|place| place.of.is_empty())
        .map(|place| {
            let text = format!("reads what the host controls; say in {LIST} of what it is");
            Finding::in_line(&place.path, place.line, text)
        });
    let idle = listed
        .keys()
        .filter(|path| !with_places.contains(path.as_str()))
        .map(|path| {
            Finding::at(
                path,
                format!("reads nothing of the host; take it out of {LIST}"),
            )
        });
    missing.chain(idle).collect()
}

/// Raw loads in functions that do not hand an `Untrusted` on, and that nobody has vouched for.
fn raw_reads(tree: &Tree, source: &Source<'_>) -> Vec<Finding> {
    let own = listed(tree, OWN);
    let mut used = BTreeSet::new();
    let mut findings = Vec::new();
    for (path, functions) in &source.functions {
        for function in functions.iter().filter(|f| !f.is_marked) {
            let Some((line, word)) = calls::raw_read(&function.body) else {
                continue;
            };
            let key = format!("{path} {}", function.name);
            if own.contains_key(&key) {
                used.insert(key);
                continue;
            }
            let text = format!(
                "`{}` reads by `{word}` and hands no Untrusted on; if that memory is ours alone, say so in {OWN}",
                function.name
            );
            findings.push(Finding::in_line(path, line, text));
        }
    }
    let idle = own.keys().filter(|key| !used.contains(*key));
    findings.extend(idle.map(|key| Finding::at(OWN, format!("`{key}` reads nothing raw"))));
    findings
}

/// Functions that are named as a marked one and are not: the list would have their calls in it.
fn homonyms(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, functions) in &source.functions {
        for function in functions.iter().filter(|f| !f.is_marked) {
            if source.marked.contains(&function.name) {
                let text = format!(
                    "`{}` is also the name of a function that hands an Untrusted on; name it otherwise",
                    function.name
                );
                findings.push(Finding::in_line(path, function.line, text));
            }
        }
    }
    findings
}

/// The lines of a list: what stands before two spaces or ` #`, and what behind.
fn listed(tree: &Tree, list: &str) -> BTreeMap<String, String> {
    let lines = tree.text(list).unwrap_or_default().lines();
    let lines = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .filter_map(|line| {
            let (key, text) = line.split_once("  ").or_else(|| line.split_once(" #"))?;
            Some((key.trim().to_owned(), text.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVER: &str = "
fn status(&self) -> Untrusted<u8> { self.0.read8(20) }
impl D { fn ready(&self) -> bool { self.status().is(1) } }
#[cfg(test)] mod tests { fn t() { D.status(); } }
";

    fn tree() -> Tree {
        Tree::default()
            .with("kernel/d/src/lib.rs", DRIVER)
            .with(LIST, "# places\nkernel/d/src/lib.rs  a device\n")
    }

    #[test]
    fn a_call_that_takes_the_word_out_is_a_place() {
        let places = of(&tree());
        let text: Vec<_> = places.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            ["kernel/d/src/lib.rs:3\ta device\tready\tself.status()"]
        );
        assert_eq!(check(&tree()), []);
    }

    #[test]
    fn a_file_without_its_line_is_found_and_so_is_a_line_without_its_file() {
        let findings = check(&tree().with(LIST, "kernel/e/src/lib.rs  gone\n"));
        let text: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(text[0].starts_with("kernel/d/src/lib.rs:3: reads what the host"));
        assert!(text[1].starts_with("kernel/e/src/lib.rs: reads nothing"));
    }

    #[test]
    fn a_raw_read_without_a_mark_is_found_until_somebody_vouches_for_it() {
        let raw = "fn peek(&self) -> u8 { unsafe { self.0.read_volatile() } }";
        let tree = tree().with("kernel/e/src/lib.rs", raw);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0]
                .to_string()
                .contains("`peek` reads by `read_volatile`")
        );
        let vouched = tree.with(OWN, "kernel/e/src/lib.rs peek  # ours\n");
        assert_eq!(check(&vouched), []);
    }

    #[test]
    fn a_vouched_function_that_reads_nothing_is_found() {
        let tree = tree().with(OWN, "kernel/d/src/lib.rs ready  # ours\n");
        assert!(check(&tree)[0].to_string().contains("reads nothing raw"));
    }

    #[test]
    fn a_property_of_the_tree_is_a_place_where_it_is_used_and_not_where_it_is_handed_on() {
        let parser = "impl N { fn cell(self) -> u32 { self.bytes(7) } fn stride(self) -> u32 { self.cell() } }";
        let tree = Tree::default().with("kernel/devtree/src/n.rs", parser);
        let calls: Vec<_> = of(&tree).into_iter().map(|place| place.call).collect();
        assert_eq!(calls, ["self.cell()"]);
        let elsewhere = Tree::default().with("kernel/d/src/n.rs", parser);
        assert_eq!(of(&elsewhere), []);
    }

    #[test]
    fn two_functions_of_one_name_have_one_mark() {
        let tree = tree().with("kernel/e/src/lib.rs", "fn status() -> u8 { 0 }");
        assert!(check(&tree)[0].to_string().contains("name it otherwise"));
    }
}
