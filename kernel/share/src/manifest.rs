//! The list of a folder: each file, its size, and the digest of each of its pieces.
//!
//! ```text
//! airlock manifest 1
//! 70000 web/index.html
//! e3b0c442…   the first 65536 bytes
//! 91fa02be…   the other 4464
//! ```
//!
//! Files are in the order of their paths, so that one folder has one manifest.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::{Digest, ManifestFault};

/// Bytes of a piece: what is read, hashed and compared at once.
pub const CHUNK: usize = 64 << 10;
/// Most bytes of a manifest: enough for 4 GiB of files.
pub const MAX_MANIFEST: usize = 4 << 20;

const FIRST_LINE: &str = "airlock manifest 1";

/// A manifest, read and checked. It says nothing of who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    digest: Digest,
    files: Vec<File>,
    chunks: Vec<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    path: String,
    size: u64,
    /// Where its digests begin.
    first: usize,
}

/// A file of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'m> {
    /// Its path in the share.
    pub path: &'m str,
    /// Its bytes.
    pub size: u64,
    chunks: &'m [Digest],
}

impl Listed<'_> {
    /// The digest of piece `number`; `None` behind the end.
    pub fn chunk(&self, number: usize) -> Option<&Digest> {
        self.chunks.get(number)
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// [`ManifestFault`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestFault> {
        let text = core::str::from_utf8(bytes).map_err(|_| ManifestFault::Text)?;
        let text = text.strip_suffix('\n').ok_or(ManifestFault::End)?;
        let mut lines = (1..).zip(text.split('\n'));
        if lines.next().map(|(_, line)| line) != Some(FIRST_LINE) {
            return Err(ManifestFault::Version);
        }
        let mut manifest = Self {
            digest: Digest::of(bytes),
            files: Vec::new(),
            chunks: Vec::new(),
        };
        while let Some((number, line)) = lines.next() {
            let (path, size) = head(line).ok_or(ManifestFault::Line(number))?;
            if !ninep::is_inside(path) || manifest.files.last().is_some_and(|f| *f.path >= *path) {
                return Err(ManifestFault::Path(number));
            }
            let first = manifest.chunks.len();
            for _ in 0..size.div_ceil(CHUNK as u64) {
                let (number, line) = lines.next().ok_or(ManifestFault::End)?;
                let digest = Digest::parse_digits(line).ok_or(ManifestFault::Line(number))?;
                manifest.chunks.push(digest);
            }
            let path = String::from(path);
            manifest.files.push(File { path, size, first });
        }
        Ok(manifest)
    }

    /// Its own digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file at `path`, if it is listed.
    pub fn find(&self, path: &str) -> Option<Listed<'_>> {
        let found = self.files.binary_search_by(|file| (*file.path).cmp(path));
        self.files
            .get(found.ok()?)
            .and_then(|file| self.listed(file))
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = Listed<'_>> {
        self.files.iter().filter_map(|file| self.listed(file))
    }

    fn listed<'m>(&'m self, file: &'m File) -> Option<Listed<'m>> {
        let count = usize::try_from(file.size.div_ceil(CHUNK as u64)).ok()?;
        Some(Listed {
            path: &file.path,
            size: file.size,
            chunks: self.chunks.get(file.first..)?.get(..count)?,
        })
    }
}

/// The line in front of a file's digests: its size, without zeros in front, and its path.
fn head(line: &str) -> Option<(&str, u64)> {
    let (size, path) = line.split_once(' ')?;
    let plain = size == "0" || !size.starts_with('0');
    let digits = size.bytes().all(|byte| byte.is_ascii_digit());
    let size = size.parse().ok().filter(|_| plain && digits)?;
    Some((path, size))
}

/// A manifest that is being made.
#[derive(Debug, Default)]
pub struct Draft {
    text: String,
}

impl Draft {
    /// One without files.
    pub fn new() -> Self {
        let mut text = String::from(FIRST_LINE);
        text.push('\n');
        Self { text }
    }

    /// Adds a file by its path, its size, and its pieces, of [`CHUNK`] bytes each but for the last. Files are
    /// to be added in the order of their paths.
    pub fn add<'c>(&mut self, path: &str, size: u64, chunks: impl Iterator<Item = &'c Digest>) {
        // A string takes whatever is written to it.
        let _ = writeln!(self.text, "{size} {path}");
        for chunk in chunks {
            let _ = writeln!(self.text, "{}", chunk.digits());
        }
    }

    /// Its digest.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    fn draft() -> Draft {
        let mut draft = Draft::new();
        let content = vec![7; CHUNK + 5];
        let chunks: Vec<_> = content.chunks(CHUNK).map(Digest::of).collect();
        draft.add("a/big", content.len() as u64, chunks.iter());
        draft.add("b empty", 0, [].iter());
        draft
    }

    #[test]
    fn a_draft_is_a_manifest() {
        let draft = draft();
        let manifest = Manifest::parse(draft.to_string().as_bytes()).unwrap();
        assert_eq!(manifest.digest(), draft.digest());
        let big = manifest.find("a/big").unwrap();
        assert_eq!(big.size, CHUNK as u64 + 5);
        assert_eq!(big.chunk(1), Some(&Digest::of(&[7; 5])));
        assert_eq!(big.chunk(2), None);
        assert_eq!(manifest.find("b empty").unwrap().chunk(0), None);
        assert_eq!(manifest.find("b"), None);
        assert_eq!(manifest.files().count(), 2);
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_its_line() {
        let whole = draft().to_string();
        let digits = "0".repeat(64);
        let of = |lines: &str| format!("{FIRST_LINE}\n{lines}");
        for (text, fault) in [
            (String::new(), ManifestFault::End),
            (String::from("airlock manifest 2\n"), ManifestFault::Version),
            (String::from(FIRST_LINE), ManifestFault::End),
            (of("5\n"), ManifestFault::Line(2)),
            (of("+5 a\n"), ManifestFault::Line(2)),
            (of("05 a\n"), ManifestFault::Line(2)),
            (of("5 a\nshort\n"), ManifestFault::Line(3)),
            (of("5 a\n"), ManifestFault::End),
            (of("5 ../a\n"), ManifestFault::Path(2)),
            (of("0 b\n0 a\n"), ManifestFault::Path(3)),
            (of("0 a\n0 a\n"), ManifestFault::Path(3)),
            (
                of(&format!("5 a\n{digits}\n{digits}\n")),
                ManifestFault::Line(4),
            ),
            (of("18446744073709551615 a\n"), ManifestFault::End),
            (whole.replace("\n0 b", "\n0 b\0"), ManifestFault::Path(5)),
        ] {
            assert_eq!(Manifest::parse(text.as_bytes()), Err(fault), "{text}");
        }
        assert_eq!(Manifest::parse(&[0xff, b'\n']), Err(ManifestFault::Text));
    }
}
