//! The 256-byte descriptors that extend a RIM.

use crate::{Digest, params::put};

const SIZE: usize = 0x100;

/// One extension, as the RMM writes it down before hashing.
///
/// Ref: DEN0137 1.0-rel0, B4.4.17 to B4.4.19 "RmmMeasurementDescriptor" types.
pub(crate) struct Descriptor([u8; SIZE]);

impl Descriptor {
    /// A page with its content, or without it when `content` is `None`.
    pub fn data(rim: &Digest, ipa: u64, content: Option<&Digest>) -> Self {
        let mut descriptor = Self::new(0, rim);
        descriptor.put(0x50, &ipa.to_le_bytes());
        descriptor.put(0x58, &u64::from(content.is_some()).to_le_bytes());
        if let Some(content) = content {
            descriptor.put(0x60, content.padded());
        }
        descriptor
    }

    /// A runnable REC.
    pub fn rec(rim: &Digest, content: &Digest) -> Self {
        let mut descriptor = Self::new(1, rim);
        descriptor.put(0x50, content.padded());
        descriptor
    }

    /// One table entry whose RIPAS became RAM.
    pub fn ripas(rim: &Digest, base: u64, top: u64) -> Self {
        let mut descriptor = Self::new(2, rim);
        descriptor.put(0x50, &base.to_le_bytes());
        descriptor.put(0x58, &top.to_le_bytes());
        descriptor
    }

    /// Hashes it: the next RIM.
    pub fn digest(&self, rim: &Digest) -> Digest {
        rim.algorithm().hash(&self.0)
    }

    fn new(kind: u8, rim: &Digest) -> Self {
        let mut descriptor = Self([0; SIZE]);
        descriptor.put(0x00, &[kind]);
        descriptor.put(0x08, &0x100_u64.to_le_bytes());
        descriptor.put(0x10, rim.padded());
        descriptor
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.0, offset, bytes);
    }
}
