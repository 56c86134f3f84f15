//! From 64-bit progress to the 32-bit pair of the original structure.

/// The largest number of the raw pair.
const LIMIT: u64 = i32::MAX as u64;

/// Scales a value and its maximum to the `int` pair of `SYNCMGRPROGRESSITEM`.
///
/// Progress here is `u64`, since files exceed 2 GiB; the header's `iProgValue` and `iMaxValue` are
/// 32-bit. What is kept:
///
/// - A pair that fits is unchanged, even where the value exceeds the maximum (the breach of rule H17
///   stays visible).
/// - With a larger maximum both are scaled so that the maximum becomes `i32::MAX`, and the value is
///   rounded down: a full bar means done. A value above that maximum becomes `i32::MAX`.
/// - With a maximum that fits, a value that does not is `i32::MAX`. A maximum of 0 (none told) is
///   such a maximum and stays 0.
/// - Both results are at least 0, a value up to the maximum stays up to the maximum, and the result
///   never falls while the value rises.
///
/// ```
/// use syncmgr::raw::scale_to_i32;
///
/// assert_eq!(scale_to_i32(3, 10), (3, 10));
/// assert_eq!(scale_to_i32(5 << 30, 10 << 30), (i32::MAX / 2, i32::MAX));
/// assert_eq!(scale_to_i32(u64::MAX - 1, u64::MAX), (i32::MAX - 1, i32::MAX));
/// assert_eq!(scale_to_i32(7, 0), (7, 0));
/// ```
#[must_use]
pub const fn scale_to_i32(value: u64, max: u64) -> (i32, i32) {
    if max <= LIMIT {
        return (clamp(value), max as i32);
    }
    // The product of two 64-bit numbers fits 128 bits, and `max` is not 0 here.
    let scaled = value as u128 * LIMIT as u128 / max as u128;
    let scaled = if scaled > LIMIT as u128 {
        i32::MAX
    } else {
        scaled as i32
    };
    (scaled, i32::MAX)
}

const fn clamp(value: u64) -> i32 {
    if value > LIMIT {
        i32::MAX
    } else {
        value as i32
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, scale_to_i32};

    /// Numbers of every magnitude, from a small fixed-seed generator (splitmix64).
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let z = z ^ (z >> 31);
            // The low bits choose how many of the high bits are kept, so small ones come as often.
            (z >> 6 << 6) >> (z & 63)
        }
    }

    #[test]
    fn the_edges_of_the_scale() {
        let top = i32::MAX;
        assert_eq!(scale_to_i32(0, 0), (0, 0));
        assert_eq!(scale_to_i32(u64::MAX, 0), (top, 0));
        assert_eq!(scale_to_i32(9, 4), (9, 4));
        assert_eq!(scale_to_i32(u64::MAX, 4), (top, 4));
        assert_eq!(scale_to_i32(LIMIT, LIMIT), (top, top));
        assert_eq!(scale_to_i32(LIMIT + 1, LIMIT), (top, top));
        assert_eq!(scale_to_i32(LIMIT, LIMIT + 1), (top - 1, top));
        assert_eq!(scale_to_i32(0, u64::MAX), (0, top));
        assert_eq!(scale_to_i32(u64::MAX, u64::MAX), (top, top));
        assert_eq!(scale_to_i32(u64::MAX, LIMIT + 1), (top, top));
    }

    #[test]
    fn the_scale_keeps_order_and_ratio() {
        let mut numbers = Numbers(7);
        for _ in 0..100_000 {
            let (max, a, b) = (numbers.next(), numbers.next(), numbers.next());
            let (low, high) = (a.min(b), a.max(b));
            let (low_raw, max_raw) = scale_to_i32(low, max);
            let (high_raw, same_max) = scale_to_i32(high, max);
            assert_eq!(
                max_raw, same_max,
                "the maximum does not depend on the value"
            );
            assert!(0 <= low_raw && low_raw <= high_raw, "{low} {high} of {max}");
            assert_eq!(max_raw == 0, max == 0);
            for (value, raw) in [(low, low_raw), (high, high_raw)] {
                if value <= max {
                    assert!(raw <= max_raw, "{value} of {max}");
                    assert_eq!(
                        raw == max_raw,
                        value == max,
                        "full means done: {value} of {max}"
                    );
                    // Rounded down by less than one step: raw <= value * max_raw / max < raw + 1.
                    let exact = u128::from(value) * u128::try_from(max_raw).unwrap();
                    let step = u128::try_from(raw).unwrap();
                    assert!(step * u128::from(max) <= exact);
                    assert!(max == 0 || exact < (step + 1) * u128::from(max));
                }
            }
        }
    }
}
