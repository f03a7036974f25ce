use super::*;
use std::os::unix::fs::PermissionsExt;

use keyward_chain_client::Signer;
use keyward_crypto::{sign::sign_message, SigningKey};
use keyward_protocol::{beacon::AnchorCertificate, provisioning::AnchorFile, Genesis};

const CONFIG: &str = r#"
[chain]
url = "ws://127.0.0.1:9944"
account_key_file = "account.key"
[gateway]
statement_key_file = "statement.key"
custody_key_file = "custody.key"
[mqtt]
url = "mqtt://127.0.0.1:1884"
client_id = "gw1"
username = "gw1"
password_file = "mqtt.password"
[store]
path = "journal.sqlite"
key_file = "store.key"
[admin]
listen = "127.0.0.1:9616"
"#;
const SECRET: &str = "0x0707070707070707070707070707070707070707070707070707070707070707";

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        "account.key",
        "statement.key",
        "custody.key",
        "store.key",
        "mqtt.password",
    ] {
        write(directory.path(), name, SECRET, 0o400);
    }
    directory
}

fn write(directory: &Path, name: &str, content: &str, mode: u32) -> PathBuf {
    let path = directory.join(name);
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn load(directory: &Path, config: &str) -> Result<(Config, Keys), ConfigInvalid> {
    let config = Config::load(&write(directory, "bridge.toml", config, 0o644))?;
    let keys = Keys::load(&config)?;
    Ok((config, keys))
}

/// What is said of a configuration in which one text is replaced by another.
fn said(from: &str, to: &str) -> String {
    let directory = directory();
    assert!(CONFIG.contains(from), "{from}");
    let refused = load(directory.path(), &CONFIG.replace(from, to));
    refused.unwrap_err().to_string()
}

#[test]
fn a_whole_configuration_is_read_with_its_keys() {
    let directory = directory();
    let (config, keys) = load(directory.path(), CONFIG).unwrap();
    assert_eq!(
        (config.broker.host.as_str(), config.broker.port),
        ("127.0.0.1", 1884)
    );
    assert_eq!(config.prefix, "keyward/v1");
    assert_eq!(config.store_path, directory.path().join("journal.sqlite"));
    assert_eq!(keys.password.as_deref().map(String::as_str), Some(SECRET));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/bridge.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/nowhere/bridge.toml") && error.contains("--config"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_its_value_is_not_repeated() {
    let said = said(
        "client_id = \"gw1\"",
        "client_id = \"gw1\"\npassword = \"hunter2\"",
    );
    assert!(
        said.contains("bridge.toml, line 11") && said.contains("`password`"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_missing_key_is_named() {
    let said = said("custody_key_file = \"custody.key\"\n", "");
    assert!(said.contains("custody_key_file"), "{said}");
}

#[test]
fn each_value_that_makes_no_sense_is_named_with_its_remedy() {
    let url = "mqtt://127.0.0.1:1884";
    for (from, to, key, remedy) in [
        (
            "ws://127.0.0.1:9944",
            "http://127.0.0.1",
            "chain.url",
            "ws://",
        ),
        (url, "127.0.0.1:1883", "mqtt.url", "mqtt://HOST"),
        (url, "mqtt://u:p@h", "mqtt.url", "mqtt.username"),
        (url, "mqtt://h/x", "mqtt.url", "more than a host"),
        (url, "mqtt://h:0", "mqtt.url", "1 to 65535"),
        (url, "mqtt://:1883", "mqtt.url", "no host"),
        (
            "client_id = \"gw1\"",
            "client_id = \"\"",
            "mqtt.client_id",
            "short name",
        ),
        (
            "username = \"gw1\"\n",
            "",
            "mqtt.password_file",
            "add mqtt.username",
        ),
        (
            "[store]",
            "prefix = \"a/#\"\n[store]",
            "mqtt.prefix",
            "keyward/v1",
        ),
        (
            "[store]",
            "cert_file = \"c\"\n[store]",
            "mqtt.cert_file",
            "would not be encrypted",
        ),
        (
            "127.0.0.1:9616",
            "0.0.0.0:9616",
            "admin.listen",
            "127.0.0.1",
        ),
        (
            "key_file = \"store.key\"",
            "",
            "store.key_file",
            "store.credential",
        ),
        (
            "key_file = \"store.key\"",
            "credential = \"../x\"",
            "store.credential",
            "LoadCredential=",
        ),
    ] {
        let said = said(from, to);
        assert!(said.contains(key) && said.contains(remedy), "{to}: {said}");
        assert!(said.contains("bridge.toml"), "{said}");
    }
}

#[test]
fn what_says_mqtts_is_encrypted_and_what_has_certificates_says_mqtts() {
    let tls = |extra: &str| {
        let config = CONFIG.replace("mqtt://", "mqtts://");
        config.replace("[store]", &format!("{extra}\n[store]"))
    };
    let directory = directory();
    let (config, _) = load(directory.path(), &tls("")).unwrap();
    let encryption = &config.broker.encryption;
    assert!(matches!(
        encryption,
        Encryption::Tls {
            ca_file: None,
            client: None
        }
    ));
    let alone = load(directory.path(), &tls("cert_file = \"c\"")).unwrap_err();
    assert!(alone.to_string().contains("mqtt.key_file"), "{alone}");
    let both = "cert_file = \"c\"\nkey_file = \"k\"";
    let alone = load(directory.path(), &tls(both)).unwrap_err();
    assert!(alone.to_string().contains("mqtt.ca_file"), "{alone}");
    let said = said("[store]", "ca_file = \"ca.pem\"\n[store]");
    assert!(said.contains("mqtts://"), "{said}");
}

#[test]
fn certificates_are_read_and_their_key_is_guarded() {
    let directory = directory();
    let config = CONFIG.replace("mqtt://", "mqtts://").replace(
        "[store]",
        "ca_file = \"ca.pem\"\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"\n[store]",
    );
    let certificate = "-----BEGIN CERTIFICATE-----\n";
    write(directory.path(), "ca.pem", certificate, 0o644);
    write(directory.path(), "c.pem", certificate, 0o644);
    write(
        directory.path(),
        "k.pem",
        "-----BEGIN PRIVATE KEY-----\n",
        0o640,
    );
    let loose = load(directory.path(), &config).unwrap_err().to_string();
    assert!(
        loose.contains("mqtt.key_file") && loose.contains("chmod 400"),
        "{loose}"
    );
    write(
        directory.path(),
        "k.pem",
        "-----BEGIN PRIVATE KEY-----\n",
        0o400,
    );
    let (_, keys) = load(directory.path(), &config).unwrap();
    assert!(keys.ca.is_some() && keys.client.is_some());
    write(directory.path(), "ca.pem", "nothing", 0o644);
    let garbled = load(directory.path(), &config).unwrap_err().to_string();
    assert!(garbled.contains("mqtt.ca_file"), "{garbled}");
}

#[test]
fn every_key_file_that_others_may_read_is_refused() {
    for (name, key) in [
        ("account.key", "chain.account_key_file"),
        ("statement.key", "gateway.statement_key_file"),
        ("custody.key", "gateway.custody_key_file"),
        ("store.key", "store.key_file"),
        ("mqtt.password", "mqtt.password_file"),
    ] {
        let directory = directory();
        for mode in [0o440, 0o404] {
            write(directory.path(), name, SECRET, mode);
            let said = load(directory.path(), CONFIG).unwrap_err().to_string();
            assert!(said.contains(key) && said.contains("chmod 400"), "{said}");
        }
    }
}

#[test]
fn a_garbled_key_is_refused_and_never_repeated() {
    for name in ["account.key", "statement.key", "custody.key", "store.key"] {
        let directory = directory();
        write(directory.path(), name, "0xdeadbeef", 0o400);
        let error = load(directory.path(), CONFIG).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(
            said.contains("keyward gateway init") || said.contains(name),
            "{said}"
        );
        assert!(!said.contains("deadbeef"), "{said}");
    }
}

#[test]
fn keys_do_not_show() {
    let directory = directory();
    let (config, keys) = load(directory.path(), CONFIG).unwrap();
    assert!(!format!("{keys:?} {config:?}").contains("0707"));
}

#[test]
fn a_credential_without_systemd_says_how_to_get_one() {
    let said = said("key_file = \"store.key\"", "credential = \"store\"");
    assert!(said.contains("LoadCredential=store"), "{said}");
}

/// An anchor certificate beside the keys, as the command writes it.
fn with_anchor(directory: &Path, statement: [u8; 32]) -> String {
    let former = SigningKey::from_seed(&[8; 32]);
    let account = Signer::from_suri(SECRET).unwrap().account();
    let certificate = AnchorCertificate {
        gateway: account,
        statement_key: SigningKey::from_seed(&statement).verifying_key(),
        serial: 41,
    };
    let signed = sign_message(Genesis([3; 32]), certificate, &former).unwrap();
    let file = AnchorFile {
        signer: former.verifying_key(),
        certificate: hex::encode(signed.to_wire()),
    };
    let text = serde_json::to_string(&file).unwrap();
    write(directory, "anchor.json", &text, 0o644);
    CONFIG.replace("[mqtt]", "anchor_file = \"anchor.json\"\n[mqtt]")
}

/// STM-11.
#[test]
fn an_anchor_certificate_is_read_with_the_key_that_it_tells() {
    let directory = directory();
    let config = with_anchor(directory.path(), [7; 32]);
    let (_, keys) = load(directory.path(), &config).unwrap();
    assert_eq!(keys.anchor.unwrap().certificate.claims().serial, 41);
    let (_, keys) = load(directory.path(), CONFIG).unwrap();
    assert_eq!(keys.anchor, None);
}

#[test]
fn an_anchor_certificate_for_something_else_is_refused_with_what_to_do() {
    let directory = directory();
    let config = with_anchor(directory.path(), [9; 32]);
    let said = || load(directory.path(), &config).unwrap_err().to_string();
    for word in [
        "gateway.anchor_file",
        "anchor.json tells statement key",
        "or none",
    ] {
        assert!(said().contains(word), "{}", said());
    }
    with_anchor(directory.path(), [7; 32]);
    let other = format!("0x{}", "08".repeat(32));
    write(directory.path(), "account.key", &other, 0o400);
    assert!(said().contains("for another gateway"), "{}", said());
    write(directory.path(), "anchor.json", "{}", 0o644);
    assert!(
        said().contains("keyward gateway replace-keys"),
        "{}",
        said()
    );
    std::fs::remove_file(directory.path().join("anchor.json")).unwrap();
    assert!(said().contains("is no anchor certificate"), "{}", said());
}
