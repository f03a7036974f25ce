//! `docs/threat-model.md` names the tests that show what it says: each of them exists.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context, Result};

/// Directories that hold no tests of ours.
const SKIPPED: &[&str] = &["target", "node_modules", ".git"];

fn root() -> Result<PathBuf> {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(crate_directory
        .parent()
        .context("the workspace")?
        .to_owned())
}

/// The functions below a directory that stand under a `#[test]` or `#[tokio::test]`.
fn tests_below(directory: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !SKIPPED.contains(&&*name) {
            tests_below(&path, found)?;
        } else if name.ends_with(".rs") {
            found.extend(tests_in(&std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// The tests of one file.
fn tests_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.split("fn ").nth(1).filter(|_| is_test) {
            let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
            found.push(name);
            is_test = false;
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What stands between backticks and has the form of a test's name: words with at least two underscores.
fn named_in(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|name| name.chars().all(is_word) && name.matches('_').count() >= 2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_test_that_the_threat_model_names_exists() -> Result<()> {
    let mut tests = BTreeSet::new();
    tests_below(&root()?, &mut tests)?;
    let model = std::fs::read_to_string(root()?.join("docs/threat-model.md"))?;
    let named = named_in(&model);
    ensure!(named.len() > 30, "it names {} tests only", named.len());
    let missing: Vec<_> = named.difference(&tests).collect();
    ensure!(missing.is_empty(), "no such tests: {missing:?}");
    Ok(())
}

#[test]
fn a_function_is_a_test_only_below_its_attribute() {
    let text = "#[test]\nfn one_of_them() {}\nfn no_test_here() {}\n#[tokio::test(flavor = \"x\")]\nasync fn and_this_one() {}";
    assert_eq!(tests_in(text), ["one_of_them", "and_this_one"]);
}
