//! What was measured, as tables and as JSON; and how it stands to what the design promises (section 10).

use serde::Serialize;

use crate::{
    machine::{self, Machine},
    message::{self, Added},
    rekey::{self, Outcome},
    sample::Sample,
    table::{Style, Table},
};

/// Everything of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// On what.
    pub machine: Machine,
    /// Names and versions of what is measured.
    pub versions: Vec<(String, String)>,
    /// The compiler.
    pub compiler: String,
    /// Shutting a member out.
    pub rekey: Vec<rekey::Row>,
    /// Messages.
    pub messages: Vec<message::Row>,
    /// Bytes added to messages.
    pub added: Vec<Added>,
}

impl Report {
    /// Of measurements made on this machine with this program.
    pub fn new(rekey: Vec<rekey::Row>, messages: Vec<message::Row>, added: Vec<Added>) -> Self {
        Self {
            machine: Machine::this(),
            versions: machine::versions(),
            compiler: env!("KEYWARD_BENCH_COMPILER").into(),
            rekey,
            messages,
            added,
        }
    }

    /// As tables.
    pub fn render(&self, style: Style) -> String {
        let versions = self
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        let versions = versions.collect::<Vec<_>>().join(", ");
        let mut parts = vec![
            format!("Machine: {}.\n", self.machine.sentence()),
            format!("Built by {}, with {versions}.\n", self.compiler),
        ];
        let tables = [
            self.rekey_table(),
            self.message_table(),
            self.added_table(),
            self.targets(),
        ];
        parts.extend(tables.iter().map(|table| table.render(style)));
        parts.join("\n")
    }

    fn rekey_table(&self) -> Table {
        let mut table = Table::new(
            "One member removed: the next key for everybody else",
            &[
                "members",
                "who",
                "CPU ms",
                "wall ms",
                "CPU, ours = 1",
                "bytes made",
                "bytes per member",
                "CPU of a member, ms",
            ],
        );
        for row in &self.rekey {
            let mut cells = vec![grouped(row.members), row.who.clone()];
            match &row.result {
                Outcome::Measured(it) => cells.extend([
                    scaled(&it.cpu, 1e3),
                    scaled(&it.wall, 1e3),
                    ratio(&it.cpu_over_first),
                    grouped(it.bytes.made),
                    grouped(it.bytes.received),
                    scaled(&it.member_cpu, 1e3),
                ]),
                Outcome::NotMeasured(why) => {
                    cells.push(format!("not measured: {why}"));
                    cells.extend(std::iter::repeat_n(String::new(), 5));
                }
            }
            table.row(cells);
        }
        table.note(SPREAD);
        table
    }

    fn message_table(&self) -> Table {
        let mut table = Table::new(
            "One message sealed at one end and opened at the other, on one core",
            &[
                "payload",
                "who",
                "seal us",
                "open us",
                "both us",
                "ours signed = 1",
                "ours unsigned = 1",
            ],
        );
        for row in &self.messages {
            table.row(vec![
                grouped(row.payload),
                row.who.clone(),
                scaled(&row.seal, 1e6),
                scaled(&row.open, 1e6),
                scaled(&row.both, 1e6),
                ratio(&row.over_signed),
                ratio(&row.over_unsigned),
            ]);
        }
        table.note(SPREAD);
        table
    }

    fn added_table(&self) -> Table {
        let sizes: Vec<usize> = self.added.first().map_or_else(Vec::new, |format| {
            format.bytes.iter().map(|(size, _)| *size).collect()
        });
        let mut head = vec!["bytes added to a payload of".to_owned()];
        head.extend(sizes.iter().map(|size| grouped(*size)));
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let mut table = Table::new("Bytes added to a message", &head);
        for format in &self.added {
            let mut cells = vec![format.who.clone()];
            cells.extend(format.bytes.iter().map(|(_, added)| added.to_string()));
            table.row(cells);
        }
        table
    }

    /// What the design promises, beside what was measured.
    fn targets(&self) -> Table {
        let mut table = Table::new("Targets", &["promise", "measured", "kept"]);
        let mut add = |promise: &str, measured: Option<f64>, unit: &str, most: f64| {
            let Some(measured) = measured else {
                return table.row(vec![promise.into(), "not measured".into(), "?".into()]);
            };
            let kept = match measured <= most {
                true => "yes".into(),
                false => format!("no: {:.1} % too much", (measured / most - 1.0) * 100.0),
            };
            table.row(vec![
                promise.into(),
                format!("{}{unit}", rounded(measured)),
                kept,
            ]);
        };
        let rekey = self
            .rekey
            .iter()
            .find(|row| row.members == 10_000 && row.who.contains("2 threads"));
        let wall = rekey.and_then(|row| match &row.result {
            Outcome::Measured(measured) => Some(measured.wall.median * 1e3),
            Outcome::NotMeasured(_) => None,
        });
        add(
            "rekey of 10,000 members on 2 cores: at most 500 ms",
            wall,
            " ms",
            500.0,
        );
        for (who, over) in OVER {
            let mls = self
                .messages
                .iter()
                .filter(|row| row.who == message::MLS_RS);
            let ratios = mls.clone().map(|row| 1.0 / over(row).median);
            let promise = format!("{who}: not slower than mls-rs at any size");
            add(&promise, ratios.reduce(f64::max), " of its time", 1.0);
        }
        for (who, over) in OVER_UNSIGNED {
            let mls = self
                .messages
                .iter()
                .filter(|row| row.who == message::MLS_RS);
            let ratios = mls.map(|row| 1.0 / over(row).median);
            let promise = format!("{who}: a thirtieth of the time of mls-rs at any size");
            add(
                &promise,
                ratios.reduce(f64::max),
                " of its time",
                1.0 / 30.0,
            );
        }
        for (who, most) in [("Keyward signed", 89.0), ("Keyward unsigned", 25.0)] {
            let format = self.added.iter().find(|format| format.who == who);
            let added =
                format.and_then(|format| format.bytes.iter().map(|(_, added)| *added).max());
            let promise = format!("{who}: at most {most} bytes added");
            add(&promise, added.map(|added| added as f64), " bytes", most);
        }
        table
    }
}

const SPREAD: &str = "Medians; in brackets the middle half of all rounds.";
type Over = fn(&message::Row) -> &Sample;
const OVER: [(&str, Over); 2] = [
    (message::SIGNED, |row| &row.over_signed),
    (message::SIGNED_SESSION, |row| &row.over_signed_session),
];
const OVER_UNSIGNED: [(&str, Over); 2] = [
    (message::UNSIGNED, |row| &row.over_unsigned),
    (message::UNSIGNED_SESSION, |row| &row.over_unsigned_session),
];

/// A sample in another unit.
fn scaled(sample: &Sample, by: f64) -> String {
    let [median, lower, upper] =
        [sample.median, sample.lower, sample.upper].map(|it| rounded(it * by));
    format!("{median} ({lower}–{upper})")
}

fn ratio(sample: &Sample) -> String {
    scaled(sample, 1.0)
}

/// Three figures.
fn rounded(value: f64) -> String {
    match value {
        value if value >= 100.0 => grouped(value.round() as usize),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value if value >= 0.1 => format!("{value:.3}"),
        value => format!("{value:.4}"),
    }
}

/// With commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [999, 1000, 1_234_567].map(grouped),
            ["999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn three_figures_are_shown() {
        let shown = [1234.4, 59.26, 1.005, 0.12345, 0.0123].map(rounded);
        assert_eq!(shown, ["1,234", "59.3", "1.00", "0.123", "0.0123"]);
    }
}
