//! What a device can say about itself.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::Curve;
use crate::certificates::{Certificate, Key};
use crate::spdm;

/// What runs in the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// What policies of tests know.
    Known,
    /// Another version, by the same maker.
    Other,
    /// The known version, by a maker whom nobody knows.
    Forged,
}

/// A device, as its maker sold it.
pub struct Device {
    root: Vec<u8>,
    chain: Vec<u8>,
    key: Key,
    negotiation: Vec<u8>,
    firmware: Firmware,
}

impl Device {
    /// The device with keys on `curve` that runs `firmware`.
    #[must_use]
    pub fn new(curve: Curve, firmware: Firmware) -> Self {
        let maker: &[u8] = match firmware {
            Firmware::Forged => b"nobody's test devices: everybody knows this key",
            Firmware::Known | Firmware::Other => b"airlock test devices: everybody knows this key",
        };
        let key = |role: &[u8]| Key::from_seed(curve, &[maker, role].concat());
        let (root, intermediate, leaf) = (key(b"root"), key(b"line"), key(b"device"));
        let names = ["Airlock test devices", "Airlock test line", "A test device"];
        let [first, second, third] = names;
        let certificate = |number, issuer, subject, authority| Certificate {
            number,
            issuer,
            subject,
            authority,
        };
        let anchor = certificate(1, first, first, true).sign(&root, &root);
        let line = certificate(2, first, second, true).sign(&intermediate, &root);
        let own = certificate(3, second, third, false).sign(&leaf, &intermediate);
        Self {
            chain: [&anchor[..], &line, &own].concat(),
            root: anchor,
            key: leaf,
            negotiation: spdm::negotiation(curve),
            firmware,
        }
    }

    /// Its certificates, root first.
    #[must_use]
    pub fn certificates(&self) -> &[u8] {
        &self.chain
    }

    /// How it was agreed to speak.
    #[must_use]
    pub fn negotiation(&self) -> &[u8] {
        &self.negotiation
    }

    /// Its measurements, signed, with a `nonce` of its own.
    #[must_use]
    pub fn measurements(&self, nonce: [u8; 32]) -> Vec<u8> {
        let (count, record) = self.record();
        self.sign(count, &record, nonce)
    }

    /// Any `record` of `count` blocks, signed.
    #[must_use]
    pub fn sign(&self, count: u8, record: &[u8], nonce: [u8; 32]) -> Vec<u8> {
        spdm::measurements(&self.negotiation, count, record, nonce, &self.key)
    }

    /// What policies know the device by: the same as the realm finds.
    #[must_use]
    pub fn measurement(&self) -> [u8; 32] {
        measurement(&self.root, &self.record().1)
    }

    fn record(&self) -> (u8, Vec<u8>) {
        let version: &[u8] = match self.firmware {
            Firmware::Other => b"test device firmware 2",
            Firmware::Known | Firmware::Forged => b"test device firmware 1",
        };
        let digest = Sha256::digest(version);
        let blocks: [(u8, u8, &[u8]); 3] =
            [(1, 1, &digest), (2, 0x86, version), (3, 0x82, b"no debug")];
        (3, spdm::record(&blocks))
    }
}

/// SHA-256 over a label, the digest of the root certificate, and the measurement record.
#[must_use]
pub fn measurement(root: &[u8], record: &[u8]) -> [u8; 32] {
    let digest = Sha256::new()
        .chain_update(b"airlock device measurement 1\0")
        .chain_update(Sha256::digest(root))
        .chain_update(record);
    digest.finalize().into()
}
