//! The files between a device and its authority (PRV-1): what is written is read, and nothing else is.

use keyward_protocol::{
    provisioning::{AnchorFile, EnrolmentRequest, OwnerGateway, Provisioning},
    topic::TopicFilter,
    AccountId, AgreementKey, DeviceId, GatewayName, Genesis, VerifyingKey,
};

fn request() -> EnrolmentRequest {
    EnrolmentRequest {
        device: DeviceId::new("1111").unwrap(),
        key_version: 1,
        signing_key: VerifyingKey([1; 32]),
        agreement_key: AgreementKey([2; 32]),
    }
}

fn provisioning() -> Provisioning {
    Provisioning {
        device: DeviceId::new("1111").unwrap(),
        genesis: Genesis([3; 32]),
        authority_key: VerifyingKey([4; 32]),
        gateway: OwnerGateway {
            account: AccountId([5; 32]),
            name: GatewayName::new("gw1").unwrap(),
            statement_key: VerifyingKey([6; 32]),
            anchor_serial: Some(7),
        },
        voucher: "00".into(),
        protected_topics: vec![TopicFilter::new("hsu0001").unwrap()],
    }
}

#[test]
fn a_request_survives_its_file() {
    let text = serde_json::to_string(&request()).unwrap();
    let key = "02".repeat(32);
    assert!(
        text.contains(&format!("\"agreement_key\":\"{key}\"")),
        "{text}"
    );
    assert_eq!(
        serde_json::from_str::<EnrolmentRequest>(&text).unwrap(),
        request()
    );
}

#[test]
fn a_provisioning_survives_its_file() {
    let text = serde_json::to_string(&provisioning()).unwrap();
    assert_eq!(
        serde_json::from_str::<Provisioning>(&text).unwrap(),
        provisioning()
    );
}

/// A store keeps what a device was given before provisionings had the serial.
#[test]
fn a_provisioning_without_a_serial_is_read() {
    let text = serde_json::to_string(&provisioning()).unwrap();
    let without = text.replacen(",\"anchor_serial\":7", "", 1);
    assert_ne!(without, text);
    let read = serde_json::from_str::<Provisioning>(&without).unwrap();
    assert_eq!(read.gateway.anchor_serial, None);
    assert_eq!(serde_json::to_string(&read).unwrap(), without);
}

#[test]
fn an_anchor_file_is_read_as_it_was_written() {
    let file = AnchorFile {
        signer: VerifyingKey([1; 32]),
        certificate: "00".into(),
    };
    let text = serde_json::to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<AnchorFile>(&text).unwrap(), file);
}

/// PRV-1.
#[test]
fn a_field_that_nobody_knows_is_refused() {
    let text = serde_json::to_string(&request()).unwrap();
    let more = text.replacen('{', "{\"key_ver\":2,", 1);
    assert!(serde_json::from_str::<EnrolmentRequest>(&more).is_err());
    let text = serde_json::to_string(&provisioning()).unwrap();
    let more = text.replacen("anchor_serial", "anchor", 1);
    assert!(serde_json::from_str::<Provisioning>(&more).is_err());
}

#[test]
fn bad_names_keys_and_filters_are_refused() {
    let text = serde_json::to_string(&provisioning()).unwrap();
    for (good, bad) in [
        ("\"1111\"", "\"11/11\""),
        ("\"hsu0001\"", "\"a/#/b\""),
        ("\"gw1\"", "\"\""),
        (&"03".repeat(32)[..], &"03".repeat(31)[..]),
        (&"03".repeat(32)[..], &"zz".repeat(32)[..]),
    ] {
        let broken = text.replacen(good, bad, 1);
        assert_ne!(broken, text);
        assert!(
            serde_json::from_str::<Provisioning>(&broken).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn keys_are_read_with_or_without_0x_and_in_either_case() {
    let text = "0xABababababababababababababababababababababababababababababababab";
    let plain = text.trim_start_matches("0x").to_lowercase();
    assert_eq!(text.parse::<Genesis>(), Ok(Genesis([0xab; 32])));
    assert_eq!(plain.parse::<Genesis>(), Ok(Genesis([0xab; 32])));
    let expected = 32;
    let invalid = Err(keyward_protocol::bytes::HexInvalid { expected });
    assert_eq!("0x0x".parse::<Genesis>(), invalid);
}
