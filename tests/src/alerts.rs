//! Alert rules (docs/alerts.yml), and whether what they and the pages for operators measure is on the programs' pages of metrics.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{ensure, Context, Result};

/// Words of PromQL, and labels that stand outside of braces.
const WORDS: &[&str] = &[
    "and",
    "by",
    "changes",
    "ignoring",
    "increase",
    "max_over_time",
    "on",
    "status",
    "unless",
    "group",
    "instance",
    "min_over_time",
    "offset",
    "or",
    "sum",
];
/// What others measure: Prometheus itself, and its node exporter.
const FOREIGN: &[&str] = &[
    "up",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_timex_sync_status",
];
/// What programs add to the name of a metric.
const ENDINGS: &[&str] = &["_total", "_bucket", "_sum", "_count"];
/// What the names of our programs' metrics begin with.
const OURS: &[&str] = &["keyward_", "substrate_"];

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// What it is raised by, in PromQL.
    pub expression: String,
    /// What is wrong, for people.
    pub summary: String,
    /// Where it stands what to do.
    pub runbook: String,
}

/// Reads the rules of a file that has each field on one line.
///
/// # Errors
/// When an alert lacks a field.
pub fn read(file: &str) -> Result<Vec<Alert>> {
    let rules = file.split("- alert:").skip(1);
    rules
        .map(|rule| {
            let name = rule.lines().next().unwrap_or_default().trim();
            let field = |field: &str| -> Result<String> {
                let value = rule
                    .lines()
                    .find_map(|line| line.trim().strip_prefix(field));
                let value = value.with_context(|| format!("{name} has no {field}"))?;
                Ok(value.trim().trim_matches('\'').to_owned())
            };
            Ok(Alert {
                name: name.to_owned(),
                expression: field("expr:")?,
                summary: field("summary:")?,
                runbook: field("runbook:")?,
            })
        })
        .collect()
}

/// One metric that an expression asks for, with the labels that it must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Selector {
    metric: String,
    labels: Vec<(String, String)>,
}

/// The selectors of an expression.
fn selectors(expression: &str) -> Vec<Selector> {
    let mut found: Vec<Selector> = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        match first {
            '{' => {
                let (labels, behind) = rest.split_once('}').unwrap_or((rest, ""));
                if let Some(last) = found.last_mut() {
                    last.labels = pairs(labels.trim_start_matches('{'));
                }
                rest = behind;
            }
            '[' => rest = rest.split_once(']').map_or("", |(_, behind)| behind),
            c if word(c) => {
                let (text, behind) = rest.split_at(end);
                if !c.is_ascii_digit() && !WORDS.contains(&text) {
                    found.push(Selector {
                        metric: text.to_owned(),
                        labels: Vec::new(),
                    });
                }
                rest = behind;
            }
            c => rest = rest.strip_prefix(c).unwrap_or_default(),
        }
    }
    found
}

/// `name="value"`, separated by commas; other operators than `=` ask for no value.
fn pairs(labels: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        Some((name.trim().to_owned(), value.to_owned()))
    };
    labels.split(',').filter_map(pair).collect()
}

/// What a program's page of metrics has, or those of several.
#[derive(Clone, Debug, Default)]
pub struct MetricsPage {
    families: BTreeSet<String>,
    samples: Vec<(String, BTreeMap<String, String>)>,
}

impl MetricsPage {
    /// Adds what a page has.
    pub fn add(&mut self, page: &str) {
        for line in page.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let name = family.split(' ').next().unwrap_or_default();
                self.families.insert(name.to_owned());
            } else if !line.starts_with('#') && !line.is_empty() {
                let end = line.find(['{', ' ']).unwrap_or(line.len());
                let (name, rest) = line.split_at(end);
                let labels = rest.strip_prefix('{').and_then(|it| it.split_once('}'));
                let labels = pairs(labels.map_or("", |(labels, _)| labels));
                self.samples
                    .push((name.to_owned(), labels.into_iter().collect()));
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        let family = |ending: &&str| {
            let base = name.strip_suffix(*ending);
            base.is_some_and(|base| self.families.contains(base))
        };
        self.families.contains(name) || ENDINGS.iter().any(family)
    }

    /// Checks that all that an expression asks for is there.
    ///
    /// # Errors
    /// Names what is not.
    pub fn has_all(&self, expression: &str) -> Result<()> {
        let found = selectors(expression);
        ensure!(!found.is_empty(), "'{expression}' asks for nothing");
        for selector in found {
            let name = selector.metric.as_str();
            if FOREIGN.contains(&name) {
                continue;
            }
            ensure!(self.has(name), "no program has the metric {name}");
            for (label, value) in &selector.labels {
                self.has_label(name, label, value)?;
            }
        }
        Ok(())
    }

    fn has_label(&self, name: &str, label: &str, value: &str) -> Result<()> {
        let of: Vec<_> = self.samples.iter().filter(|(it, _)| it == name).collect();
        // Prometheus adds these.
        if of.is_empty() || ["job", "instance"].contains(&label) {
            return Ok(());
        }
        let found = of.iter().filter_map(|(_, labels)| labels.get(label));
        let found: BTreeSet<&String> = found.collect();
        let there = found.iter().any(|it| *it == value);
        ensure!(there, "{name} has {label} {found:?}, not {value}");
        Ok(())
    }

    /// Checks that every metric that a page for operators names in backticks is there.
    ///
    /// # Errors
    /// Names one that is not, or that there is none.
    pub fn has_all_named_in(&self, page: &str) -> Result<()> {
        let code = page.split('`').skip(1).step_by(2);
        let ours = |code: &&str| OURS.iter().any(|ours| code.starts_with(ours));
        let named: Vec<&str> = code.filter(ours).collect();
        ensure!(named.len() >= 10, "it names only {named:?}");
        named.into_iter().try_for_each(|name| self.has_all(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# HELP a_height Height
# TYPE a_height gauge
a_height{status=\"best\",chain=\"x\"} 12
a_height{status=\"final\",chain=\"x\"} 10
# TYPE b_refused counter
b_refused_total{reason=\"old\"} 3
# TYPE c counter
# EOF
";

    fn page() -> MetricsPage {
        let mut page = MetricsPage::default();
        page.add(PAGE);
        page
    }

    #[test]
    fn what_an_expression_asks_for_is_found() {
        let found =
            selectors("changes(a_height{status=\"best\"}[1m]) - on(instance) c_total > 1e3");
        let names: Vec<_> = found.iter().map(|it| it.metric.as_str()).collect();
        assert_eq!(names, ["a_height", "c_total"]);
        assert_eq!(found[0].labels, [("status".to_owned(), "best".to_owned())]);
    }

    #[test]
    fn a_metric_or_a_label_that_no_program_has_is_named() {
        let page = page();
        for right in [
            "a_height{status=\"best\"} > 3",
            "increase(c_total[5m]) > 0",
            "b_refused_total{reason=\"old\"}",
            "up{job=\"x\"} == 0",
        ] {
            page.has_all(right).unwrap();
        }
        for wrong in [
            "a_depth",
            "a_height{status=\"worst\"}",
            "a_height{state=\"best\"}",
            "b_refused_total{why=\"old\"}",
            "b_refused_total{reason=\"forged\"}",
            "rate(c_total[1m])",
            "1 > 0",
        ] {
            assert!(page.has_all(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_alert_without_a_field_is_an_error() {
        let whole =
            "- alert: A\n  expr: 'up == 0'\n  annotations:\n    summary: s\n    runbook: p#a\n";
        let read_back = read(whole).unwrap();
        assert_eq!(
            (read_back.len(), read_back[0].expression.as_str()),
            (1, "up == 0")
        );
        assert!(read(&whole.replace("summary: s", "")).is_err());
    }
}
