//! The committed metadata and the Rust types of this crate and of `keyward-protocol` agree, call by call and answer by answer.

mod governance;

use codec::Encode;
use keyward_protocol::{
    beacon::BlockRef,
    policy::Policy,
    registration::{KeyReplacement, Voucher},
    topic::Filters,
    view::{
        AuthorityView, ConflictView, CustodyView, DeviceView, GatewayView, GroupView,
        InvitationView, MemberView, PermissionsView,
    },
    AccountId, AgreementKey, AuthorityId, BlockHash, Commitment, DeviceId, Digest, GatewayName,
    Genesis, GroupId, OrganisationId, Role, Signature, VerifyingKey,
};
use scale_info::{meta_type, PortableRegistry, Registry, TypeDef, TypeInfo};
use subxt::Metadata;

use crate::{
    call::FLEET_CALLS,
    fake::FakeNode,
    motion::motion_key,
    rpc::Versions,
    runtime::{Runtime, COMMITTED},
    shape::{Shape, Shapes},
    transaction,
    view::{storage_key, FLEET_API},
    Call, Client, Collective, Datum, DecodedCall, KeyAuthorisation, OpenMotion, Quotas,
    ReceiptItem, Signer, Weight,
};

const ACCOUNT: AccountId = AccountId([1; 32]);
const KEY: VerifyingKey = VerifyingKey([2; 32]);
const BOX_KEY: AgreementKey = AgreementKey([3; 32]);
const SIGNATURE: Signature = Signature([4; 64]);
const QUOTAS: Quotas = Quotas {
    devices: 1,
    groups: 2,
    members: 3,
};

fn decoded() -> Metadata {
    Metadata::decode_from(include_bytes!("../metadata.scale")).unwrap()
}

fn metadata() -> &'static Metadata {
    COMMITTED
        .as_ref()
        .expect("chain-client/metadata.scale can be read")
}

fn shape_of<T: TypeInfo + 'static>() -> Shape {
    let mut registry = Registry::new();
    let id = registry.register_type(&meta_type::<T>()).id;
    let types: PortableRegistry = registry.into();
    Shapes::of(&types).shape(id)
}

/// Shapes of the parts of a tuple type.
fn parts<T: TypeInfo + 'static>() -> Vec<Shape> {
    let mut registry = Registry::new();
    let id = registry.register_type(&meta_type::<T>()).id;
    let types: PortableRegistry = registry.into();
    let Some(TypeDef::Tuple(tuple)) = types.resolve(id).map(|ty| &ty.type_def) else {
        panic!("a tuple of the arguments' types");
    };
    let ids: Vec<u32> = tuple.fields.iter().map(|part| part.id).collect();
    ids.into_iter()
        .map(|id| Shapes::of(&types).shape(id))
        .collect()
}

/// A call with arguments of these types is what the chain has under its name, and its bytes decode and encode again.
fn agrees<Args: TypeInfo + 'static>(call: Call) -> String {
    let pallet = metadata().pallet_by_name(call.pallet()).unwrap();
    let variant = pallet.call_variant_by_name(call.name());
    let variant = variant.unwrap_or_else(|| panic!("the chain has no {}", call.path()));
    let fields = variant.fields.iter();
    let actual: Vec<Shape> = fields
        .map(|field| Shapes::of(metadata().types()).shape(field.ty.id))
        .collect();
    assert_eq!(parts::<Args>(), actual, "{}", call.path());
    round_trips(&call);
    call.name().to_owned()
}

fn round_trips(call: &Call) {
    let runtime = runtime();
    let bytes = call.encode_for(&runtime.metadata()).unwrap();
    let transactions = runtime.offline().transactions();
    let read = transactions.from_call_data_bytes(&bytes);
    let read = read.unwrap_or_else(|error| panic!("{}: {error}", call.path()));
    assert_eq!(
        transactions.call_data(&read).unwrap(),
        bytes,
        "{}",
        call.path()
    );
}

fn runtime() -> Runtime {
    let versions = Versions {
        spec: 1,
        transaction: 1,
    };
    Runtime::new(Genesis([9; 32]), versions, decoded()).unwrap()
}

fn group() -> GroupId {
    "hsu0001".parse().unwrap()
}

fn device() -> DeviceId {
    "1111".parse().unwrap()
}

fn voucher() -> Voucher {
    Voucher {
        authority: "ca".parse().unwrap(),
        device: device(),
        gateway: ACCOUNT,
        signing_key: KEY,
        agreement_key: BOX_KEY,
        key_version: 1,
        not_after: 1,
    }
}

fn filters() -> Filters {
    Filters::new(["hsu0001".parse().unwrap()]).unwrap()
}

fn governance_calls() -> Vec<String> {
    let organisation: OrganisationId = "demo".parse().unwrap();
    let authority: AuthorityId = "ca".parse().unwrap();
    let name: GatewayName = "gw1".parse().unwrap();
    vec![
        agrees::<(OrganisationId, Vec<u8>, Quotas, bool)>(Call::admit_organisation(
            &organisation,
            "Demo",
            QUOTAS,
            true,
        )),
        agrees::<(
            AccountId,
            OrganisationId,
            GatewayName,
            VerifyingKey,
            AgreementKey,
        )>(Call::admit_gateway(
            ACCOUNT,
            &organisation,
            &name,
            KEY,
            BOX_KEY,
        )),
        agrees::<(AccountId,)>(Call::suspend_gateway(ACCOUNT)),
        agrees::<(AccountId,)>(Call::reinstate_gateway(ACCOUNT)),
        agrees::<(AccountId,)>(Call::expel_gateway(ACCOUNT)),
        agrees::<(AccountId, VerifyingKey, AgreementKey)>(Call::replace_gateway_keys(
            ACCOUNT, KEY, BOX_KEY,
        )),
        agrees::<(AuthorityId, OrganisationId, VerifyingKey)>(Call::admit_authority(
            &authority,
            &organisation,
            KEY,
        )),
        agrees::<(AuthorityId,)>(Call::revoke_authority(&authority)),
        agrees::<(GroupId,)>(Call::freeze_group(&group())),
        agrees::<(GroupId,)>(Call::thaw_group(&group())),
    ]
}

fn owner_calls() -> Vec<String> {
    let replacement = KeyReplacement {
        device: device(),
        key_version: 2,
        signing_key: KEY,
        agreement_key: BOX_KEY,
        not_after: 1,
    };
    let current = KeyAuthorisation::Current {
        replacement,
        new_signature: SIGNATURE,
        current_signature: SIGNATURE,
    };
    round_trips(&Call::replace_device_keys(&KeyAuthorisation::Voucher {
        voucher: voucher(),
        voucher_signature: SIGNATURE,
        proof: SIGNATURE,
    }));
    vec![
        agrees::<(Voucher, Signature, Signature)>(Call::register_device(
            &voucher(),
            SIGNATURE,
            SIGNATURE,
        )),
        agrees::<(KeyAuthorisation,)>(Call::replace_device_keys(&current)),
        agrees::<(DeviceId,)>(Call::suspend_device(&device())),
        agrees::<(DeviceId,)>(Call::reinstate_device(&device())),
        agrees::<(DeviceId,)>(Call::revoke_device(&device())),
        agrees::<(DeviceId, AccountId)>(Call::transfer_device(&device(), ACCOUNT)),
        agrees::<(GroupId, DeviceId, Filters)>(Call::accept_membership(
            &group(),
            &device(),
            &filters(),
        )),
    ]
}

fn group_calls() -> Vec<String> {
    let policy = Policy::default();
    vec![
        agrees::<(GroupId, Filters, Policy, Vec<AccountId>)>(Call::create_group(
            &group(),
            &filters(),
            &policy,
            &[ACCOUNT],
        )),
        agrees::<(GroupId, Policy)>(Call::set_policy(&group(), &policy)),
        agrees::<(GroupId, Vec<AccountId>)>(Call::set_custodians(&group(), &[ACCOUNT])),
        agrees::<(GroupId, AccountId)>(Call::transfer_admin(&group(), ACCOUNT)),
        agrees::<(GroupId, Vec<(DeviceId, Role)>)>(Call::add_members(
            &group(),
            &[(device(), Role::Both)],
        )),
        agrees::<(GroupId, Vec<DeviceId>)>(Call::remove_members(&group(), &[device()])),
        agrees::<(GroupId,)>(Call::rotate(&group())),
        agrees::<(GroupId,)>(Call::close_group(&group())),
    ]
}

fn custodian_calls() -> Vec<String> {
    let commitment = Commitment([5; 32]);
    let receipt = ReceiptItem {
        device: device(),
        epoch: 1,
        commitment,
        signature: SIGNATURE,
    };
    let root = Digest([6; 32]);
    vec![
        agrees::<(GroupId, u32, Commitment)>(Call::stage_epoch(&group(), 1, commitment)),
        agrees::<(GroupId, u32)>(Call::withdraw_staged(&group(), 1)),
        agrees::<(GroupId, u32, u32, Digest)>(Call::record_delivery(&group(), 1, 2, root)),
        agrees::<(GroupId, Digest, u32, u64, u64)>(Call::anchor(&group(), root, 1, 2, 3)),
        agrees::<(GroupId, Vec<ReceiptItem>)>(Call::acknowledge(&group(), &[receipt])),
    ]
}

#[test]
fn every_call_is_what_the_chain_has_under_its_name() {
    let mut made = [
        governance_calls(),
        owner_calls(),
        group_calls(),
        custodian_calls(),
    ]
    .concat();
    let mut known: Vec<String> = FLEET_CALLS.iter().map(|name| (*name).to_owned()).collect();
    let variants = metadata()
        .pallet_by_name("Fleet")
        .unwrap()
        .call_variants()
        .unwrap();
    let mut on_chain: Vec<String> = variants
        .iter()
        .map(|variant| variant.name.clone())
        .collect();
    for names in [&mut made, &mut known, &mut on_chain] {
        names.sort();
    }
    assert_eq!(made, known);
    assert_eq!(made, on_chain);
}

#[test]
fn motions_and_root_calls_are_what_the_chain_reads() {
    let call = Call::suspend_gateway(ACCOUNT);
    let weight = Weight {
        ref_time: 1,
        proof_size: 2,
    };
    round_trips(&Call::propose(2, call.clone()));
    round_trips(&Call::propose(1, Call::as_root(call.clone())));
    round_trips(&Call::vote(Digest([1; 32]), 3, true));
    round_trips(&Call::close(Digest([1; 32]), 3, weight, 100));
    round_trips(&Call::batch_all(vec![call.clone(), call]));
}

fn answers<Inputs: TypeInfo + 'static, Output: TypeInfo + 'static>(method: &str) -> String {
    let api = metadata().runtime_api_trait_by_name("FleetApi").unwrap();
    let found = api.method_by_name(method);
    let found = found.unwrap_or_else(|| panic!("the chain has no FleetApi.{method}"));
    let shape = |id| Shapes::of(metadata().types()).shape(id);
    let inputs: Vec<Shape> = found.inputs().map(|input| shape(input.id)).collect();
    assert_eq!(parts::<Inputs>(), inputs, "inputs of {method}");
    assert_eq!(
        shape_of::<Output>(),
        shape(found.output_ty()),
        "output of {method}"
    );
    method.to_owned()
}

#[test]
fn every_answer_of_the_fleet_api_is_what_this_crate_decodes() {
    type Page<Id> = (Option<Id>, u32);
    let checked = [
        answers::<(), u64>("changes"),
        answers::<(AccountId,), Option<GatewayView>>("gateway"),
        answers::<(), Vec<GatewayView>>("gateways"),
        answers::<(), Vec<AuthorityView>>("authorities"),
        answers::<(DeviceId,), Option<DeviceView>>("device"),
        answers::<(AccountId, Option<DeviceId>, u32), Vec<DeviceView>>("devices_of"),
        answers::<Page<DeviceId>, Vec<DeviceView>>("devices"),
        answers::<(GroupId,), Option<GroupView>>("group"),
        answers::<Page<GroupId>, Vec<GroupId>>("groups"),
        answers::<(GroupId, Option<DeviceId>, u32), Vec<MemberView>>("members"),
        answers::<(AccountId,), Vec<CustodyView>>("custody"),
        answers::<(GroupId,), Vec<ConflictView>>("conflicts"),
        answers::<(AccountId,), Vec<InvitationView>>("invitations"),
        answers::<(AccountId,), PermissionsView>("permissions"),
    ];
    assert_eq!(
        checked,
        FLEET_API
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()[..]
    );
}

#[test]
fn holdings_are_stored_as_this_crate_reads_them() {
    #[derive(TypeInfo)]
    #[expect(dead_code, reason = "only its type is looked at")]
    struct Holding {
        epoch: u32,
        at: u32,
    }
    let fleet = metadata().pallet_by_name("Fleet").unwrap();
    let holdings = fleet.storage().unwrap().entry_by_name("Holdings").unwrap();
    let stored = Shapes::of(metadata().types()).shape(holdings.value_ty());
    assert_eq!(stored, shape_of::<Holding>());
    let hashers: Vec<String> = holdings
        .keys()
        .map(|key| format!("{:?}", key.hasher))
        .collect();
    assert_eq!(hashers, ["Blake2_128Concat", "Blake2_128Concat"]);
}

#[test]
fn the_committed_runtime_is_compatible_with_itself_and_another_one_is_not() {
    assert_eq!(runtime().check(), Ok(()));
    let versions = Versions {
        spec: 2,
        transaction: 1,
    };
    let mut changed = decoded();
    let ty = changed.types_mut().types.iter_mut();
    let policy = ty
        .map(|ty| &mut ty.ty)
        .find(|ty| ty.path.segments.ends_with(&["Policy".to_owned()]));
    let Some(TypeDef::Composite(policy)) = policy.map(|policy| &mut policy.type_def) else {
        panic!("the metadata describes Policy");
    };
    policy.fields.swap(0, 1);
    let refused = Runtime::new(Genesis([9; 32]), versions, changed)
        .unwrap()
        .check()
        .unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("call Fleet.set_policy has another form"),
        "{text}"
    );
    assert!(
        text.contains("runtime API FleetApi.group has another form"),
        "{text}"
    );
    assert!(!text.contains("Fleet.rotate"), "{text}");
}

#[tokio::test]
async fn an_open_motion_is_read_with_its_call_and_votes() {
    let node = FakeNode::with_blocks(1);
    let call = Call::suspend_gateway(ACCOUNT);
    let call = call.encode_for(&runtime().metadata()).unwrap();
    let hash = Digest(sp_crypto_hashing::blake2_256(&call));
    let votes = (3u32, 2u32, vec![ACCOUNT], Vec::<AccountId>::new(), 900u32);
    node.store(storage_key("Council", "Proposals"), vec![hash].encode());
    let council = Collective::Council;
    node.store(storage_key("Council", "Members"), vec![ACCOUNT; 3].encode());
    node.store(motion_key(council, "ProposalOf", hash), call.clone());
    node.store(motion_key(council, "Voting", hash), votes.encode());
    let client = Client::over(std::sync::Arc::new(node)).await.unwrap();
    let head = client.finalized().await.unwrap().hash;
    let expected = OpenMotion {
        hash,
        index: 3,
        threshold: 2,
        members: 3,
        ayes: vec![ACCOUNT],
        nays: Vec::new(),
        end: 900,
        path: "Fleet.suspend_gateway".into(),
        call,
        decoded: Ok(DecodedCall {
            pallet: "Fleet".into(),
            name: "suspend_gateway".into(),
            args: vec![("account".into(), Datum::Account(ACCOUNT))],
        }),
    };
    assert_eq!(client.at(head).motions().await, Ok(vec![expected]));
}

#[tokio::test]
async fn a_list_that_does_not_end_is_refused() {
    let node = FakeNode::with_blocks(1);
    let client = Client::over(std::sync::Arc::new(node)).await.unwrap();
    let head = client.finalized().await.unwrap();
    let refused = client.at(head.hash).groups().await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("does not end"), "{refused}");
}

#[tokio::test]
async fn a_call_is_signed_with_the_extensions_of_the_chain() {
    let signer = Signer::from_suri("//Alice").unwrap();
    let born = BlockRef {
        number: 100,
        hash: BlockHash([8; 32]),
    };
    let call = Call::rotate(&group());
    let runtime = runtime();
    let signed = transaction::sign(&runtime, &signer, &call, 7, born).unwrap();
    assert_eq!(
        (signed.nonce, signed.born, signed.expires_at),
        (7, 100, 164)
    );
    let transactions = runtime
        .offline()
        .extrinsics()
        .from_bytes(vec![signed.bytes.clone()])
        .await;
    let transaction = transactions.iter().next().unwrap().unwrap();
    assert_eq!(
        (transaction.pallet_name(), transaction.call_name()),
        ("Fleet", "rotate")
    );
    assert_eq!(
        transaction.address_bytes().map(|bytes| &bytes[1..]),
        Some(&signer.account().0[..])
    );
    let extensions = transaction.transaction_extensions().unwrap();
    assert_eq!(extensions.nonce(), Some(7));
}
