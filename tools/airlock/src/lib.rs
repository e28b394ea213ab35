//! The host command behind `make run`: builds images, boots them in QEMU, gives a verdict.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`cli`], [`options`] | the arguments; those of `run`, which others take as well |
//! | [`workspace`] | finds payloads and builds them with cargo |
//! | [`image`] | turns an ELF file into the raw image that boots |
//! | [`machine`] | QEMU's command line |
//! | [`network`], [`disk`] | the devices' other ends on the host |
//! | [`qemu`] | starts QEMU, and ends it in every case |
//! | [`console`] | what the guest said |
//! | [`report`], [`verdict`] | what it means |
//! | [`job`] | what the host lends to a payload, and looks at afterwards |
//! | [`keyrelease`] | the main job: a key broker that knows what the image must measure |
//! | [`fetch`], [`serve`] | a file server, a disk, and the check of its content |
//! | [`measure`], [`guest_tree`] | the RIM that an image must have, and the device tree that is in it |
//! | [`dist`] | a folder for those who boot and do not build |
//! | [`new`] | a payload in a folder of its own |
//! | [`manifest`] | a folder as a list of digests, which a realm believes |
//! | [`balloon`], [`qmp`] | memory that the guest is asked to give back, and who asks |
//! | [`symbols`] | who called what broke, from the ELF file |
//! | [`debugger`] | the line that starts gdb |
//! | [`run`] | all of it in order |
//! | [`attack`] | a run in which everything lies to the payload |
//! | [`trace`] | what crossed the boundary: live, as a table, as frames, as a page |
//! | [`profile`] | the same with counting: functions by their instructions |
#![forbid(unsafe_code)]

pub mod attack;
pub mod balloon;
pub mod cli;
pub mod console;
pub mod debugger;
pub mod disk;
pub mod dist;
pub mod features;
pub mod fetch;
pub mod guest_tree;
pub mod image;
pub mod job;
pub mod keyrelease;
pub mod machine;
pub mod manifest;
pub mod measure;
pub mod network;
pub mod new;
pub mod options;
pub mod ports;
pub mod profile;
pub mod qemu;
pub mod qmp;
pub mod report;
pub mod run;
pub mod serve;
pub mod share;
pub mod symbols;
pub mod trace;
pub mod trusted;
pub mod units;
pub mod verdict;
pub mod vsock;
pub mod workspace;
