//! `airlock run --gdb` waits, and the line that it prints stops in `main`.

use airlock_cli::debugger;
use airlock_cli::options::Mode;
use airlock_cli::workspace::Workspace;
use qemu_tests::{Boot, image};
use std::net::TcpListener;
use std::process::Command;

#[test]
fn the_line_that_is_printed_stops_in_main() {
    // A port that nobody listens on now.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.unwrap().port();
    let image = image("hello");
    let machine = Boot::machine("hello").with(&["--net", "none", "--gdb", &port.to_string()]);
    let booted = machine.start();
    let workspace = Workspace::find().unwrap();
    let source = std::fs::read_to_string(workspace.source("hello").unwrap()).unwrap();
    let line = debugger::command(port, &image, Mode::Vm, Some(&source));
    // What a person would look at next, and then lets go.
    let line = format!("{line} -batch -ex backtrace -ex 'delete' -ex continue </dev/null");
    let said = Command::new("timeout")
        .args(["50", "sh", "-c", &line])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(
        said.contains("Breakpoint 1") && said.contains("payloads/hello/src/main.rs"),
        "{said}"
    );
    assert!(said.contains("kernel/runtime/src/executor.rs"), "{said}");
    booted.join().unwrap();
}
