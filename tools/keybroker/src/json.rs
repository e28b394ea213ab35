//! JSON that people write: what is wrong is told with its place, and not in the parser's words.

use anyhow::{Result, anyhow};
use serde_json::Value;

/// Reads any JSON.
///
/// # Errors
///
/// It is none; the text says where it goes wrong.
pub fn read(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| {
        anyhow!(
            "this is no JSON: it goes wrong at line {}, column {}",
            error.line(),
            error.column()
        )
    })
}
