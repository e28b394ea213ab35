//! Images, each built once.

use airlock_cli::workspace::{Program, Workspace};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Where each image is. Who needs one that is there does not wait for who builds another.
static BUILT: Mutex<BTreeMap<String, Arc<OnceLock<PathBuf>>>> = Mutex::new(BTreeMap::new());

/// The raw image of a payload, as it is shipped.
///
/// # Panics
/// It does not build.
#[must_use]
pub fn image(payload: &str) -> PathBuf {
    image_with(payload, &[])
}

/// The raw image of a payload with those of the features `wanted` that it has.
///
/// # Panics
/// It does not build.
#[must_use]
pub fn image_with(payload: &str, wanted: &[&str]) -> PathBuf {
    built(&format!("{payload} {wanted:?}"), |workspace| {
        workspace
            .program_with(payload, wanted)
            .unwrap_or_else(|error| panic!("{error:#}"))
    })
}

/// The raw images of all payloads, as they are shipped.
///
/// # Panics
/// One of them does not build.
#[must_use]
pub fn all_images() -> Vec<PathBuf> {
    let workspace = Workspace::find().unwrap_or_else(|error| panic!("{error:#}"));
    workspace.payload_names().into_iter().map(image).collect()
}

/// The raw image of the monitor.
///
/// # Panics
/// It does not build.
#[must_use]
pub fn monitor_image() -> PathBuf {
    built("the monitor", |_| Workspace::monitor())
}

/// The raw image that breaks rules on demand.
///
/// # Panics
/// It does not build.
#[must_use]
pub fn rogue_image() -> PathBuf {
    built("the rogue image", |_| Workspace::rogue())
}

fn built(name: &str, program: impl FnOnce(&Workspace) -> Program) -> PathBuf {
    // A test that failed to build its image has said so; the others go on.
    let mut all = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Arc::clone(all.entry(name.to_owned()).or_default());
    drop(all);
    place.get_or_init(|| write(program)).clone()
}

fn write(program: impl FnOnce(&Workspace) -> Program) -> PathBuf {
    let workspace = Workspace::find().unwrap_or_else(|error| panic!("{error:#}"));
    let program = program(&workspace);
    workspace
        .write_image(&program, &workspace.out(), false)
        .unwrap_or_else(|error| panic!("{error:#}"))
}
