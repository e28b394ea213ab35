//! What is left to the device, and by the device to us.

use frame::Offloads;

use crate::Features;
use crate::net::MAX_SEGMENT;

/// What work on frames is left to the card, and may be left to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Every frame goes and comes as it is on the wire.
    None,
    /// The card fills in checksums and cuts long TCP frames that we send.
    Tx,
    /// Besides, it may hand us long TCP frames and open checksums.
    #[default]
    All,
}

impl Offload {
    /// What [`Self::parse`] takes.
    pub const EXPECTED: &str = "none, tx or all";

    /// Reads the value of a boot argument; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "tx" => Some(Self::Tx),
            "all" => Some(Self::All),
            _ => None,
        }
    }

    /// What a pool of `room` bytes has memory for: long frames take long buffers.
    pub(crate) fn within(self, room: usize, least: [usize; 2]) -> Self {
        let [all, tx] = least;
        match self {
            Self::All if room < all => Self::Tx.within(room, least),
            Self::Tx if room < tx => Self::None,
            other => other,
        }
    }

    /// The features to agree on where a card offers `offered`. A card that offers one without what
    /// it stands on does not get it.
    ///
    /// Ref: virtio 1.2, 5.1.3.1 "Feature bit requirements".
    pub(crate) fn features(self, offered: Features) -> Features {
        let plain = Features::NET_MAC | Features::NET_MRG_RXBUF;
        let sent = Features::NET_CSUM | HOST_TSO;
        let received = Features::NET_GUEST_CSUM | GUEST_TSO;
        let mut wanted = match self {
            Self::None => plain,
            Self::Tx => plain | sent,
            Self::All => plain | sent | received,
        };
        if !offered.contains(Features::NET_CSUM) {
            wanted = wanted.without(HOST_TSO);
        }
        // Without mergeable buffers each would have to hold 64 KiB.
        if !offered.contains(Features::NET_GUEST_CSUM | Features::NET_MRG_RXBUF) {
            wanted = wanted.without(GUEST_TSO);
        }
        wanted
    }
}

/// Cutting frames that are sent.
pub(crate) const HOST_TSO: Features = Features::NET_HOST_TSO4.or(Features::NET_HOST_TSO6);
/// Frames that come uncut.
pub(crate) const GUEST_TSO: Features = Features::NET_GUEST_TSO4.or(Features::NET_GUEST_TSO6);

/// What a card with `features` does with frames that are sent.
pub(crate) fn offloads(features: Features) -> Offloads {
    let cuts = features.any(HOST_TSO);
    Offloads {
        checksums: features.contains(Features::NET_CSUM),
        segments_v4: features.contains(Features::NET_HOST_TSO4),
        segments_v6: features.contains(Features::NET_HOST_TSO6),
        max_segment: if cuts { MAX_SEGMENT } else { 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_without_what_it_stands_on() {
        let all = Features::from_words(u32::MAX, 0);
        let taken = Offload::All.features(all);
        assert!(taken.contains(HOST_TSO) && taken.contains(GUEST_TSO));
        let no_csum = Offload::All.features(all.without(Features::NET_CSUM));
        assert!(!no_csum.any(HOST_TSO) && no_csum.contains(GUEST_TSO));
        for missing in [Features::NET_GUEST_CSUM, Features::NET_MRG_RXBUF] {
            let taken = Offload::All.features(all.without(missing));
            assert!(!taken.any(GUEST_TSO) && taken.contains(HOST_TSO));
        }
    }

    #[test]
    fn a_pool_of_exactly_the_least_is_enough() {
        let least = [100, 50];
        for (room, all, tx) in [
            (100, Offload::All, Offload::Tx),
            (99, Offload::Tx, Offload::Tx),
            (50, Offload::Tx, Offload::Tx),
            (49, Offload::None, Offload::None),
        ] {
            assert_eq!(Offload::All.within(room, least), all, "{room}");
            assert_eq!(Offload::Tx.within(room, least), tx, "{room}");
            assert_eq!(Offload::None.within(room, least), Offload::None);
        }
    }

    #[test]
    fn exactly_the_documented_words_are_taken() {
        assert_eq!(Offload::parse("none"), Some(Offload::None));
        assert_eq!(Offload::parse("tx"), Some(Offload::Tx));
        assert_eq!(Offload::parse("all"), Some(Offload::All));
        assert!(
            ["", "All", "rx", "none "]
                .iter()
                .all(|text| Offload::parse(text).is_none())
        );
    }

    #[test]
    fn what_is_refused_is_not_asked_for() {
        let all = Features::from_words(u32::MAX, 0);
        let received = GUEST_TSO | Features::NET_GUEST_CSUM;
        let none = Offload::None.features(all);
        assert!(!none.any(received | HOST_TSO | Features::NET_CSUM));
        assert!(!Offload::Tx.features(all).any(received));
    }
}
