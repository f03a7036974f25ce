//! What is printed: colours for people at a terminal, plain text for everybody else.

use std::{
    io::{IsTerminal, Write},
    sync::Mutex,
    time::Instant,
};

/// Standard output.
pub struct Screen {
    colours: bool,
    began: Instant,
    last: Mutex<Instant>,
}

/// How text is shown.
#[derive(Clone, Copy)]
pub enum Style {
    /// A title.
    Title,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Less important.
    Quiet,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Screen {
    /// Colours unless `NO_COLOR` is set or the output is no terminal (no-color.org).
    pub fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let now = Instant::now();
        Self {
            colours: std::io::stdout().is_terminal() && !refused,
            began: now,
            last: Mutex::new(now),
        }
    }

    /// Text in a style.
    pub fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Title => "1",
            Style::Good => "32",
            Style::Bad => "1;31",
            Style::Quiet => "2",
        };
        match self.colours {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.into(),
        }
    }

    /// Prints a line. That nobody reads it any more is no reason to leave processes behind.
    pub fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// Prints a title after an empty line.
    pub fn title(&self, text: &str) {
        self.line("");
        self.line(&self.styled(Style::Title, text));
    }

    /// Prints what is wrong.
    pub fn failure(&self, text: &str) {
        self.line(&self.styled(Style::Bad, text));
    }

    /// Prints that a part runs or does something, and how long it took since the last such line.
    pub fn told(&self, part: &str, text: &str) {
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let took = last.elapsed().as_secs();
        *last = Instant::now();
        let after = match took {
            0..=1 => String::new(),
            seconds => self.styled(Style::Quiet, &format!("   ({seconds} s)")),
        };
        self.line(&format!("  {part:<10} {text}{after}"));
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }
}
