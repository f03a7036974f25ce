//! What was measured, as the tables of docs/benchmarks.md and as JSON.

use serde::Serialize;

use crate::{histogram::Histogram, latency::Latencies, processes::Used, removals::Removal};

/// What the design promises for the last honest member, in seconds: half of the times, and 99 of 100 (section 10).
const PROMISED: (f64, f64) = (3.0, 5.0);

/// Everything of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// On what.
    pub machine: String,
    /// Members before the first removal.
    pub members: usize,
    /// Members that may publish.
    pub publishers: usize,
    /// Removals, in their order.
    pub removals: Vec<Removal>,
    /// What members refused to believe meanwhile.
    pub refused: Vec<String>,
    /// The bridge's own measure of the removals.
    pub bridge: Histogram,
    /// Processor time of each removal, with everything that followed until all receipts were on chain.
    pub used: Used,
    /// Messages end to end.
    pub latencies: Latencies,
}

impl Report {
    /// As Markdown.
    pub fn render(&self) -> String {
        [
            self.head(),
            self.removal_table(),
            self.verdict(),
            self.rest(),
            self.latency_table(),
        ]
        .join("\n")
    }

    fn head(&self) -> String {
        format!(
            "Machine: {}. Four validators, Mosquitto with TLS, bridge and {} devices on it, {} of them publishers; {} removals of one \
             member each.\n",
            self.machine,
            self.members,
            self.publishers,
            self.removals.len()
        )
    }

    fn removal_table(&self) -> String {
        type Part = fn(&Removal) -> f64;
        let parts: [(&str, Part); 5] = [
            ("to its block", |it| it.block),
            ("to finality", |it| it.finality),
            ("to the new key at half of the members", |it| it.half),
            ("to the new key at the last member", |it| it.last),
            ("the same, from the time of the block", |it| {
                it.last_from_block
            }),
        ];
        let mut text =
            "| seconds from the submission | p50 | p99 | least | most |\n|---|---|---|---|---|\n"
                .to_owned();
        for (name, part) in parts {
            let values: Vec<f64> = self.removals.iter().map(part).collect();
            let [half, most_of, least, most] =
                [0.5, 0.99, 0.0, 1.0].map(|part| quantile(&values, part));
            text += &format!("| {name} | {half:.2} | {most_of:.2} | {least:.2} | {most:.2} |\n");
        }
        text
    }

    fn verdict(&self) -> String {
        let last: Vec<f64> = self.removals.iter().map(|removal| removal.last).collect();
        let said = |name: &str, part: f64, promised: f64| {
            let measured = quantile(&last, part);
            let kept = match measured <= promised {
                true => "kept".into(),
                false => format!("missed by {:.2} s", measured - promised),
            };
            format!("{name} ≤ {promised} s: {measured:.2} s, {kept}")
        };
        let promises = [said("p50", 0.5, PROMISED.0), said("p99", 0.99, PROMISED.1)];
        format!(
            "Promised for the last member, from the submission: {}.\n",
            promises.join("; ")
        )
    }

    fn rest(&self) -> String {
        let bound = |part| match self.bridge.bound_of(part) {
            Some(bound) => format!("at most {bound} s"),
            None => "above its largest bound".into(),
        };
        let Used {
            bridge,
            broker,
            nodes,
            devices,
        } = self.used;
        format!(
            "The bridge's own `keyward_bridge_rekey_seconds`, from a block's time to the last receipt: {} epochs, {:.2} s on average, half {}, \
             99 of 100 {}.\n\nProcessor time of one removal with all that follows until every receipt is on chain: bridge {bridge:.2} s, broker {broker:.2} s, \
             four nodes {nodes:.2} s, all devices {devices:.2} s. Control messages that members refused: {}.\n",
            self.bridge.count,
            self.bridge.sum / self.bridge.count.max(1.0),
            bound(0.5),
            bound(0.99),
            self.refused.len()
        )
    }

    fn latency_table(&self) -> String {
        let Latencies { plain, protected } = &self.latencies;
        let mut text = format!(
            "| 100 bytes end to end, {} each in turns, ms | p50 | p99 |\n|---|---|---|\n",
            plain.len()
        );
        let rows = [
            ("plain MQTT", plain),
            (
                "protected and signed, agents with stores on disk",
                protected,
            ),
        ];
        for (name, values) in rows {
            let [half, most] = [0.5, 0.99].map(|part| quantile(values, part) * 1e3);
            text += &format!("| {name} | {half:.2} | {most:.2} |\n");
        }
        let ratios: Vec<f64> = protected
            .iter()
            .zip(plain)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let [lower, half, upper] = [0.25, 0.5, 0.75].map(|part| quantile(&ratios, part));
        text + &format!(
            "\nProtected over plain, pair by pair: {half:.2} ({lower:.2}–{upper:.2}).\n"
        )
    }
}

/// The quantile of values in any order, between neighbours in proportion.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = sorted.len().saturating_sub(1) as f64 * part;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let values = [3.0, 1.0, 2.0, 4.0];
        assert_eq!(
            [0.0, 0.5, 1.0].map(|part| quantile(&values, part)),
            [1.0, 2.5, 4.0]
        );
        assert!(quantile(&[], 0.5).is_nan());
    }
}
