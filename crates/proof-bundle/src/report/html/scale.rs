//! The scale of a plot: linear from zero, or logarithmic where the values lie far apart.
//!
//! Only the four basic operations are used on floating-point numbers: they give the same bits everywhere, which a
//! logarithm of the system's library does not promise.

/// From this ratio of the largest to the smallest value on, the scale is logarithmic.
const FAR_APART: u64 = 20;

/// How many labels fit on a phone.
const LABELS: usize = 6;

/// Where values lie between 0 (left) and 1 (right).
pub(super) enum Scale {
    Linear { last: u64, step: u64 },
    Logarithmic { first: u64, last: u64, has_zero: bool },
}

/// A line of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) value: u64,
    pub(super) is_labelled: bool,
}

impl Scale {
    /// The scale that holds all `values`.
    pub(super) fn of(values: impl Iterator<Item = u64>) -> Self {
        let (mut smallest, mut largest, mut has_zero) = (u64::MAX, 0, false);
        for value in values {
            largest = largest.max(value);
            if value == 0 {
                has_zero = true;
            } else {
                smallest = smallest.min(value);
            }
        }
        if largest == 0 {
            return Self::Linear { last: 1, step: 1 };
        }
        if largest.checked_div(smallest).is_some_and(|ratio| ratio < FAR_APART) {
            let step = round_numbers().find(|step| largest.div_ceil(*step) < 6).unwrap_or(u64::MAX);
            return Self::Linear { last: largest.div_ceil(step).saturating_mul(step), step };
        }
        let first = round_numbers().take_while(|one| *one <= smallest).last().unwrap_or(1);
        let last = round_numbers().find(|one| *one >= largest).unwrap_or(u64::MAX);
        Self::Logarithmic { first, last, has_zero }
    }

    pub(super) fn is_logarithmic(&self) -> bool {
        matches!(self, Self::Logarithmic { .. })
    }

    /// Where `value` lies. On a logarithmic scale a zero lies at the left edge, apart from the smallest value.
    pub(super) fn position(&self, value: u64) -> f64 {
        match *self {
            Self::Linear { last, .. } => (value as f64 / last.max(1) as f64).clamp(0.0, 1.0),
            Self::Logarithmic { first, last, has_zero } => {
                let start = if has_zero { 0.08 } else { 0.0 };
                if value == 0 {
                    return 0.0;
                }
                let share = (log2(value) - log2(first)) / (log2(last) - log2(first));
                start + share.clamp(0.0, 1.0) * (1.0 - start)
            }
        }
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        match *self {
            Self::Linear { last, step } => {
                let count = last.checked_div(step).unwrap_or(0);
                (0..=count).map(|index| Tick { value: index.saturating_mul(step), is_labelled: true }).collect()
            }
            Self::Logarithmic { first, last, has_zero } => {
                let within: Vec<u64> =
                    round_numbers().skip_while(|one| *one < first).take_while(|one| *one <= last).collect();
                let decades: Vec<u64> = within.iter().copied().filter(|one| is_power_of_ten(*one)).collect();
                let stride = decades.len().div_ceil(LABELS).max(1);
                let labelled: Vec<u64> =
                    if within.len() <= LABELS { within.clone() } else { decades.into_iter().step_by(stride).collect() };
                let zero = has_zero.then_some(Tick { value: 0, is_labelled: true });
                let rest = within.into_iter().map(|value| Tick { value, is_labelled: labelled.contains(&value) });
                zero.into_iter().chain(rest).collect()
            }
        }
    }
}

/// 1, 2, 5, 10, 20, 50 and so on.
fn round_numbers() -> impl Iterator<Item = u64> {
    (0..20_u32)
        .filter_map(|power| 10_u64.checked_pow(power))
        .flat_map(|power| [Some(power), power.checked_mul(2), power.checked_mul(5)].into_iter().flatten())
}

fn is_power_of_ten(value: u64) -> bool {
    value.checked_ilog10().and_then(|power| 10_u64.checked_pow(power)) == Some(value)
}

/// The binary logarithm to 24 binary places, by squaring.
fn log2(value: u64) -> f64 {
    let whole = value.checked_ilog2().unwrap_or(0);
    let mut mantissa = value.max(1) as f64 / 1_u64.checked_shl(whole).unwrap_or(1) as f64;
    let mut result = f64::from(whole);
    let mut place = 0.5;
    for _ in 0..24 {
        mantissa *= mantissa;
        if mantissa >= 2.0 {
            mantissa /= 2.0;
            result += place;
        }
        place /= 2.0;
    }
    result
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

    fn scale(values: &[u64]) -> Scale {
        Scale::of(values.iter().copied())
    }

    #[test]
    fn the_logarithm_is_one() {
        for (value, logarithm) in [(1, 0.0), (2, 1.0), (1 << 40, 40.0)] {
            assert_eq!(log2(value), logarithm);
        }
        for value in [3, 10, 1_234_567, u64::MAX] {
            assert!((log2(value) - (value as f64).log2()).abs() < 1e-6, "{value}");
        }
    }

    #[test]
    fn values_that_lie_close_have_a_linear_scale_from_zero() {
        let scale = scale(&[1_000, 1_500, 9_000]);
        assert!(!scale.is_logarithmic());
        assert_eq!(
            scale.ticks().iter().map(|tick| tick.value).collect::<Vec<_>>(),
            [0, 2_000, 4_000, 6_000, 8_000, 10_000]
        );
        assert_eq!((scale.position(0), scale.position(5_000), scale.position(10_000)), (0.0, 0.5, 1.0));
    }

    #[test]
    fn values_that_lie_far_apart_have_a_logarithmic_scale_of_decades() {
        let scale = scale(&[31_487, 2_707_095]);
        assert!(scale.is_logarithmic());
        let labelled: Vec<u64> =
            scale.ticks().into_iter().filter(|tick| tick.is_labelled).map(|tick| tick.value).collect();
        assert_eq!(labelled, [100_000, 1_000_000]);
        assert_eq!((scale.position(20_000), scale.position(5_000_000)), (0.0, 1.0));
        assert!(scale.position(31_487) < scale.position(344_713));
    }

    #[test]
    fn zero_and_the_largest_number_have_a_place() {
        for values in [&[][..], &[0], &[0, 0], &[0, 1, u64::MAX], &[u64::MAX], &[1]] {
            let scale = scale(values);
            let mut last = -1.0;
            for value in values.iter().copied().collect::<std::collections::BTreeSet<_>>() {
                let position = scale.position(value);
                assert!((0.0..=1.0).contains(&position) && position > last, "{values:?} {value} {position}");
                last = position;
            }
            assert!(scale.ticks().len() < 80 && scale.ticks().iter().filter(|tick| tick.is_labelled).count() <= 8);
        }
    }
}
