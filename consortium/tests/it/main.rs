//! The two files: what is read, what is refused, and how it is told.

mod examples;
mod findings;
mod hostile;
mod network;

use keyward_consortium::{Checked, Finding, Plan, Severity};

/// The four-organisation example.
pub const EXAMPLE: &str = include_str!("../../examples/consortium.toml");
/// The network for one machine.
pub const LOCAL: &str = include_str!("../../examples/local.toml");

/// The findings about a plan, as lines.
pub fn lines<T>(checked: &Checked<T>) -> Vec<String> {
    checked.findings.iter().map(Finding::to_string).collect()
}

/// The example with a text replaced; the text must be there.
pub fn with(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "the example has no {from}");
    EXAMPLE.replacen(from, to, 1)
}

/// Asserts that exactly one finding is about it, of this severity, and says these words.
pub fn only(text: &str, severity: Severity, words: &[&str]) {
    let checked = Plan::parse(text);
    let told = lines(&checked);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(checked.findings[0].severity, severity, "{told:?}");
    assert_eq!(checked.value.is_some(), severity == Severity::Warning);
    for word in words {
        assert!(told[0].contains(word), "no '{word}' in {told:?}");
    }
}
