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

    /// Those of tests/vectors/splitmix64.json, which the Go engine reads too. A line of it is a vector, and all
    /// that is needed of it stands in quotes: the engine takes no JSON reader for that.
    #[test]
    fn draws_are_those_of_the_golden_vectors() {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let (mut nexts, mut belows) = (0, 0);
        for line in include_str!("../../tests/vectors/splitmix64.json").lines() {
            let line = line.replace("\"published\": true, ", "");
            let quoted: Vec<_> = line.split('"').skip(1).step_by(2).collect();
            match quoted[..] {
                ["state", state, "state_after", after, "next", ref draws @ ..] => {
                    nexts += 1;
                    let mut random = Random::new(number(state));
                    for want in draws {
                        assert_eq!(random.next(), number(want), "next from {state}");
                    }
                    assert_eq!(random.state(), number(after), "from {state}");
                }
                ["state", state, "n", n, "below", ref draws @ ..] => {
                    belows += 1;
                    let mut random = Random::new(number(state));
                    for want in draws {
                        assert_eq!(
                            random.below(number(n)),
                            number(want),
                            "below({n}) from {state}"
                        );
                    }
                }
                _ => {}
            }
        }
        assert_eq!((nexts, belows), (7, 28), "vectors read");
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
