//! A page for operators, in Markdown: its fenced blocks, so that a test can run what the page says, and its headings, so that a
//! link to one can be checked.
//!
//! | block | what a test does with it |
//! |---|---|
//! | `sh settings` | sets the same variables to what is right for the test |
//! | `sh PLACE` | types it as it stands, where PLACE is: a machine, or a person's computer |
//! | `sh PLACE another-terminal` | starts it, and leaves it running |
//! | `sh on-the-machine`, also with a place | knows each line, and does something else instead: it would change the machine that the test runs on |
//! | `text` | looks for it in what the block before it printed; … stands for anything |
//! | `text another-terminal` | waits until the other terminal shows it |
//! | `toml` | a file |
//!
//! Blocks of other languages are none of its business.

use std::{collections::BTreeSet, path::Path};

use anyhow::{bail, ensure, Context, Result};

/// What stands for anything in what a command is expected to print.
const ANYTHING: char = '…';

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The words behind the fence: the language, and what a test needs to know.
    pub words: Vec<String>,
    /// What is in it.
    pub text: String,
    /// Where it begins, from 1 on.
    pub line: usize,
}

impl Block {
    /// Whether these are its words.
    pub fn is(&self, words: &str) -> bool {
        self.words.iter().eq(words.split(' '))
    }

    /// Its lines that are no comments and not empty, without what stands behind a ` #`.
    pub fn commands(&self) -> Vec<String> {
        let command = |line: &str| {
            line.split(" #")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let lines = self.text.lines().map(command);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect()
    }
}

/// The path of a page below the workspace.
pub fn path(name: &str) -> std::path::PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).join(name)
}

/// Reads a page of the workspace.
///
/// # Errors
/// When there is none.
pub fn read(name: &str) -> Result<String> {
    let path = path(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The fenced blocks of a page, in order.
///
/// # Errors
/// When one does not end.
pub fn blocks(page: &str) -> Result<Vec<Block>> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (open.take(), line.strip_prefix("```")) {
            (Some(block), Some(_)) => found.push(block),
            (Some(mut block), None) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, Some(words)) => {
                open = Some(Block {
                    words: words.split_whitespace().map(str::to_owned).collect(),
                    text: String::new(),
                    line: index.saturating_add(1),
                });
            }
            (None, None) => {}
        }
    }
    ensure!(open.is_none(), "a block does not end: {open:?}");
    Ok(found)
}

/// The blocks of a page whose shell blocks all say where they are typed.
///
/// # Errors
/// Names one that does not.
pub fn placed_blocks(name: &str) -> Result<Vec<Block>> {
    let blocks = blocks(&read(name)?)?;
    match blocks.iter().find(|block| block.is("sh")) {
        None => Ok(blocks),
        Some(block) => bail!(
            "{name}, line {}: where is this typed? Write it behind 'sh'",
            block.line
        ),
    }
}

/// The anchors of a page's headings, as GitHub makes them.
pub fn anchors(page: &str) -> BTreeSet<String> {
    let heading = |line: &str| {
        let title = line.trim_start_matches('#');
        let marks = line.len().saturating_sub(title.len());
        (1..=6).contains(&marks).then(|| anchor(title))
    };
    let mut fenced = false;
    let outside = |line: &&str| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    };
    page.lines().filter(outside).filter_map(heading).collect()
}

fn anchor(title: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    };
    title
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(kept)
        .collect()
}

/// Checks that each expected line was printed, in that order; others may stand between them.
///
/// # Errors
/// Names the first that was not.
pub fn says(expected: &str, printed: &str) -> Result<()> {
    let mut lines = printed.lines().map(single_spaced);
    for pattern in expected.lines().map(single_spaced) {
        let found = pattern.is_empty() || lines.any(|line| fits(&pattern, &line));
        ensure!(found, "no '{pattern}' (in this order) in:\n{printed}");
    }
    Ok(())
}

/// Columns are as wide as what stands in them.
fn single_spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fits(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once(ANYTHING) else {
        return pattern == line;
    };
    let Some(mut line) = line.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split(ANYTHING).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match line.split_once(part) {
            Some((_, behind)) => line = behind,
            None => return false,
        }
    }
    line.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A page: of one-two\n\n```sh here\n# why\na b   # c\n\nd\n```\n\n```text\nx … z\n```\n### It's `so`\n";

    #[test]
    fn blocks_are_found_with_their_words_and_lines() {
        let blocks = blocks(PAGE).unwrap();
        assert_eq!(blocks.len(), 2);
        assert!(blocks[0].is("sh here") && blocks[0].line == 3);
        assert!(!blocks[0].is("sh") && !blocks[0].is("sh here too"));
        assert_eq!(blocks[0].commands(), ["a b", "d"]);
        assert_eq!(blocks[1].text, "x … z\n");
    }

    #[test]
    fn a_block_that_does_not_end_is_an_error() {
        assert!(blocks("```sh here\nrm x\n").is_err());
    }

    #[test]
    fn headings_have_the_anchors_that_links_name() {
        let anchors: Vec<_> = anchors(PAGE).into_iter().collect();
        assert_eq!(anchors, ["a-page-of-one-two", "its-so"]);
    }

    #[test]
    fn what_is_expected_must_be_there_in_order() {
        let printed = "start\nblock   17  (final)\nend\n";
        assert!(says("block … (final)\nend\n", printed).is_ok());
        assert!(says("…art\n… (final)", printed).is_ok());
        assert!(says("b… 17 …)", printed).is_ok());
        assert!(says("end\nstart\n", printed).is_err());
        assert!(says("block 18 …", printed).is_err());
        assert!(says("block", printed).is_err());
        assert!(says("block … (final", printed).is_err());
    }
}
