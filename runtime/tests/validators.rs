//! Validators come and go by motions and their operators' own transactions, and by nothing else.

mod chain;

use std::mem;

use chain::{account, apply, blocks, build, genesis_of, happened, motions::decide};
use codec::{Decode, Encode};
use frame_support::assert_ok;
use keyward_runtime::{
    genesis, Block, BlockNumber, Executive, Grandpa, Header, Refusal, Runtime, Session,
    SessionKeys, System, UncheckedExtrinsic, ValidatorSet,
};
use pallet_validator_set::{
    runtime_api::runtime_decl_for_validator_set_api::ValidatorSetApi, AuraEquivocation, Call,
    Equivocation, Error, Event, Offences, SessionLength, Sessions,
};
use sp_consensus_aura::{
    digests::CompatibleDigestItem,
    sr25519::{AuthorityId as AuraId, AuthoritySignature},
};
use sp_consensus_grandpa::{
    runtime_decl_for_grandpa_api::GrandpaApi, AuthorityId as GrandpaId, EquivocationProof,
};
use sp_core::offchain::{testing::TestTransactionPoolExt, TransactionPoolExt};
use sp_keyring::{
    Ed25519Keyring,
    Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve},
};
use sp_runtime::{
    traits::{Get, Header as _},
    transaction_validity::{InvalidTransaction, TransactionSource},
    DigestItem, DispatchError,
};

/// Blocks in a session of these tests.
const SESSION: BlockNumber = 10;

type Calls = Call<Runtime>;

/// The local chain with short sessions, a keystore and a pool for the node's own transactions, in block 1; and what takes them out of
/// the pool.
fn chain() -> (sp_io::TestExternalities, impl Fn() -> Vec<Vec<u8>>) {
    let mut chain = sp_io::TestExternalities::new_empty();
    let keystore = sp_keystore::testing::MemoryKeystore::new();
    chain.register_extension(sp_keystore::KeystoreExt::new(keystore));
    let (pool, state) = TestTransactionPoolExt::new();
    chain.register_extension(TransactionPoolExt::new(pool));
    chain.execute_with(|| {
        let mut genesis = genesis_of(genesis::LOCAL);
        genesis["validatorSet"]["sessionBlocks"] = SESSION.into();
        build(&genesis).unwrap();
        blocks::begin(1);
    });
    (chain, move || mem::take(&mut state.write().transactions))
}

fn run(test: impl FnOnce()) {
    chain().0.execute_with(test);
}

/// Ends the block and goes on to another.
fn go_to(block: BlockNumber) {
    while System::block_number() < block {
        blocks::end();
        blocks::begin(System::block_number() + 1);
    }
}

/// Goes on to the second block of a session: its first one has no room for transactions.
fn go_to_session(session: u32) {
    go_to(session * SESSION + 1);
    assert_eq!(Session::current_index(), session);
}

fn failed(error: Error<Runtime>) -> Result<(), DispatchError> {
    Err(error.into())
}

/// Makes keys in the node, as `author_rotateKeysWithOwner` does.
fn rotated(owner: Sr25519Keyring) -> pallet_session::Call<Runtime> {
    let generated = SessionKeys::generate(&account(owner).encode(), None);
    pallet_session::Call::set_keys {
        keys: generated.keys,
        proof: generated.proof.encode(),
    }
}

fn approve(who: Sr25519Keyring) {
    let account = account(who);
    assert_ok!(decide(&[Alice, Bob], Calls::approve { account }));
}

fn validates(who: Sr25519Keyring) -> bool {
    Session::validators().contains(&account(who))
}

#[test]
fn an_operator_that_the_council_approved_validates_in_the_session_after_the_next() {
    run(|| {
        let refused = InvalidTransaction::Custom(77);
        assert_eq!(apply(Eve, Calls::join {}), Err(refused.into()));
        approve(Eve);
        let early = apply(Eve, Calls::join {}).unwrap();
        assert_eq!(early, failed(Error::NoSessionKeys));
        assert_ok!(apply(Eve, rotated(Eve)).unwrap());
        assert_ok!(apply(Eve, Calls::join {}).unwrap());
        go_to_session(1);
        assert!(!validates(Eve));
        go_to_session(2);
        assert!(validates(Eve));
        assert_eq!(pallet_aura::Authorities::<Runtime>::get().len(), 5);
        go_to(2 * SESSION + 2);
        assert_eq!(Grandpa::grandpa_authorities().len(), 5);
    });
}

#[test]
fn nobody_sets_keys_that_are_not_its_own() {
    run(|| {
        approve(Eve);
        let keys_of_another = rotated(Dave);
        let refused = pallet_session::Error::<Runtime>::InvalidProof.into();
        assert_eq!(apply(Eve, keys_of_another), Ok(Err(refused)));
    });
}

#[test]
fn validators_leave_down_to_the_minimum_and_come_back_after_the_cooldown() {
    run(|| {
        assert_ok!(apply(Dave, Calls::leave {}).unwrap());
        let left = System::block_number();
        assert_ok!(apply(Charlie, Calls::leave {}).unwrap());
        let stays = apply(Bob, Calls::leave {}).unwrap();
        assert_eq!(stays, failed(Error::TooFewValidators));
        let account = account(Bob);
        let stays = decide(&[Alice, Bob], Calls::remove { account });
        assert_eq!(stays, failed(Error::TooFewValidators));
        go_to_session(2);
        assert_eq!(Session::validators().len(), 2);
        let cooldown: BlockNumber = <Runtime as pallet_validator_set::Config>::Cooldown::get();
        let early = apply(Dave, Calls::join {}).unwrap();
        assert_eq!(early, failed(Error::CoolingDown));
        blocks::end();
        System::set_block_number(left + cooldown - 1);
        blocks::begin(left + cooldown);
        System::set_block_number(left + cooldown);
        assert_ok!(apply(Dave, Calls::join {}).unwrap());
    });
}

#[test]
fn sessions_are_as_long_as_genesis_says() {
    run(|| {
        go_to(SESSION - 1);
        assert_eq!(Session::current_index(), 0);
        go_to(SESSION);
        assert_eq!(Session::current_index(), 1);
    });
    chain::local().execute_with(|| {
        let length: BlockNumber = SessionLength::<Runtime>::get();
        assert_eq!(length, 1_800);
    });
}

#[test]
fn a_chain_whose_validators_stay_does_not_change_grandpas_set() {
    run(|| {
        go_to_session(5);
        assert_eq!(pallet_grandpa::CurrentSetId::<Runtime>::get(), 0);
        assert_eq!(Session::validators().len(), 4);
    });
}

#[test]
fn as_many_sessions_are_on_record_as_grandpa_can_be_reported_for() {
    let kept: u32 = <Runtime as pallet_validator_set::Config>::KeptSessions::get();
    let sets: u64 = <Runtime as pallet_grandpa::Config>::MaxSetIdSessionEntries::get();
    assert_eq!(u64::from(kept), sets);
    run(|| {
        go_to_session(3);
        assert_eq!(Sessions::<Runtime>::iter().count(), 4);
    });
}

/// Two blocks of a slot, sealed with the key of a preset's validator.
fn two_blocks(of: Sr25519Keyring, slot: u64) -> AuraEquivocation<Header, AuraId> {
    let sealed = |state: u8| {
        let nothing = Default::default();
        let logs = vec![CompatibleDigestItem::<AuthoritySignature>::aura_pre_digest(
            slot.into(),
        )];
        let mut header = Header::new(
            5,
            nothing,
            [state; 32].into(),
            nothing,
            sp_runtime::Digest { logs },
        );
        let seal: AuthoritySignature = of.sign(header.hash().as_ref()).into();
        let seal: DigestItem = CompatibleDigestItem::aura_seal(seal);
        header.digest_mut().push(seal);
        header
    };
    AuraEquivocation {
        offender: of.public().into(),
        slot: slot.into(),
        first_header: sealed(1),
        second_header: sealed(2),
    }
}

fn report(equivocation: AuraEquivocation<Header, AuraId>) -> Result<(), Refusal> {
    <Runtime as ValidatorSetApi<Block, AuraId>>::report_aura_equivocation(equivocation)
}

/// The node's own transaction from its pool.
fn taken(pool: &impl Fn() -> Vec<Vec<u8>>) -> UncheckedExtrinsic {
    let transactions = pool();
    assert_eq!(transactions.len(), 1, "one report");
    UncheckedExtrinsic::decode(&mut &transactions[0][..]).unwrap()
}

fn validity(source: TransactionSource, report: &UncheckedExtrinsic) -> bool {
    Executive::validate_transaction(source, report.clone(), Default::default()).is_ok()
}

/// An offence is on record, and the set as before, until the council removes the offender.
fn only_the_council_acts(equivocation: Equivocation) {
    let session = Session::current_index();
    let bob = account(Bob);
    let offence = Event::OffenceReported {
        account: bob.clone(),
        equivocation,
        session,
    };
    assert!(happened(offence));
    let offences = Offences::<Runtime>::get(&bob);
    assert_eq!(offences.len(), 1);
    assert_eq!(offences[0].equivocation, equivocation);
    go_to_session(session + 3);
    assert!(validates(Bob));
    assert_eq!(Session::disabled_validators(), Vec::<u32>::new());
    assert_ok!(decide(&[Alice, Charlie], Calls::remove { account: bob }));
    go_to_session(session + 5);
    assert!(!validates(Bob));
}

#[test]
fn two_blocks_of_one_slot_are_reported_by_the_node_and_judged_by_the_council() {
    let (mut chain, pool) = chain();
    chain.execute_with(|| {
        go_to(15);
        let slot = 13;
        assert_ok!(report(two_blocks(Bob, slot)));
        let transaction = taken(&pool);
        assert!(validity(TransactionSource::Local, &transaction));
        assert!(!validity(TransactionSource::External, &transaction));
        assert_ok!(Executive::apply_extrinsic(transaction.clone()).unwrap());
        assert_eq!(report(two_blocks(Bob, slot)), Err(Refusal::Known));
        let again = Executive::apply_extrinsic(transaction);
        assert_eq!(again, Err(InvalidTransaction::Stale.into()));
        only_the_council_acts(Equivocation::Blocks { slot });
    });
}

#[test]
fn a_report_that_proves_nothing_does_not_even_go_into_the_pool() {
    let (mut chain, pool) = chain();
    chain.execute_with(|| {
        go_to(15);
        let mut same = two_blocks(Bob, 13);
        same.second_header = same.first_header.clone();
        assert_eq!(report(same), Err(Refusal::Invalid));
        assert_eq!(report(two_blocks(Eve, 13)), Err(Refusal::UnknownOwner));
        assert_eq!(report(two_blocks(Bob, 16)), Err(Refusal::UnknownOwner));
        assert!(pool().is_empty());
    });
}

/// Two prevotes of one round, signed with the key of a preset's validator.
fn two_votes(
    of: Ed25519Keyring,
    set: u64,
    round: u64,
) -> EquivocationProof<keyward_runtime::Hash, BlockNumber> {
    const PREVOTE: u8 = 0;
    let vote = |hash: u8| {
        let vote = ([hash; 32], 3_u32);
        let signature = of.sign(&(PREVOTE, vote, round, set).encode());
        (vote, signature)
    };
    let proof = (set, PREVOTE, round, of.public(), vote(1), vote(2)).encode();
    EquivocationProof::decode(&mut &proof[..]).unwrap()
}

fn report_votes(set: u64, round: u64) -> Option<()> {
    type Api = Runtime;
    let key: GrandpaId = Ed25519Keyring::Bob.public().into();
    let owner = <Api as GrandpaApi<Block>>::generate_key_ownership_proof(set, key)?;
    let proof = two_votes(Ed25519Keyring::Bob, set, round);
    <Api as GrandpaApi<Block>>::submit_report_equivocation_unsigned_extrinsic(proof, owner)
}

#[test]
fn two_votes_of_one_round_are_reported_by_the_node_and_judged_by_the_council() {
    let (mut chain, pool) = chain();
    chain.execute_with(|| {
        go_to(15);
        assert_eq!(report_votes(0, 7), Some(()));
        let transaction = taken(&pool);
        assert!(validity(TransactionSource::Local, &transaction));
        assert!(!validity(TransactionSource::External, &transaction));
        assert_ok!(Executive::apply_extrinsic(transaction.clone()).unwrap());
        let again = Executive::apply_extrinsic(transaction);
        assert_eq!(again, Err(InvalidTransaction::Stale.into()));
        only_the_council_acts(Equivocation::Votes { set: 0, round: 7 });
    });
}

#[test]
fn a_voter_does_not_escape_by_changing_its_keys() {
    let (mut chain, pool) = chain();
    chain.execute_with(|| {
        go_to(15);
        assert_ok!(apply(Bob, rotated(Bob)).unwrap());
        assert_eq!(report_votes(0, 7), Some(()));
        assert_ok!(Executive::apply_extrinsic(taken(&pool)).unwrap());
        // Nor later, when its new keys are in force.
        go_to_session(4);
        assert_eq!(pallet_grandpa::CurrentSetId::<Runtime>::get(), 1);
        assert_eq!(report_votes(0, 8), Some(()));
        assert_ok!(Executive::apply_extrinsic(taken(&pool)).unwrap());
        assert_eq!(report_votes(1, 9), None, "the key was not in force then");
        assert_eq!(Offences::<Runtime>::get(account(Bob)).len(), 2);
        assert!(ValidatorSet::is_operator(&account(Bob)));
    });
}
