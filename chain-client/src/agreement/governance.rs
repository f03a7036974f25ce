//! The same for motions, for what governance calls besides `Fleet`, and for validators.

use super::*;
use crate::{validators, validators::Stored, CloseFailed, Offence, SessionKeys};

/// A node where a motion to suspend a gateway is open, with so many votes.
fn node_with_motion(ayes: usize) -> (FakeNode, Digest) {
    let node = FakeNode::with_blocks(1);
    let call = Call::suspend_gateway(ACCOUNT);
    let call = call.encode_for(&runtime().metadata()).unwrap();
    let hash = Digest(sp_crypto_hashing::blake2_256(&call));
    let council = Collective::Council;
    // As polkadot.js proposes it: half of four members.
    let votes = (
        3u32,
        2u32,
        vec![ACCOUNT; ayes],
        Vec::<AccountId>::new(),
        900u32,
    );
    let members = vec![ACCOUNT; 4];
    node.store(storage_key("Council", "Members"), members.encode());
    node.store(storage_key("Council", "Proposals"), vec![hash].encode());
    node.store(motion_key(council, "ProposalOf", hash), call);
    node.store(motion_key(council, "Voting", hash), votes.encode());
    let weight = Weight {
        ref_time: 12_345_678,
        proof_size: 99,
    };
    node.answer_call(
        "TransactionPaymentCallApi_query_call_info",
        (weight, 0u8, 0u128).encode(),
    );
    (node, hash)
}

#[tokio::test(start_paused = true)]
async fn a_motion_is_closed_with_the_weight_and_the_length_that_the_node_tells() {
    let (node, hash) = node_with_motion(3);
    let client = Client::over(std::sync::Arc::new(node.clone()))
        .await
        .unwrap();
    let signer = Signer::from_suri("//Alice").unwrap();
    let closing = client.close_motion(&signer, hash, |_| {});
    let waited = tokio::time::timeout(std::time::Duration::from_secs(5), closing).await;
    assert!(waited.is_err(), "no block holds it: {waited:?}");
    let weight = Weight {
        ref_time: 12_345_678,
        proof_size: 99,
    };
    let length = Call::suspend_gateway(ACCOUNT)
        .encode_for(metadata())
        .unwrap()
        .len();
    let expected = Call::close(hash, 3, weight, u32::try_from(length).unwrap());
    let expected = expected.encode_for(metadata()).unwrap();
    let sent = node.submitted();
    assert!(sent[0].ends_with(&expected), "{sent:?}");
}

/// NO_TOKEN.md, section 4: closed at half, the call fails with BadOrigin, and the motion is gone.
#[tokio::test]
async fn a_motion_that_closing_would_waste_is_not_closed() {
    let (node, hash) = node_with_motion(2);
    let client = Client::over(std::sync::Arc::new(node.clone()))
        .await
        .unwrap();
    let signer = Signer::from_suri("//Alice").unwrap();
    let refused = client.close_motion(&signer, hash, |_| {}).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, CloseFailed::TooFew { needed: 3, .. }));
    assert!(node.submitted().is_empty());
}

#[test]
fn a_change_of_what_only_some_commands_use_stops_those_and_nobody_else() {
    let versions = Versions {
        spec: 2,
        transaction: 1,
    };
    let mut changed = decoded();
    let mut types = changed.types_mut().types.iter_mut().map(|ty| &mut ty.ty);
    let calls = types.find(|ty| ty.path.segments == ["pallet_grandpa", "pallet", "Call"]);
    let Some(TypeDef::Variant(calls)) = calls.map(|calls| &mut calls.type_def) else {
        panic!("the metadata describes Grandpa's calls");
    };
    let note = calls.variants.iter_mut().find(|v| v.name == "note_stalled");
    note.unwrap().fields.swap(0, 1);
    let runtime = Runtime::new(Genesis([9; 32]), versions, changed).unwrap();
    assert_eq!(runtime.check(), Ok(()));
    let root = Call::as_root(Call::note_stalled(1, 2));
    let refused = runtime.check_calls(root.encoded_here()).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("Grandpa.note_stalled has another form"),
        "{text}"
    );
    let other = Call::add_member(Collective::Council, ACCOUNT);
    assert_eq!(runtime.check_calls(other.encoded_here()), Ok(()));
}

#[test]
fn what_governance_calls_besides_fleet_is_what_the_chain_reads() {
    let committee = Collective::TechnicalCommittee;
    round_trips(&committee.propose(2, Call::pause("Fleet", "register_device")));
    round_trips(&committee.vote(Digest([1; 32]), 3, true));
    round_trips(&committee.close(Digest([1; 32]), 3, Weight::default(), 100));
    agrees::<(Digest,)>(Call::authorize_upgrade(Digest([1; 32])));
    agrees::<(Vec<u8>,)>(Call::apply_authorized_upgrade(&[1, 2]));
    agrees::<(u32, u32)>(Call::note_stalled(1, 2));
    type Name = (Vec<u8>, Vec<u8>);
    agrees::<(Name,)>(Call::pause("Fleet", "register_device"));
    agrees::<(Name,)>(Call::unpause("Fleet", "register_device"));
    for to in [Collective::Council, committee] {
        round_trips(&Call::add_member(to, ACCOUNT));
        round_trips(&Call::remove_member(to, ACCOUNT));
    }
}

#[test]
fn calls_of_validators_are_what_the_chain_has_under_their_names() {
    let mut made = vec![
        agrees::<(AccountId,)>(Call::approve_validator(ACCOUNT)),
        agrees::<()>(Call::join_validators()),
        agrees::<()>(Call::leave_validators()),
        agrees::<(AccountId,)>(Call::remove_validator(ACCOUNT)),
        agrees::<(u32,)>(Call::set_minimum_validators(2)),
        agrees::<(AccountId,)>(Call::clear_offences(ACCOUNT)),
        // Nodes submit it, unsigned.
        "report_aura_equivocation".to_owned(),
    ];
    let pallet = metadata().pallet_by_name("ValidatorSet").unwrap();
    let variants = pallet.call_variants().unwrap().iter();
    let mut on_chain: Vec<String> = variants.map(|variant| variant.name.clone()).collect();
    made.sort();
    on_chain.sort();
    assert_eq!(made, on_chain);
    round_trips(&Call::set_keys(&SessionKeys {
        public: [1; 64],
        proof: vec![2; 128],
    }));
}

/// Shape of a storage item's value, and how its keys are hashed.
fn stored(pallet: &str, item: &str) -> (Shape, Vec<String>) {
    let storage = metadata().pallet_by_name(pallet).unwrap();
    let storage = storage.storage().unwrap();
    let entry = storage.entry_by_name(item);
    let entry = entry.unwrap_or_else(|| panic!("the chain has no {pallet}.{item}"));
    let hashers = entry.keys().map(|key| format!("{:?}", key.hasher));
    let shape = Shapes::of(metadata().types()).shape(entry.value_ty());
    (shape, hashers.collect())
}

#[test]
fn the_set_of_validators_is_stored_as_this_crate_reads_it() {
    #[derive(TypeInfo)]
    #[expect(dead_code, reason = "only its type is looked at")]
    struct Keys {
        aura: [u8; 32],
        grandpa: [u8; 32],
    }
    let by_account = vec!["Blake2_128Concat".to_owned()];
    let expected = [
        (
            "ValidatorSet",
            "Operators",
            shape_of::<Stored>(),
            by_account.clone(),
        ),
        (
            "ValidatorSet",
            "Validators",
            shape_of::<Vec<AccountId>>(),
            Vec::new(),
        ),
        ("ValidatorSet", "Minimum", shape_of::<u32>(), Vec::new()),
        (
            "ValidatorSet",
            "SessionBlocks",
            shape_of::<u32>(),
            Vec::new(),
        ),
        (
            "ValidatorSet",
            "Offences",
            shape_of::<Vec<Offence>>(),
            by_account,
        ),
        (
            "Session",
            "Validators",
            shape_of::<Vec<AccountId>>(),
            Vec::new(),
        ),
        ("Session", "CurrentIndex", shape_of::<u32>(), Vec::new()),
        (
            "Session",
            "QueuedKeys",
            shape_of::<Vec<(AccountId, Keys)>>(),
            Vec::new(),
        ),
        (
            "Session",
            "NextKeys",
            shape_of::<Keys>(),
            vec!["Twox64Concat".to_owned()],
        ),
    ];
    for (pallet, item, shape, hashers) in &expected {
        assert_eq!(
            stored(pallet, item),
            (*shape, hashers.clone()),
            "{pallet}.{item}"
        );
    }
    let checked: Vec<_> = expected
        .iter()
        .map(|(pallet, item, ..)| (*pallet, *item))
        .collect();
    assert_eq!(checked, validators::STORAGE);
    let cooldown: Option<u32> = runtime().constant("ValidatorSet", "Cooldown");
    assert!(cooldown.is_some_and(|blocks| blocks > 0));
}

#[test]
fn an_authorized_upgrade_is_stored_as_this_crate_reads_it() {
    #[derive(TypeInfo)]
    #[expect(dead_code, reason = "only its type is looked at")]
    struct Authorization {
        code_hash: Digest,
        check_version: bool,
    }
    let expected = (shape_of::<Authorization>(), Vec::new());
    assert_eq!(stored("System", "AuthorizedUpgrade"), expected);
}
