//! What `llvm-cov export` says of a file: its segments.

use crate::places::Place;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Export {
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    segments: Vec<Segment>,
}

/// From this line and column on, up to the next segment: so often, if it is known; and what else a segment says.
type Segment = (usize, usize, u64, bool, bool, bool);

/// The numbers of those of `places` that ran.
///
/// # Errors
///
/// This is not what `llvm-cov export` writes.
pub fn reached(json: &[u8], root: &str, places: &[Place]) -> Result<BTreeSet<usize>> {
    let export: Export = serde_json::from_slice(json).context("llvm-cov export")?;
    let files = export.data.into_iter().flat_map(|data| data.files);
    let files: BTreeMap<String, Vec<Segment>> = files
        .map(|file| {
            let path = file.filename.strip_prefix(root).unwrap_or(&file.filename);
            (path.trim_start_matches('/').to_owned(), file.segments)
        })
        .collect();
    let has_run = |place: &Place| {
        let segments = files.get(&place.path)?;
        let at = (place.line, place.column);
        let behind = segments.partition_point(|segment| (segment.0, segment.1) <= at);
        let (_, _, count, is_known, ..) = segments.get(behind.checked_sub(1)?)?;
        Some(*is_known && *count > 0)
    };
    let numbered = places.iter().enumerate();
    let ran = numbered.filter(|(_, place)| has_run(place) == Some(true));
    Ok(ran.map(|(number, _)| number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize) -> Place {
        Place {
            path: "kernel/a.rs".to_owned(),
            line,
            column,
            function: String::new(),
            call: String::new(),
            nth: 0,
            of: String::new(),
        }
    }

    #[test]
    fn a_place_ran_if_the_segment_that_it_lies_in_did() {
        let json = br#"{"data": [{"files": [{"filename": "/r/kernel/a.rs", "segments": [
            [3, 1, 7, true, true, false], [4, 9, 0, true, true, false], [5, 2, 7, true, false, false],
            [9, 1, 0, false, false, false]]}]}]}"#;
        let places = [
            place(2, 1),
            place(3, 5),
            place(4, 20),
            place(5, 2),
            place(9, 2),
        ];
        let ran = reached(json, "/r", &places).expect("an export");
        assert_eq!(ran, BTreeSet::from([1, 3]));
    }
}
