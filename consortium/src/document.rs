//! A TOML file in sections, each entry read by itself, so that one mistake does not hide the next.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{
    finding::{shown, Finding},
    LONGEST,
};

/// A file whose sections are taken one by one.
pub(crate) struct Document {
    table: Table,
    known: Vec<&'static str>,
}

/// An entry of a section, and how findings name it.
pub(crate) struct Entry<T> {
    pub place: String,
    pub content: T,
}

impl Document {
    pub fn parse(text: &str, findings: &mut Vec<Finding>) -> Option<Self> {
        if text.len() > LONGEST {
            let problem = format!("has {} bytes; at most {LONGEST} are read", text.len());
            findings.push(Finding::error("file", problem, "name the right file"));
            return None;
        }
        match text.parse::<Table>() {
            Ok(table) => Some(Self {
                table,
                known: Vec::new(),
            }),
            Err(error) => {
                let place = error
                    .span()
                    .map_or("file".to_owned(), |span| line_of(text, span.start));
                let problem = without_values(error.message());
                findings.push(Finding::error(
                    place,
                    problem,
                    "correct the TOML; examples/consortium.toml shows every field",
                ));
                None
            }
        }
    }

    fn take(&mut self, section: &'static str) -> Option<Value> {
        self.known.push(section);
        self.table.remove(section)
    }

    /// A section that stands once.
    pub fn one<T: DeserializeOwned>(
        &mut self,
        section: &'static str,
        findings: &mut Vec<Finding>,
    ) -> Option<T> {
        let Some(value) = self.take(section) else {
            let remedy = format!("add [{section}]");
            findings.push(Finding::error(section, "is missing", remedy));
            return None;
        };
        content(value, section, findings)
    }

    /// A section that stands as often as there are entries, or not at all. `names` gets the name of every entry, of those that
    /// are wrong, too: what refers to them is right.
    pub fn many<T: DeserializeOwned>(
        &mut self,
        section: &'static str,
        names: &mut BTreeSet<String>,
        findings: &mut Vec<Finding>,
    ) -> Vec<Entry<T>> {
        let entries = match self.take(section) {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                let remedy = format!("write [[{section}]], once for each");
                findings.push(Finding::error(section, "is no list", remedy));
                return Vec::new();
            }
        };
        let read = |(at, value): (usize, Value)| {
            names.extend(name(&value).map(str::to_owned));
            let place = place(section, at, &value);
            content(value, &place, findings).map(|content| Entry { place, content })
        };
        entries.into_iter().enumerate().filter_map(read).collect()
    }

    /// What is left is known to nobody.
    pub fn finish(self, findings: &mut Vec<Finding>) {
        for name in self.table.keys() {
            let remedy = format!("take it out, or write one of: {}", self.known.join(", "));
            findings.push(Finding::error(shown(name), "is no section", remedy));
        }
    }
}

fn content<T: DeserializeOwned>(
    value: Value,
    place: &str,
    findings: &mut Vec<Finding>,
) -> Option<T> {
    match value.try_into() {
        Ok(content) => Some(content),
        Err(error) => {
            findings.push(Finding::error(
                place,
                without_values(error.message()),
                "examples/consortium.toml shows every field",
            ));
            None
        }
    }
}

fn name(value: &Value) -> Option<&str> {
    let name = |key: &&str| value.get(key)?.as_str();
    ["name", "id"].iter().find_map(name)
}

/// An entry is named by its name or id, else by its number.
fn place(section: &str, at: usize, value: &Value) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name(value) {
        Some(name) if (1..=32).contains(&name.len()) && name.chars().all(plain) => {
            format!("{section} {name}")
        }
        _ => format!("{section}, entry {}", at.saturating_add(1)),
    }
}

fn line_of(text: &str, offset: usize) -> String {
    let before = text.as_bytes().iter().take(offset);
    let lines = before.filter(|byte| **byte == b'\n').count();
    format!("line {}", lines.saturating_add(1))
}

/// What a parser says, without the values that it repeats: somebody may have written a secret there.
fn without_values(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let without = match (message.find("string \""), message.rfind("\", expected")) {
        (Some(from), Some(to)) if from < to => {
            let (before, after) = (message.get(..from), message.get(to..));
            let after = after.unwrap_or_default().trim_start_matches('"');
            format!("{}string{after}", before.unwrap_or_default())
        }
        _ => message.to_owned(),
    };
    without.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsers_message_is_told_without_the_value() {
        let said = without_values("invalid type: string \"bottom drive obey\", expected a boolean");
        assert_eq!(said, "invalid type: string, expected a boolean");
        let kept = "unknown field `hst`, expected one of `host`, `name`";
        assert_eq!(without_values(kept), kept);
    }
}
