//! Commitments and grants.

use keyward_crypto::{
    epoch::{commitment, opens},
    grant::{open, seal, Recipient},
    SealingPass,
};
use keyward_protocol::{
    extension::Extensions,
    grant::{commitment_payload, EpochSecret, Grant, GrantedEpoch},
};
use serde_json::{json, Value};

use super::{bodies, hexed};
use crate::fixed::{account, agreement, device, genesis, group, Constant};

pub fn commitments() -> Value {
    let cases = [
        ("hsu0001", 1, 0xa1, 0x11),
        ("hsu0001", 2, 0xa1, 0x12),
        ("A", u32::MAX, 0xa2, 0xff),
    ];
    let cases = cases.map(|(name, epoch, custodian, byte)| {
        let secret = EpochSecret::new([byte; 32]);
        let (name, custodian) = (group(name), account(custodian));
        let made = commitment(&genesis(), &name, epoch, &custodian, &secret);
        assert!(opens(&made, &genesis(), &name, epoch, &custodian, &secret));
        json!({
            "group": name.as_str(), "epoch": epoch, "custodian": hexed(custodian),
            "secret": hexed([byte; 32]), "commitment": hexed(made),
            "payload": hexed(&*commitment_payload(&genesis(), &name, epoch, &custodian, &secret)),
        })
    });
    json!({ "genesis": hexed(genesis()), "cases": cases.to_vec() })
}

fn grants() -> Vec<(Grant, Value)> {
    let granted = |epoch, byte| GrantedEpoch {
        epoch,
        secret: EpochSecret::new([byte; 32]),
    };
    let one = Grant {
        group: group("hsu0001"),
        device: device("1112"),
        key_version: 1,
        epochs: vec![granted(1, 0x11)].try_into().unwrap(),
        extensions: Extensions::default(),
    };
    let (mut extensions, mut extension_fields) = bodies::extensions();
    extensions.0[0].critical = false;
    extension_fields[0]["critical"] = false.into();
    let many = Grant {
        group: group("hsu0002"),
        device: device("1113"),
        key_version: 7,
        epochs: vec![granted(3, 0x13), granted(5, 0x15), granted(70_000, 0x16)]
            .try_into()
            .unwrap(),
        extensions,
    };
    vec![(one, json!([])), (many, extension_fields)]
}

pub fn vectors() -> Value {
    let cases: Vec<Value> = grants().into_iter().map(|(g, e)| case(g, e)).collect();
    json!({ "cases": cases })
}

fn case(grant: Grant, extensions: Value) -> Value {
    let recipient = agreement(5);
    let sealed = seal(&grant, &recipient.public(), &mut Constant(8)).unwrap();
    let mut pass = SealingPass::begin(&mut Constant(8));
    assert_eq!(pass.seal(&grant, &recipient.public()).unwrap(), sealed);
    let expected = Recipient {
        group: &grant.group,
        device: &grant.device,
        key_version: grant.key_version,
    };
    assert_eq!(open(&recipient, &sealed, expected).unwrap(), grant);
    let epochs = grant.epochs.iter();
    let epochs = epochs.map(|g| json!({"epoch": g.epoch, "secret": hexed(g.secret.expose())}));
    json!({
        "fields": {
            "group": grant.group.as_str(), "device": grant.device.as_str(),
            "key_version": grant.key_version, "epochs": epochs.collect::<Vec<_>>(),
            "extensions": extensions,
        },
        "plaintext": hexed(&*grant.to_wire()),
        "recipient": {"secret": hexed([5; 32]), "public": hexed(recipient.public())},
        "ephemeral_secret": hexed([8; 32]),
        "sealed": hexed(sealed),
    })
}
