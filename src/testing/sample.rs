//! A random sample that depends only on its seed.

/// At most `most` of the points, in their order: which, the seed decides.
pub(super) fn sample<T>(points: Vec<T>, most: usize, seed: u64) -> Vec<T> {
    if points.len() <= most {
        return points;
    }
    let mut places: Vec<usize> = (0..points.len()).collect();
    let mut state = seed;
    // The first part of a Fisher-Yates shuffle.
    for place in 0..most {
        let left = places.len() - place;
        // The remainder favours small numbers by less than one part in 2^32 here.
        let other = place + (split_mix(&mut state) % left as u64) as usize;
        places.swap(place, other);
    }
    places.truncate(most);
    places.sort_unstable();
    let mut wanted = places.into_iter().peekable();
    let chosen = points
        .into_iter()
        .enumerate()
        .filter(|(place, _)| wanted.next_if_eq(place).is_some());
    chosen.map(|(_, point)| point).collect()
}

/// The next number of SplitMix64 (Steele, Lea, Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::split_mix;

    #[test]
    fn the_numbers_of_a_seed_are_those_of_split_mix_64() {
        // The reference values of the algorithm for this seed.
        let mut state = 1_234_567;
        let numbers: [u64; 5] = std::array::from_fn(|_| split_mix(&mut state));
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }
}
