//! A hunt's chance: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", 2014). Its one word of state is part of the hunt, so that a replay draws the same.

/// The generator. Draws only where docs/rules.md says so, and in that order.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(state: u64) -> Self {
        Self { state }
    }

    pub(super) fn state(&self) -> u64 {
        self.state
    }

    /// A number of 0..`n`: the high half of `next * n` (Lemire's reduction, without its rejection).
    pub(super) fn below(&mut self, n: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(n);
        (product >> 64) as u64
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_published_splitmix64() {
        let mut random = Random::new(1_234_567);
        let drawn: [u64; 5] = std::array::from_fn(|_| random.next());
        // From the test vectors that circulate with the reference implementation.
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn below_stays_below_and_draws_once() {
        let mut random = Random::new(7);
        for n in [1, 2, 10, 1 << 32, u64::MAX] {
            assert!(random.below(n) < n);
        }
        let mut once = Random::new(7);
        once.below(3);
        let mut next = Random::new(7);
        next.next();
        assert_eq!(once.state(), next.state());
    }
}
