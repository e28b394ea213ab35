//! The tree of calls with names, and what each function has of all instructions.

use super::symbols::Symbols;
use std::collections::BTreeMap;
use std::fmt::Write;
use tcg::counts::Call;

/// A function under its callers.
#[derive(Debug, Default)]
pub struct Node {
    /// Instructions of its own and of what it calls.
    pub total: u64,
    /// Instructions of its own.
    pub own: u64,
    /// What it calls, by name.
    pub children: BTreeMap<String, Node>,
}

/// All that was counted.
#[derive(Debug, Default)]
pub struct Tree {
    /// Whoever called first.
    pub root: Node,
}

/// Deeper calls are counted for the one at this depth.
const DEPTH: usize = 64;

impl Tree {
    /// Names the calls.
    pub fn build(calls: &[Call], symbols: &Symbols) -> Self {
        Self::named(calls, |address| symbols.names(address))
    }

    fn named(calls: &[Call], names: impl Fn(u64) -> Vec<String>) -> Self {
        let by_id: BTreeMap<u64, &Call> = calls.iter().map(|call| (call.id, call)).collect();
        let mut tree = Self::default();
        for block in calls
            .iter()
            .filter(|call| call.block && call.instructions > 0)
        {
            // Innermost first: what is inlined here, then the functions that were called.
            let mut path = names(block.entry);
            path.reverse();
            let mut caller = by_id.get(&block.parent);
            // The block's outermost name is the function itself; its call node has the same name.
            let mut of_block = true;
            while let Some(call) = caller.filter(|call| call.id != 0) {
                let name = names(call.entry).into_iter().next();
                match name {
                    Some(name) if of_block && path.last() == Some(&name) => {}
                    Some(name) => path.push(name),
                    None => {}
                }
                of_block = false;
                caller = by_id.get(&call.parent);
            }
            tree.add(path.iter().rev().take(DEPTH), block.instructions);
        }
        tree
    }

    fn add<'a>(&mut self, path: impl Iterator<Item = &'a String>, instructions: u64) {
        let mut node = &mut self.root;
        node.total += instructions;
        for name in path {
            node = node.children.entry(name.clone()).or_default();
            node.total += instructions;
        }
        node.own += instructions;
    }

    /// The `top` functions by their own instructions, as lines of text.
    pub fn table(&self, top: usize) -> String {
        let mut functions: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        collect(&self.root, &mut Vec::new(), &mut functions);
        let mut sorted: Vec<_> = functions.into_iter().collect();
        sorted.sort_by_key(|(_, (own, _))| std::cmp::Reverse(*own));
        let mut text = format!(
            "{} instructions\n    own  with calls  function\n",
            self.root.total
        );
        for (name, (own, total)) in sorted.into_iter().take(top) {
            let _fits = writeln!(
                text,
                "{:>6}%     {:>6}%  {name}",
                percent(own, self.root.total),
                percent(total, self.root.total)
            );
        }
        text
    }
}

/// Sums by name. A function that calls itself is counted once with its calls.
fn collect<'a>(
    node: &'a Node,
    path: &mut Vec<&'a str>,
    functions: &mut BTreeMap<&'a str, (u64, u64)>,
) {
    for (name, child) in &node.children {
        let again = path.contains(&name.as_str());
        let sums = functions.entry(name).or_default();
        sums.0 += child.own;
        sums.1 += if again { 0 } else { child.total };
        path.push(name);
        collect(child, path, functions);
        path.pop();
    }
}

/// A share with one decimal.
pub fn percent(part: u64, all: u64) -> String {
    let thousandths = u128::from(part) * 1000 / u128::from(all.max(1));
    format!("{}.{}", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: u64, parent: u64, entry: u64) -> Call {
        Call {
            id,
            parent,
            entry,
            instructions: 0,
            block: false,
        }
    }

    fn block(id: u64, parent: u64, entry: u64, instructions: u64) -> Call {
        Call {
            instructions,
            block: true,
            ..call(id, parent, entry)
        }
    }

    /// 1 is `main`, 2 is `copy`; at 12 `check` is inlined into `main`.
    fn names(address: u64) -> Vec<String> {
        let names: &[&str] = match address {
            12 => &["main", "check"],
            10.. => &["main"],
            _ => &["copy"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn tree() -> Tree {
        let calls = [
            call(0, 0, 0),
            call(1, 0, 10),
            call(2, 1, 5),
            block(3, 1, 11, 10),
            block(4, 1, 12, 30),
            block(5, 2, 6, 60),
        ];
        Tree::named(&calls, names)
    }

    #[test]
    fn what_was_inlined_stands_under_the_function_that_has_it() {
        let tree = tree();
        let main = &tree.root.children["main"];
        assert_eq!((main.total, main.own), (100, 10));
        assert_eq!(main.children["check"].own, 30);
        assert_eq!(main.children["copy"].total, 60);
    }

    #[test]
    fn the_table_begins_with_the_most() {
        let table = tree().table(2);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[2].contains("60.0%") && lines[2].ends_with("copy"),
            "{table}"
        );
        assert_eq!(lines.len(), 4);
    }
}
