//! What can panic in images: of all that are shipped.

use airlock_cli::symbols::Symbols;
use qemu_tests::image;
use std::process::Command;

#[test]
fn no_code_of_the_kernel_calls_what_panics_without_a_reason() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    for payload in ["hello", "fetch", "echo", "serve", "keybroker", "doctor"] {
        let image = image(payload);
        let mut command = Command::new(&cargo);
        command.args(["run", "--quiet", "--package", "xtask", "--", "panics"]);
        let output = command.arg(Symbols::beside(&image)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        // The table of all crates is on request; what has no reason stands below.
        let missing: Vec<_> = said.lines().filter(|line| !line.starts_with('|')).collect();
        assert!(
            output.status.success(),
            "{}:\n{}\n{complaint}",
            image.display(),
            missing.join("\n")
        );
    }
}
