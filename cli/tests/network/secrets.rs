//! Every secret is its owner's alone.

use std::{collections::BTreeSet, path::Path};

use crate::desk::{mode, Desk, EXAMPLE};

/// What a secret file holds, in every spelling in which it could turn up in a text.
fn spellings(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.trim().trim_matches('"').trim_start_matches("0x");
    match line.strip_prefix("-----BEGIN PRIVATE KEY-----") {
        // The secret is in the first two lines; after it comes the public key, which certificates have, too.
        Some(body) => body.trim().lines().take(2).map(str::to_owned).collect(),
        None => vec![line.to_owned()],
    }
}

fn is_secret(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let in_keystore = path.parent().unwrap().ends_with("keystore");
    name.ends_with(".key")
        || in_keystore
        || ["bridge.toml", "mqtt.password", "passwords"].contains(&name)
}

#[test]
fn every_secret_is_its_owners_alone_and_in_no_public_file() {
    let desk = Desk::new();
    let Some(ran) = desk.network(EXAMPLE) else {
        return;
    };
    ran.ends(0, &["hydro-archive", "net/README.md"]);
    let root = desk.path("net");
    let files = desk.files();
    let (secret, public): (Vec<_>, Vec<_>) = files.iter().partition(|path| is_secret(path));
    // 6 nodes, 4 operators, 8 session keys; of each of 3 gateways 4 keys, password, hash, certificate's key and configuration; 3
    // authorities; 3 new members of the council and 1 of the committee; the authority for brokers.
    assert_eq!(
        secret.len(),
        6 + 4 + 8 + 3 * 8 + 3 + 3 + 1 + 1,
        "{secret:#?}"
    );
    let mut said = BTreeSet::from([ran.stdout, ran.stderr]);
    for path in &public {
        assert_eq!(mode(&root.join(path)), 0o644, "{}", path.display());
        // Text: the bytes of a key are none.
        said.insert(std::fs::read_to_string(root.join(path)).unwrap());
        let directory = root.join(path).parent().unwrap().to_owned();
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
    }
    let mut seen = BTreeSet::new();
    let said: String = said.into_iter().collect();
    let lower = said.to_ascii_lowercase();
    for path in secret {
        let whole = root.join(path);
        assert_eq!(mode(&whole), 0o400, "{}", path.display());
        assert_eq!(mode(whole.parent().unwrap()), 0o700);
        for spelling in spellings(&whole) {
            let found = said.contains(&spelling) || lower.contains(&spelling);
            assert!(!found, "{}", path.display());
            assert!(seen.insert(spelling), "{} is in two files", path.display());
        }
    }
}
