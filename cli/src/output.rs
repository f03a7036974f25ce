//! What a command prints: a table for people, or one JSON value.

use std::io::{IsTerminal, Write};

use comfy_table::{presets, Table};
use serde::Serialize;

/// The command line is well-formed, but does not make sense. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct UsageInvalid {
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// An error that a command ends with.
pub trait Failure: std::error::Error {
    /// Whether the command line is to blame: exit code 2.
    fn is_usage(&self) -> bool {
        false
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// As JSON, or for people.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a result: the value as JSON, or what `human` makes of it.
    pub fn show<T: Serialize>(&self, value: &T, human: impl FnOnce(&T) -> String) {
        match self.json {
            true => match serde_json::to_string_pretty(value) {
                Ok(json) => print(&json),
                Err(error) => eprintln!("keyward: cannot write JSON: {error}"),
            },
            false => print(human(value).trim_end()),
        }
    }

    /// Tells how it goes, on standard error; silent with `--json`.
    pub fn progress(&self, line: &str) {
        if !self.json {
            eprintln!("{line}");
        }
    }
}

/// Prints a line. That nobody reads it any more (`keyward … | head`) is no failure.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Text for a terminal: what a node says of an error must not steer it.
pub fn printable(text: &str) -> String {
    let harmless = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    text.chars().map(harmless).collect()
}

/// An aligned table; with rules when a person looks at it, plain in a pipe.
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    let preset = match !cfg!(test) && std::io::stdout().is_terminal() {
        true => presets::UTF8_HORIZONTAL_ONLY,
        false => presets::NOTHING,
    };
    table.load_preset(preset).set_header(header);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    table.trim_fmt()
}

/// Lines of "name  value", aligned.
pub fn fields<const N: usize>(rows: [(&str, String); N]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {value}\n");
    rows.iter().map(line).collect()
}

/// The name that serde gives a plain enum's value: what JSON and tables both say.
pub fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "?".to_owned(),
    }
}

/// Items in one line; a dash for none.
pub fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    match items.is_empty() {
        true => "-".to_owned(),
        false => items.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::view::{Cause, DeviceStatus};

    #[test]
    fn tables_say_what_json_says() {
        assert_eq!(name(&Cause::KeysReplaced), "keys-replaced");
        assert_eq!(name(&DeviceStatus::Active), "active");
    }

    #[test]
    fn a_plain_table_has_aligned_columns_and_nothing_else() {
        let text = table(["id", "state"], [["1111".into(), "active".into()]]);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(lines, ["id    state", "1111  active"]);
    }

    #[test]
    fn what_a_node_says_does_not_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a [2Jb\nc");
    }

    #[test]
    fn nothing_is_shown_as_a_dash() {
        assert_eq!(list(Vec::<String>::new()), "-");
        assert_eq!(list(["a", "b"]), "a, b");
    }
}
