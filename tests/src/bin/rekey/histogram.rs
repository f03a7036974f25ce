//! The bridge's own measure of the same thing: `keyward_bridge_rekey_seconds`, from a block's time to its last receipt.

use anyhow::{ensure, Result};
use keyward_tests::rpc;
use serde::Serialize;

const NAME: &str = "keyward_bridge_rekey_seconds";

/// A histogram: cumulative counts by upper bound in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// Upper bounds and counts.
    pub buckets: Vec<(f64, f64)>,
    /// Sum of all seconds.
    pub sum: f64,
    /// How many.
    pub count: f64,
}

impl Histogram {
    /// As the bridge shows it now.
    pub async fn read(admin: u16) -> Result<Self> {
        let (status, text) = rpc::get(admin, "/metrics").await?;
        ensure!(
            status == 200,
            "the bridge answers with HTTP status {status}"
        );
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut histogram = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix(NAME)) {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let value = value.parse().unwrap_or(0.0);
            let bound = name
                .strip_prefix("_bucket{le=\"")
                .and_then(|rest| rest.strip_suffix("\"}"));
            match (name, bound.and_then(|bound| bound.parse().ok())) {
                (_, Some(bound)) => histogram.buckets.push((bound, value)),
                ("_sum", _) => histogram.sum = value,
                ("_count", _) => histogram.count = value,
                _ => {}
            }
        }
        histogram
    }

    /// What came since another moment.
    pub fn since(&self, before: &Self) -> Self {
        let then = |bound: f64| {
            let found = before.buckets.iter().find(|(known, _)| *known == bound);
            found.map_or(0.0, |(_, count)| *count)
        };
        let buckets = self.buckets.iter();
        Self {
            buckets: buckets
                .map(|(bound, count)| (*bound, count - then(*bound)))
                .collect(),
            sum: self.sum - before.sum,
            count: self.count - before.count,
        }
    }

    /// The smallest bound under which such a part lies; none: above all of them.
    pub fn bound_of(&self, part: f64) -> Option<f64> {
        let finite = self.buckets.iter().filter(|(bound, _)| bound.is_finite());
        let mut enough = finite.filter(|(_, count)| *count >= self.count * part);
        enough.next().map(|(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_between_two_readings_is_told_apart() {
        let text = |two: u32, all: u32, sum: f64| {
            format!(
                "# TYPE {NAME} histogram\n{NAME}_sum {sum}\n{NAME}_count {all}\n{NAME}_bucket{{le=\"2.0\"}} {two}\n\
                 {NAME}_bucket{{le=\"+Inf\"}} {all}\nother 3\n"
            )
        };
        let (before, after) = (text(1, 1, 1.5), text(3, 5, 11.5));
        let between = Histogram::parse(&after).since(&Histogram::parse(&before));
        assert_eq!((between.sum, between.count), (10.0, 4.0));
        assert_eq!(between.bound_of(0.5), Some(2.0));
        assert_eq!(between.bound_of(0.99), None);
    }
}
