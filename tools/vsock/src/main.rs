//! The back end by itself, for a QEMU that somebody else starts.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::mpsc::channel;

use anyhow::{Context, Result};
use clap::Parser;
use vsock::{Backend, Config, Way};

/// Plays the host's side of virtio-vsock for QEMU:
/// -chardev socket,id=v,path=SOCKET -device vhost-user-vsock-pci,chardev=v
/// and memory that can be shared: -object memory-backend-memfd,id=m,share=on,size=SIZE -machine memory-backend=m
#[derive(Parser)]
struct Arguments {
    /// Where QEMU finds it.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// The guest's number.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(3..))]
    cid: u32,
    /// guest:PORT=ADDRESS, host:PORT=ADDRESS or unix:PATH; can be given more than once. ADDRESS is tcp:PORT,
    /// tcp:HOST:PORT or unix:PATH.
    #[arg(value_name = "WAY")]
    ways: Vec<Way>,
}

fn main() -> Result<()> {
    let Arguments { socket, cid, ways } = Arguments::parse();
    let (sender, interrupted) = channel();
    let interrupt = move || {
        // Whoever does not listen any more is about to end.
        let _ = sender.send(());
    };
    ctrlc::set_handler(interrupt).context("cannot catch Ctrl-C")?;
    let _backend = Backend::start(Config {
        socket,
        cid,
        ways,
        say: |text| eprintln!("vsock: {text}"),
    })?;
    interrupted.recv().context("nobody can end us")
}
