//! The frozen vectors of `protocol/vectors`: what every implementation of the protocol must produce. A byte that changes
//! in any format turns one of these red; then the version of the protocol must rise (ENV-1).
//!
//! `KEYWARD_WRITE_VECTORS=1` writes them anew.

mod bodies;
mod grants;
mod messages;
mod names;
mod signed;

use serde_json::Value;
use std::path::PathBuf;

use crate::python::python;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol/vectors")
}

/// Hexadecimal, as all bytes stand in the vectors.
fn hexed(bytes: impl AsRef<[u8]>) -> Value {
    hex::encode(bytes).into()
}

fn check(name: &str, made: &Value) {
    let path = directory().join(name);
    if std::env::var_os("KEYWARD_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(made).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let frozen: Value = serde_json::from_str(&text).unwrap();
    for (frozen, made) in cases(&frozen).iter().zip(cases(made)) {
        assert_eq!(
            *frozen, made,
            "{name} has changed: a format is not what it was"
        );
    }
    assert_eq!(&frozen, made, "{name} has other cases than before");
}

fn cases(vectors: &Value) -> Vec<Value> {
    vectors["cases"].as_array().cloned().unwrap_or_default()
}

/// ID-1, TOP-4.
#[test]
fn identifiers_and_topics_are_frozen() {
    check("names.json", &names::vectors());
}

/// SIG-1 to SIG-3: REG-1, REG-2, STM-1, STM-3, STM-6, STM-8, STM-11, KEX-8, REQ-1 to REQ-5.
#[test]
fn everything_that_is_signed_is_frozen() {
    check("signed.json", &signed::vectors());
}

/// KEY-2.
#[test]
fn commitments_are_frozen() {
    check("commitments.json", &grants::commitments());
}

/// KEY-4.
#[test]
fn grants_are_frozen() {
    check("grants.json", &grants::vectors());
}

/// MSG-1 to MSG-6.
#[test]
fn protected_messages_are_frozen() {
    check("messages.json", &messages::vectors());
}

#[test]
fn a_second_implementation_agrees_with_the_vectors() {
    let script = directory().join("check.py");
    let output = python().arg(script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("all vectors agree"), "{said}");
}
