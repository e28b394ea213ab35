//! `airlock manifest`: lists a folder by digests, so that a realm can believe it.

use crate::cli::ManifestOptions;
use anyhow::{Context, Result, ensure};
use share::{CHUNK, Digest, Draft, MANIFEST, MAX_MANIFEST};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Writes the manifest of a folder into it, and tells its digest.
///
/// # Errors
/// A file cannot be read, has a name that no share can give, or there are too many.
pub fn write(options: &ManifestOptions) -> Result<Digest> {
    let draft = of(&options.folder)?;
    let file = options.folder.join(MANIFEST);
    let text = draft.to_string();
    ensure!(
        text.len() <= MAX_MANIFEST,
        "{} has more than 4 GiB in all, or too many files: its manifest would have {} bytes of at most {MAX_MANIFEST}",
        options.folder.display(),
        text.len()
    );
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(draft.digest())
}

/// The manifest of a folder as it is now. An older manifest in it is not listed.
///
/// # Errors
/// As for [`write()`].
pub fn of(folder: &Path) -> Result<Draft> {
    let mut paths = Vec::new();
    collect(folder, "", &mut paths)?;
    paths.sort();
    let mut draft = Draft::new();
    for path in paths.iter().filter(|path| *path != MANIFEST) {
        let file = folder.join(path);
        let (size, chunks) =
            digests(&file).with_context(|| format!("cannot read {}", file.display()))?;
        draft.add(path, size, chunks.iter());
    }
    Ok(draft)
}

/// Adds the paths of all plain files below `folder`, relative to the first. Links are left out, as the realm
/// does not follow any.
fn collect(folder: &Path, above: &str, paths: &mut Vec<String>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .with_context(|| format!("{} has a name that is no text", entry.path().display()))?;
        let path = match above {
            "" => name.to_owned(),
            above => format!("{above}/{name}"),
        };
        if kind.is_dir() {
            collect(&entry.path(), &path, paths)?;
        } else if kind.is_file() {
            ensure!(
                ninep::is_inside(&path),
                "{path:?} is no path that a realm asks for: 16 parts at most, of 255 bytes, without control characters"
            );
            paths.push(path);
        } else {
            eprintln!("airlock: {path} is left out: neither a file nor a folder");
        }
    }
    Ok(())
}

/// The size of a file, and the digest of each of its pieces.
fn digests(path: &Path) -> std::io::Result<(u64, Vec<Digest>)> {
    let mut file = File::open(path)?;
    let mut piece = Vec::with_capacity(CHUNK);
    let (mut size, mut digests) = (0, Vec::new());
    loop {
        piece.clear();
        let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut piece)?;
        if read == 0 {
            return Ok((size, digests));
        }
        size += read as u64;
        digests.push(Digest::of(&piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use share::Manifest;

    #[test]
    fn a_folder_has_one_manifest_whoever_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        let content = vec![7; CHUNK + 1];
        for (path, content) in [("b/x", &content[..]), ("a", b"hi"), ("b!", b"")] {
            fs::write(folder.path().join(path), content).unwrap();
        }
        let folder = folder.path().to_owned();
        let options = ManifestOptions { folder };
        let first = write(&options).unwrap();
        assert_eq!(write(&options).unwrap(), first, "it does not list itself");
        let text = fs::read(options.folder.join(MANIFEST)).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.digest(), first);
        let files: Vec<_> = manifest.files().map(|f| (f.path, f.size)).collect();
        assert_eq!(files, [("a", 2), ("b!", 0), ("b/x", CHUNK as u64 + 1)]);
        fs::remove_dir_all(options.folder).unwrap();
    }
}
