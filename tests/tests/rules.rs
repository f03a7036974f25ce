//! `docs/protocol.md` is normative: every rule that is cited exists there, and every rule there is cited by code and by a test.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context, Result};

/// What looks like the number of a rule and is none.
const NO_FAMILIES: &[&str] = &[
    "AES", "SHA", "UTF", "RFC", "CVE", "ISO", "MIT", "QOS", "BIP",
];

/// What stands here are examples.
const THIS: &str = "tests/tests/rules.rs";

/// Rules by where they are cited: in the program, or in tests.
#[derive(Default)]
struct Citations {
    code: BTreeMap<String, PathBuf>,
    tests: BTreeMap<String, PathBuf>,
}

fn root() -> Result<PathBuf> {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_directory.parent().context("the workspace")?;
    Ok(root.to_owned())
}

/// Every `ABC-12` of a text, whole words only; `ABC-12 to ABC-14` are three.
fn rules_in(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let words = text.split(|c: char| !is_word(c));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let ranges = words.windows(3).flat_map(|three| match three {
        [first, "to", last] => between(first, last),
        _ => Vec::new(),
    });
    words
        .iter()
        .filter_map(|word| rule(word))
        .chain(ranges)
        .collect()
}

/// The rules of one family from one number to another.
fn between(first: &str, last: &str) -> Vec<String> {
    let number = |word: &str| Some((rule(word)?, word.split_once('-')?.1.parse::<u32>().ok()?));
    let (Some((_, from)), Some((last, to))) = (number(first), number(last)) else {
        return Vec::new();
    };
    let family = last.trim_end_matches(|c: char| c.is_ascii_digit());
    match first.starts_with(family) {
        true => (from..=to).map(|n| format!("{family}{n}")).collect(),
        false => Vec::new(),
    }
}

/// A word that is the number of a rule: a family of two to four capitals, a hyphen, digits.
fn rule(word: &str) -> Option<String> {
    let (family, number) = word.split_once('-')?;
    let capitals =
        (2..=4).contains(&family.len()) && family.bytes().all(|byte| byte.is_ascii_uppercase());
    let digits =
        (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    (capitals && digits && !NO_FAMILIES.contains(&family)).then(|| word.to_owned())
}

/// The rules that the document lays down: `**ABC-12.**` at the beginning of a line.
fn laid_down(document: &str) -> Vec<String> {
    let numbered = |line: &str| rule(line.strip_prefix("**")?.split_once(".**")?.0);
    document.lines().filter_map(numbered).collect()
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path)?);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether all of a file is tests: in a directory for them, called so, or the harness itself.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let name = Path::new(part.as_os_str()).file_stem();
        let name = name.and_then(|name| name.to_str());
        name.is_some_and(|name| ["tests", "testing", "fuzz"].contains(&name))
    })
}

fn citations() -> Result<Citations> {
    let root = root()?;
    let mut citations = Citations::default();
    for path in files(&root)? {
        let inside = path.strip_prefix(&root)?.to_owned();
        if inside == Path::new(THIS) {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let tests_begin = match is_test(&inside) {
            true => 0,
            false => text.find("#[cfg(test)]").unwrap_or(text.len()),
        };
        let (code, tests) = text.split_at(tests_begin);
        for (text, found) in [(code, &mut citations.code), (tests, &mut citations.tests)] {
            let rules = rules_in(text).into_iter();
            found.extend(rules.map(|rule| (rule, inside.clone())));
        }
    }
    Ok(citations)
}

fn document() -> Result<String> {
    let path = root()?.join("docs/protocol.md");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[test]
fn every_rule_that_is_cited_is_laid_down() -> Result<()> {
    let rules: BTreeSet<String> = laid_down(&document()?).into_iter().collect();
    let citations = citations()?;
    let cited = citations.code.iter().chain(&citations.tests);
    let unknown: Vec<_> = cited.filter(|(rule, _)| !rules.contains(*rule)).collect();
    ensure!(
        unknown.is_empty(),
        "docs/protocol.md does not have {unknown:?}"
    );
    Ok(())
}

#[test]
fn every_rule_is_laid_down_once() -> Result<()> {
    let mut seen = BTreeSet::new();
    let rules = laid_down(&document()?);
    ensure!(rules.len() > 30, "only {} rules were found", rules.len());
    let twice: Vec<_> = rules
        .into_iter()
        .filter(|rule| !seen.insert(rule.clone()))
        .collect();
    ensure!(
        twice.is_empty(),
        "docs/protocol.md has these twice: {twice:?}"
    );
    Ok(())
}

#[test]
fn every_rule_is_cited_by_code_and_by_a_test() -> Result<()> {
    let rules = laid_down(&document()?);
    let citations = citations()?;
    let missing = |found: &BTreeMap<String, PathBuf>| -> Vec<String> {
        let missing = rules.iter().filter(|rule| !found.contains_key(*rule));
        missing.cloned().collect()
    };
    let (code, tests) = (missing(&citations.code), missing(&citations.tests));
    ensure!(
        code.is_empty() && tests.is_empty(),
        "no code cites {}; no test cites {}",
        code.join(" "),
        tests.join(" ")
    );
    Ok(())
}

#[test]
fn a_rule_is_found_as_a_whole_word_only() {
    let text = "(REG-3), KEX-8: AES-256 STM-9x XREG-30-1 lower-1 `POL-2`";
    let found: Vec<_> = rules_in(text).into_iter().collect();
    assert_eq!(found, ["KEX-8", "POL-2", "REG-3"]);
    let found: Vec<_> = rules_in("MSG-9 to MSG-11; KEY-1 to MSG-3")
        .into_iter()
        .collect();
    assert_eq!(found, ["KEY-1", "MSG-10", "MSG-11", "MSG-3", "MSG-9"]);
}

#[test]
fn a_rule_is_laid_down_where_a_line_begins_with_it_in_bold() {
    let document = "# Title\n\n**REG-1.** Text, see KEX-1.\nSTM-1 wrapped, **KEX-2.**\n**Bold.** x\n**POL-1.** y";
    assert_eq!(laid_down(document), ["REG-1", "POL-1"]);
}
