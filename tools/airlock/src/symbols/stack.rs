//! The line that a panic or a fault prints of its stack.

use std::collections::BTreeMap;

/// Words that are read of a line, at most: it comes from a guest.
const MOST_WORDS: usize = 256;

/// What the image tells of its stack. All addresses are offsets in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Where it broke; `None` if that is no code.
    pub pc: Option<u64>,
    /// The link register, where it is code.
    pub link: Option<u64>,
    /// Words that are addresses of code, by their distance from the stack pointer.
    pub words: BTreeMap<u64, u64>,
}

impl Stack {
    /// Reads `stack: pc=0x… link=0x… 0xOFFSET:0xCODE …`; `None` if `line` is something else.
    pub fn parse(line: &str) -> Option<Self> {
        let mut stack = Self::default();
        let mut rest = line.strip_prefix("stack: ")?.split_ascii_whitespace();
        stack.pc = match rest.next()?.strip_prefix("pc=")? {
            "elsewhere" => None,
            pc => Some(number(pc)?),
        };
        for word in rest.take(MOST_WORDS) {
            match word.split_once(':') {
                Some((offset, code)) => {
                    let _older = stack.words.insert(number(offset)?, number(code)?);
                }
                None => stack.link = Some(number(word.strip_prefix("link=")?)?),
            }
        }
        Some(stack)
    }
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_panic_is_read() {
        let stack = Stack::parse("stack: pc=0x1234 0x18:0x2000 0x58:0x3000").unwrap();
        assert_eq!(stack.pc, Some(0x1234));
        assert_eq!(stack.link, None);
        assert_eq!(stack.words, [(0x18, 0x2000), (0x58, 0x3000)].into());
    }

    #[test]
    fn a_line_of_a_fault_has_the_link_register() {
        let stack = Stack::parse("stack: pc=elsewhere link=0x44 0x0:0x10").unwrap();
        assert_eq!((stack.pc, stack.link), (None, Some(0x44)));
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in [
            "",
            "stack",
            "stack: ",
            "stack: pc=12",
            "stack: pc=0x1 junk",
            "x stack: pc=0x1",
        ] {
            assert_eq!(Stack::parse(line), None, "{line}");
        }
    }
}
