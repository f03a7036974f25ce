//! The command as an operator runs it: what it prints, where, and how it ends.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use keyward_crypto::{sign::verify, AgreementSecret, SigningKey};
use keyward_protocol::{
    beacon::AnchorCertificate,
    provisioning::{AnchorFile, EnrolmentRequest, Provisioning},
    registration::Voucher,
    signing::Unverified,
    AccountId, Genesis,
};
use tempfile::TempDir;

const GENESIS: Genesis = Genesis([3; 32]);
const GATEWAY: AccountId = AccountId([9; 32]);

/// A directory to work in.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str, mode: u32) {
        std::fs::write(self.path(name), content).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs `keyward` there, without an account, against an address where no node is.
    fn keyward(&self, line: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command
            .current_dir(self.0.path())
            .env_clear()
            .env("KEYWARD_URL", "ws://127.0.0.1:9");
        Ran::from(command.args(line.split(' ')).output().unwrap())
    }

    /// The files of an authority, of a device's request and of its gateway.
    fn with_authority() -> Self {
        let desk = Self::new();
        desk.keyward("ca init --id demo-ca --out ca").succeeds();
        let request = EnrolmentRequest {
            device: "1111".parse().unwrap(),
            key_version: 1,
            signing_key: SigningKey::from_seed(&[5; 32]).verifying_key(),
            agreement_key: AgreementSecret::from_bytes(&[6; 32]).public(),
        };
        let request = serde_json::to_string(&request).unwrap();
        desk.write("request.json", &request, 0o644);
        let owner = serde_json::json!({
            "genesis": GENESIS,
            "gateway": {
                "account": GATEWAY,
                "name": "gw1",
                "statement_key": SigningKey::from_seed(&[8; 32]).verifying_key(),
                "anchor_serial": 41,
            },
        });
        desk.write("gw1.json", &owner.to_string(), 0o644);
        desk
    }
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Ends with this code, says these words on standard error, and prints no result.
    fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no '{word}' in: {}",
                self.stderr
            );
        }
    }
}

const CERTIFY: &str = "ca certify-gateway --ca ca --owner-file gw1.json --out anchor.json";
const ISSUE: &str = "ca issue --ca ca --request request.json --owner-file gw1.json --topic hsu0001 --out provisioning.json";

/// REG-1, PRV-1, SIG-2.
#[test]
fn an_issued_voucher_is_what_the_authority_signed_for_this_device_gateway_and_chain() {
    let desk = Desk::with_authority();
    let said = desk.keyward(ISSUE).succeeds();
    assert!(
        said.contains("1111 (key version 1)") && said.contains("keyward-agent"),
        "{said}"
    );
    let text = std::fs::read_to_string(desk.path("provisioning.json")).unwrap();
    let provisioning: Provisioning = serde_json::from_str(&text).unwrap();
    let wire = hex::decode(&provisioning.voucher).unwrap();
    let voucher = Unverified::<Voucher>::from_wire(&wire).unwrap();
    let key = &provisioning.authority_key;
    let voucher = verify(voucher, &GENESIS, key).unwrap().into_body();
    assert_eq!(
        (
            voucher.device.as_str(),
            voucher.gateway,
            voucher.authority.as_str()
        ),
        ("1111", GATEWAY, "demo-ca")
    );
    let for_another_chain = Unverified::<Voucher>::from_wire(&wire).unwrap();
    assert!(verify(for_another_chain, &Genesis([4; 32]), key).is_err());
}

/// STM-11: what the devices of a gateway whose statement key is lost believe is signed without a node.
#[test]
fn a_gateway_is_certified_offline_with_the_serial_that_its_devices_are_provisioned_with() {
    let desk = Desk::with_authority();
    let said = desk.keyward(CERTIFY).succeeds();
    assert!(
        said.contains("anchor_file = \"anchor.json\"") && said.contains("restart the bridge"),
        "{said}"
    );
    let text = std::fs::read_to_string(desk.path("anchor.json")).unwrap();
    let file: AnchorFile = serde_json::from_str(&text).unwrap();
    let wire = hex::decode(&file.certificate).unwrap();
    let certificate = Unverified::<AnchorCertificate>::from_wire(&wire).unwrap();
    let certificate = verify(certificate, &GENESIS, &file.signer).unwrap();
    desk.keyward(ISSUE).succeeds();
    let text = std::fs::read_to_string(desk.path("provisioning.json")).unwrap();
    let provisioning: Provisioning = serde_json::from_str(&text).unwrap();
    assert_eq!(file.signer, provisioning.authority_key);
    let expected = AnchorCertificate {
        gateway: GATEWAY,
        statement_key: provisioning.gateway.statement_key,
        serial: 41,
    };
    assert_eq!(certificate.into_body(), expected);
    assert_eq!(provisioning.gateway.anchor_serial, Some(41));
    desk.keyward(CERTIFY)
        .fails(1, &["anchor.json exists already"]);
}

/// A provisioning that does not say from when its key is could be taken back to an older one.
#[test]
fn an_owner_file_of_a_former_version_is_to_be_written_again() {
    let desk = Desk::with_authority();
    let text = std::fs::read_to_string(desk.path("gw1.json")).unwrap();
    let mut owner: serde_json::Value = serde_json::from_str(&text).unwrap();
    owner["gateway"]
        .as_object_mut()
        .unwrap()
        .remove("anchor_serial");
    desk.write("gw1.json", &owner.to_string(), 0o644);
    for line in [ISSUE, CERTIFY] {
        let words = ["gw1.json", "keyward gateway owner-file"];
        desk.keyward(line).fails(1, &words);
    }
}

#[test]
fn keys_that_the_chain_could_not_take_are_not_made() {
    let desk = Desk::new();
    desk.keyward("gateway init --out keys").succeeds();
    let replace = "--account-file keys/account.key gateway replace-keys --keys keys --out";
    desk.keyward(&format!("{replace} keys-2"))
        .fails(1, &["ws://127.0.0.1:9", "start keyward-node"]);
    assert!(!desk.path("keys-2").exists());
    desk.keyward(&format!("{replace} keys"))
        .fails(2, &["--out", "--keys"]);
    desk.keyward("gateway replace-keys --out keys-2")
        .fails(2, &["--account-file"]);
}

#[test]
fn json_is_one_valid_value_and_nothing_else() {
    let desk = Desk::with_authority();
    for line in [
        "--json ca init --id other-ca --out other",
        &format!("--json {ISSUE}"),
        &format!("--json {CERTIFY}"),
        "--json gateway init --out gateway",
    ] {
        let ran = desk.keyward(line);
        assert_eq!(ran.stderr, "", "{line}");
        let printed = ran.succeeds();
        let value: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert!(value.is_object(), "{line}: {printed}");
    }
}

/// Every secret that the commands make, as its file has it.
fn secrets(desk: &Desk) -> Vec<String> {
    let files = [
        "ca/authority.key",
        "gateway/account.key",
        "gateway/statement.key",
        "gateway/custody.key",
        "gateway/store.key",
    ];
    let secret = |file: &&str| std::fs::read_to_string(desk.path(file)).unwrap();
    files
        .iter()
        .map(secret)
        .map(|line| line.trim().trim_start_matches("0x").to_owned())
        .collect()
}

#[test]
fn no_secret_is_printed_or_stands_in_a_public_file() {
    let desk = Desk::with_authority();
    let mut said = String::new();
    for line in [
        "gateway init --out gateway",
        ISSUE,
        ISSUE,
        CERTIFY,
        "--account-file gateway/account.key gateway replace-keys --keys gateway --out gateway-2",
        "--account-file gateway/account.key device list",
        "--account-file gateway/account.key group rotate hsu0001",
        "--account-file gateway/store.key council close 3f1c",
        "--account-file gateway/store.key validator join",
        "--account-file gateway/store.key council propose upgrade gateway/store.key",
        "ca init --id demo-ca --out ca",
    ] {
        let ran = desk.keyward(line);
        said += &format!("{}{}", ran.stdout, ran.stderr);
    }
    for file in [
        "ca/authority.json",
        "gateway/public.json",
        "provisioning.json",
        "anchor.json",
    ] {
        said += &std::fs::read_to_string(desk.path(file)).unwrap();
    }
    let secrets = secrets(&desk);
    assert!(secrets.iter().all(|secret| secret.len() == 64));
    for secret in secrets {
        assert!(!said.to_lowercase().contains(&secret), "{said}");
    }
}

#[test]
fn a_key_file_that_others_may_read_is_refused_with_the_cure() {
    let desk = Desk::with_authority();
    let loosen = |file: &str| {
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(desk.path(file), mode).unwrap();
    };
    desk.keyward("gateway init --out gateway").succeeds();
    loosen("gateway/account.key");
    let ran = desk.keyward("--account-file gateway/account.key device suspend 1111");
    ran.fails(1, &["gateway/account.key", "0644", "chmod 400"]);
    loosen("ca/authority.key");
    let ran = desk.keyward(ISSUE);
    ran.fails(1, &["ca/authority.key", "0644", "chmod 400"]);
    assert!(!desk.path("provisioning.json").exists());
}

#[test]
fn nothing_is_overwritten() {
    let desk = Desk::with_authority();
    let key = || std::fs::read(desk.path("ca/authority.key")).unwrap();
    let before = key();
    let ran = desk.keyward("ca init --id demo-ca --out ca");
    ran.fails(1, &["authority.key exists already"]);
    assert_eq!(key(), before);
    desk.keyward(ISSUE).succeeds();
    desk.keyward(ISSUE)
        .fails(1, &["provisioning.json exists already"]);
}

#[test]
fn a_mistake_in_the_command_line_ends_with_2_and_says_what_to_write() {
    let desk = Desk::new();
    desk.keyward("").fails(2, &["unrecognized subcommand"]);
    desk.keyward("group add g --member 1111:writes")
        .fails(2, &["'writes' is no role", "publish, subscribe or both"]);
    desk.keyward("group remove g").fails(2, &["<DEVICES>"]);
    desk.keyward("device show a/b")
        .fails(2, &["an identifier has only letters"]);
    desk.keyward("ca issue --ca ca --request r.json --out p.json")
        .fails(2, &["--gateway"]);
    desk.keyward("ca issue --ca ca --request r.json --gateway g --days 0 --out p.json")
        .fails(2, &["--days"]);
    desk.keyward("group rotate hsu0001")
        .fails(2, &["--account-file"]);
    desk.keyward("device revoke 1111")
        .fails(2, &["--account-file"]);
    desk.keyward("validator join").fails(2, &["--account-file"]);
    desk.keyward("council vote ca")
        .fails(2, &["'ca' names no motion", "keyward council list"]);
    desk.keyward("council propose pause register_device")
        .fails(2, &["Fleet.register_device"]);
    desk.keyward("council propose note-stalled")
        .fails(2, &["another fork", "--confirm-stall", "--unfinalized"]);
}

#[test]
fn without_a_node_it_says_where_it_looked_and_what_to_do() {
    let desk = Desk::new();
    desk.keyward("audit hsu0001")
        .fails(1, &["ws://127.0.0.1:9", "start keyward-node"]);
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_named() {
    let desk = Desk::with_authority();
    desk.write("request.json", "{}", 0o644);
    desk.keyward(ISSUE)
        .fails(1, &["request.json is no enrolment request"]);
    desk.write("key", "0x12", 0o400);
    desk.keyward("--account-file key group rotate g")
        .fails(1, &["neither a secret URI nor", "key"]);
    desk.keyward("--account-file nowhere group rotate g")
        .fails(1, &["cannot read the key file nowhere"]);
    assert!(!Path::new("provisioning.json").exists());
}

#[test]
fn help_is_there_for_everything_and_ends_with_0() {
    let desk = Desk::new();
    for line in [
        "--help",
        "group --help",
        "group add --help",
        "audit --help",
        "council propose --help",
        "validator join --help",
    ] {
        let help = desk.keyward(line).succeeds();
        assert!(help.contains("Usage: keyward"), "{help}");
    }
    let help = desk.keyward("--help").succeeds();
    for word in ["Exit codes", "keyward ca issue", "KEYWARD_ACCOUNT_FILE"] {
        assert!(help.contains(word), "no '{word}' in {help}");
    }
}
