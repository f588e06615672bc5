//! Bytes to seal, made from the run's seed: the same in two runs of one seed, and no two blocks alike.

/// SplitMix64 (Steele, Lea, Flood 2014): enough for test data, and a few lines.
pub(super) struct Generator(u64);

impl Generator {
    /// The generator of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// `length` bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.saturating_add(8));
        while bytes.len() < length {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The reference implementation's first outputs for seed 1234567.
        let mut generator = Generator::new(1_234_567);
        let first = [generator.next(), generator.next(), generator.next()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn bytes_have_the_length_asked_for_and_follow_from_the_seed() {
        for length in [0, 1, 7, 8, 9, 1000] {
            assert_eq!(Generator::new(7).bytes(length).len(), length);
        }
        assert_eq!(Generator::new(7).bytes(100), Generator::new(7).bytes(100));
        assert_ne!(Generator::new(7).bytes(100), Generator::new(8).bytes(100));
    }
}
