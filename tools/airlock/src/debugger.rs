//! A debugger for the image: QEMU waits for it, and the line that starts it is printed.

use crate::machine;
use crate::options::Mode;
use crate::symbols::Symbols;
use std::path::Path;

/// Words for QEMU's command line: stop before the first instruction, and listen on loopback.
#[must_use]
pub fn words(port: u16) -> [String; 3] {
    ["-S".into(), "-gdb".into(), format!("tcp:127.0.0.1:{port}")]
}

/// The command that starts the debugger for the raw image at `image`, as a person would type it. With
/// the text of the payload's source it stops in `main`.
#[must_use]
pub fn command(port: u16, image: &Path, mode: Mode, source: Option<&str>) -> String {
    let symbols = Symbols::beside(image);
    let at = machine::image_address(mode);
    let mut line = format!(
        "gdb-multiarch -ex 'set architecture aarch64' -ex 'add-symbol-file {} -o {at:#x}' \
         -ex 'target remote 127.0.0.1:{port}'",
        symbols.display()
    );
    if let Some(number) = source.and_then(line_of_main) {
        line.push_str(&format!(" -ex 'break main.rs:{number}' -ex continue"));
    }
    line
}

/// The number of the line on which the payload's function begins, from 1.
fn line_of_main(source: &str) -> Option<usize> {
    let found = source.lines().position(|line| line.contains("fn main("));
    found.map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debugger_stops_where_main_begins() {
        let source = "use x;\n\n#[airlock::main]\nasync fn main(realm: Realm) {\n}\n";
        let line = command(1234, Path::new("a/hello.img"), Mode::Vm, Some(source));
        assert!(
            line.contains("add-symbol-file a/hello.elf -o 0x40200000"),
            "{line}"
        );
        assert!(line.contains("break main.rs:4"), "{line}");
    }

    #[test]
    fn a_realm_lies_above_the_monitor_and_without_a_source_nothing_stops() {
        let line = command(1, Path::new("x.img"), Mode::Realm, None);
        assert!(line.contains("-o 0x44200000"), "{line}");
        assert!(!line.contains("break"), "{line}");
    }
}
