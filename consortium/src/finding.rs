//! What is wrong with a file: all of it, where it is, and what to do.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The network cannot be made, or would not work.
    Error,
    /// It works, and probably not as its founders want.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is, e.g. `validators acme-1: host`, or a path.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    /// The network cannot be made.
    pub fn error(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            place: place.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// It works, and probably not as wanted.
    pub fn warning(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, problem, remedy)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (place, problem, remedy) = (&self.place, &self.problem, &self.remedy);
        write!(f, "{severity}: {place}: {problem}; {remedy}")
    }
}

/// A file's content, and everything that is wrong with it.
#[derive(Clone, Debug)]
pub struct Checked<T> {
    /// The content: there unless a finding is an error.
    pub value: Option<T>,
    /// What is wrong, in the order of the file.
    pub findings: Vec<Finding>,
}

impl<T> Checked<T> {
    /// The content stands for nothing if a finding is an error.
    pub(crate) fn new(value: Option<T>, findings: Vec<Finding>) -> Self {
        let wrong = findings.iter().any(|it| it.severity == Severity::Error);
        Self {
            value: value.filter(|_| !wrong),
            findings,
        }
    }

    /// The content, or the findings as one text.
    ///
    /// # Errors
    /// With every error, one a line.
    pub fn into_result(self) -> Result<T, String> {
        let Self { value, findings } = self;
        value.ok_or_else(|| {
            let errors = findings
                .iter()
                .filter(|it| it.severity == Severity::Error)
                .map(ToString::to_string);
            errors.collect::<Vec<_>>().join("\n")
        })
    }
}

/// A value as it may be shown: short, and nothing that steers a terminal.
pub(crate) fn shown(value: &str) -> String {
    let short: String = value.chars().take(48).collect();
    let dots = if short.len() < value.len() { "…" } else { "" };
    format!("'{}{dots}'", short.escape_debug())
}
