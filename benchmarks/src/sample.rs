//! Statistics of repeated measurements: the median and how far the middle half spreads, since a machine's noise is one-sided.

use serde::Serialize;

/// What repeated measurements of one thing gave, in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Half of the measurements are not above it.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// A quarter is not above it.
    pub lower: f64,
    /// A quarter is not below it.
    pub upper: f64,
    /// How many there are.
    pub count: usize,
}

impl Sample {
    /// Of measurements in any order; nothing of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            min: *sorted.first()?,
            lower: quantile(&sorted, 0.25)?,
            upper: quantile(&sorted, 0.75)?,
            count: sorted.len(),
        })
    }

    /// Of the quotients of two series that were measured in the same rounds: what disturbs a round disturbs both.
    pub fn of_ratios(above: &[f64], below: &[f64]) -> Option<Self> {
        let pairs = above.iter().zip(below);
        let ratios: Vec<f64> = pairs.map(|(above, below)| above / below).collect();
        Self::of(&ratios)
    }
}

/// The quantile of a rising series, between neighbours in proportion.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = last as f64 * part;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let (low, high) = (sorted.get(below)?, sorted.get(above)?);
    Some(low + (high - low) * (place - place.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let sample = Sample::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((sample.median, sample.min, sample.count), (2.5, 1.0, 4));
        assert_eq!((sample.lower, sample.upper), (1.75, 3.25));
    }

    #[test]
    fn one_disturbed_round_moves_neither_median_nor_quartiles() {
        let calm = Sample::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let disturbed = Sample::of(&[1.0, 2.0, 3.0, 4.0, 500.0]).unwrap();
        assert_eq!(calm, disturbed);
    }

    #[test]
    fn nothing_is_made_of_no_measurement() {
        assert_eq!(Sample::of(&[]), None);
        assert_eq!(Sample::of_ratios(&[1.0], &[]), None);
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The second round was twice as slow for both.
        let ratio = Sample::of_ratios(&[4.0, 8.0, 4.0], &[2.0, 4.0, 2.0]).unwrap();
        assert_eq!((ratio.median, ratio.lower, ratio.upper), (2.0, 2.0, 2.0));
    }
}
