//! The realm initial measurement.

use crate::{Digest, Hasher, PAGE, RealmParams, RecParams, descriptor::Descriptor};

/// Whose rules: what counts changed between the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rmm {
    /// RMM 1.0: initialising the RIPAS of a table entry extends the RIM.
    #[default]
    V1_0,
    /// RMM 2.0: it does not.
    V2_0,
}

/// A RIM in the making: one call per RMI command that the RMM measures.
#[derive(Clone, Debug)]
pub struct Rim {
    value: Digest,
    rmm: Rmm,
}

impl Rim {
    /// `REALM_CREATE`: the first value.
    pub fn create(params: &RealmParams, rmm: Rmm) -> Self {
        Self {
            value: params.digest(),
            rmm,
        }
    }

    /// `RTT_INIT_RIPAS` of one table entry, `[base, top)`. Tells whether it counts; under RMM 2.0 it
    /// does not.
    pub fn init_ripas(&mut self, base: u64, top: u64) -> bool {
        let counts = self.rmm == Rmm::V1_0;
        if counts {
            self.extend(&Descriptor::ripas(&self.value, base, top));
        }
        counts
    }

    /// `DATA_CREATE` of the page at `ipa` with its content measured. A shorter `content` ends in
    /// zeros; of a longer one, what is beyond the page does not count.
    pub fn data(&mut self, ipa: u64, content: &[u8]) {
        let digest = self.page_digest(content);
        self.extend(&Descriptor::data(&self.value, ipa, Some(&digest)));
    }

    /// `DATA_CREATE` of the page at `ipa` whose content is not measured.
    pub fn data_address_only(&mut self, ipa: u64) {
        self.extend(&Descriptor::data(&self.value, ipa, None));
    }

    /// `REC_CREATE` of a runnable REC. One that is not runnable does not count.
    pub fn rec(&mut self, params: &RecParams) {
        let digest = params.digest(self.value.algorithm());
        self.extend(&Descriptor::rec(&self.value, &digest));
    }

    /// The value so far.
    pub const fn value(&self) -> Digest {
        self.value
    }

    fn extend(&mut self, descriptor: &Descriptor) {
        self.value = descriptor.digest(&self.value);
    }

    fn page_digest(&self, content: &[u8]) -> Digest {
        let content = content.get(..PAGE).unwrap_or(content);
        let mut hasher = Hasher::new(self.value.algorithm());
        hasher.update(content);
        hasher.zeros(PAGE - content.len());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::Algorithm;
    use std::string::{String, ToString};

    fn params(algorithm: Algorithm) -> RealmParams {
        RealmParams {
            flags: 0,
            ipa_bits: 33,
            sve_vl: 0,
            breakpoints: 5,
            watchpoints: 5,
            pmu_counters: 0,
            algorithm,
        }
    }

    fn chain(algorithm: Algorithm) -> [String; 4] {
        let mut rim = Rim::create(&params(algorithm), Rmm::V1_0);
        let a = rim.value().to_string();
        assert!(rim.init_ripas(0x8000_0000, 0x8020_0000));
        let b = rim.value().to_string();
        rim.data(0x8020_0000, &[0; 4096]);
        let c = rim.value().to_string();
        rim.rec(&RecParams::entry(0x8020_0000, 0x8fe0_0000));
        [a, b, c, rim.value().to_string()]
    }

    #[test]
    fn the_parameters_alone_give_the_known_rim() {
        let params = RealmParams {
            ipa_bits: 48,
            breakpoints: 1,
            watchpoints: 1,
            ..params(Algorithm::Sha256)
        };
        assert_eq!(
            Rim::create(&params, Rmm::V1_0).value().to_string(),
            "6739dfb22b75ee1268d08dfa8369f501bc0b066243553f069f560d1fa1172973"
        );
    }

    #[test]
    fn each_step_gives_the_known_rim_with_sha_256() {
        assert_eq!(
            chain(Algorithm::Sha256),
            [
                "9abbddd3cf68930801ba9475b12b0036bf43bd1399a161b178751d2f7b2880c3",
                "0d689b3cc196521b25f66e6c3bbdc2b8ea72e115a3bfa922c90c4c73ed798345",
                "e263687fa8a86e8d97f2bde1f2ea6c534cdcb3b058b163c436f5ceb9c8318de5",
                "a16c289252428573a5b44acfbae9eccd887e6b6a636c25f7d48bbca4b5bf50f2",
            ]
        );
    }

    #[test]
    fn first_and_last_step_give_the_known_rim_with_sha_512() {
        let [a, _, _, d] = chain(Algorithm::Sha512);
        assert!(a.starts_with("2843246be6dafb273db1b0d62dd8f5a7"), "{a}");
        assert!(d.starts_with("5d61f0a1bc2ad32bc46947bbea6622d5"), "{d}");
    }

    #[test]
    fn a_short_page_counts_as_one_that_ends_in_zeros() {
        let mut short = Rim::create(&params(Algorithm::Sha256), Rmm::V1_0);
        let mut full = short.clone();
        let mut longer = short.clone();
        short.data(0x1000, &[]);
        full.data(0x1000, &[0; 4096]);
        longer.data(0x1000, &[0; 5000]);
        assert_eq!(short.value(), full.value());
        assert_eq!(longer.value(), full.value());
    }

    #[test]
    fn under_rmm_2_0_the_ripas_does_not_count() {
        let mut rim = Rim::create(&params(Algorithm::Sha256), Rmm::V2_0);
        let before = rim.value();
        assert!(!rim.init_ripas(0x8000_0000, 0x8020_0000));
        assert_eq!(rim.value(), before);
    }

    #[test]
    fn content_counts_only_where_it_is_measured() {
        let mut with = Rim::create(&params(Algorithm::Sha256), Rmm::V1_0);
        let mut without = with.clone();
        with.data(0x1000, &[]);
        without.data_address_only(0x1000);
        assert_ne!(with.value(), without.value());
    }
}
