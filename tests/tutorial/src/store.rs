//! The note on the disk, which is the host's: sealed, so that the host can neither read nor change it.

use alloc::string::String;

use airlock::{BlockDevice, Disk, Realm, SECTOR_SIZE};
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::Failure;

/// Bytes of the number that is used once.
const NONCE: usize = 24;
/// Bytes by which a sealed text is longer than the text.
const TAG: usize = 16;
/// Most bytes of a note: it has one sector.
const ROOM: usize = SECTOR_SIZE - NONCE - TAG;
const TOO_LONG: &str = "a note has at most 472 bytes";
const NOT_OURS: &str = "the disk does not hold what this image wrote there";

/// Where the note is kept.
pub struct Store {
    realm: Realm,
    disk: Disk,
    cipher: XChaCha20Poly1305,
}

impl Store {
    /// The first disk of the realm, and the key that its note is sealed with.
    pub fn new(realm: &Realm, key: [u8; 32]) -> Result<Self, airlock::Error> {
        Ok(Self {
            realm: realm.clone(),
            disk: realm.disk()?,
            cipher: XChaCha20Poly1305::new(&key.into()),
        })
    }

    /// Seals `note` and keeps it.
    pub async fn save(&self, note: &str) -> Result<(), Failure> {
        let mut text = [0; ROOM];
        let place = text.get_mut(..note.len()).ok_or(TOO_LONG)?;
        place.copy_from_slice(note.as_bytes());
        let mut nonce = [0; NONCE];
        self.realm.random(&mut nonce)?;
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), text.as_slice());
        let sealed = sealed.map_err(|_| TOO_LONG)?;
        self.disk.write(0, &[&nonce, &*sealed].concat()).await?;
        self.disk.flush().await?;
        Ok(())
    }

    /// The note; an empty one from an empty disk.
    pub async fn load(&self) -> Result<String, Failure> {
        let mut sector = [0; SECTOR_SIZE];
        self.disk.read(0, &mut sector).await?;
        if sector == [0; SECTOR_SIZE] {
            return Ok(String::new());
        }
        let (nonce, sealed) = sector.split_first_chunk::<NONCE>().ok_or(NOT_OURS)?;
        let text = self.cipher.decrypt(&XNonce::from(*nonce), sealed);
        let text = text.map_err(|_| NOT_OURS)?;
        let text = String::from_utf8(text).map_err(|_| NOT_OURS)?;
        Ok(text.trim_end_matches('\0').into())
    }
}
