//! What proves that somebody signed two blocks of one slot, and what does not.
#![expect(
    deprecated,
    reason = "`AuthorizeCall`, which replaces `ValidateUnsigned` in 2027, is one more transaction extension"
)]

use codec::Encode;
use frame_support::{assert_err, assert_noop, assert_ok};
use frame_system::pallet_prelude::HeaderFor;
use sp_consensus_aura::digests::CompatibleDigestItem;
use sp_consensus_slots::EquivocationProof;
use sp_core::crypto::key_types::AURA;
use sp_runtime::{
    traits::{Header as _, ValidateUnsigned},
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
    DigestItem,
};

use super::*;
use crate::{AuraEquivocation, Call, Error, Event, KeyOwnerProof, Offences, LONGEST_HEADER};

type Header = HeaderFor<Test>;
type Report = AuraEquivocation<Header, AuraId>;

/// The slot of the offences here, in session 1: from 16 on.
const SLOT: u64 = 20;
/// A block of session 1, after that slot.
const NOW: u32 = 17;

fn pre_digest(slot: u64) -> DigestItem {
    CompatibleDigestItem::<sp_consensus_aura::sr25519::AuthoritySignature>::aura_pre_digest(
        slot.into(),
    )
}

fn seal(mut header: Header, key: &sr25519::Pair) -> Header {
    let signature: sp_consensus_aura::sr25519::AuthoritySignature =
        key.sign(header.hash().as_ref()).into();
    header
        .digest_mut()
        .push(CompatibleDigestItem::aura_seal(signature));
    header
}

fn unsealed(state: u8, logs: Vec<DigestItem>) -> Header {
    let root = [state; 32].into();
    Header::new(
        16,
        Default::default(),
        root,
        Default::default(),
        sp_runtime::Digest { logs },
    )
}

/// A header of a slot, sealed with the key of an operator. What differs is the state root.
fn header(number: u8, slot: u64, state: u8) -> Header {
    seal(
        unsealed(state, vec![pre_digest(slot)]),
        &aura_pair(number, 0),
    )
}

fn report(first_header: Header, second_header: Header) -> Report {
    EquivocationProof {
        offender: keys(3, 0).aura,
        slot: SLOT.into(),
        first_header,
        second_header,
    }
}

/// Validator 3 signed two blocks of the slot.
fn guilty() -> Report {
    report(header(3, SLOT, 1), header(3, SLOT, 2))
}

/// Validator 3's key was in force in session 1, which had four validators.
const OWNER: KeyOwnerProof = KeyOwnerProof {
    session: 1,
    validators: 4,
};

fn bring(report: Report, owner: KeyOwnerProof) -> sp_runtime::DispatchResult {
    ValidatorSet::report_aura_equivocation(RuntimeOrigin::none(), Box::new(report), owner)
}

fn refused(report: Report, error: Error<Test>) {
    assert_noop!(bring(report, OWNER), error);
}

fn at(block: u32, test: impl FnOnce()) {
    run(|| {
        go_to(block);
        test();
    });
}

#[test]
fn two_blocks_of_one_slot_are_recorded_and_nothing_else_happens() {
    at(NOW, || {
        let before = set();
        assert_ok!(bring(guilty(), OWNER));
        let equivocation = Equivocation::Blocks { slot: SLOT };
        assert!(happened(Event::OffenceReported {
            account: account(3),
            equivocation,
            session: 1
        }));
        let [offence] = Offences::<Test>::get(account(3)).into_inner()[..] else {
            panic!("one offence")
        };
        assert_eq!((offence.equivocation, offence.session), (equivocation, 1));
        assert_eq!((offence.block, offence.cleared), (NOW, false));
        go_to_session(4);
        assert_eq!((set(), in_force()), (before.clone(), before));
    });
}

#[test]
fn an_offence_is_recorded_once_whichever_way_round_it_is_reported() {
    at(NOW, || {
        assert_ok!(bring(guilty(), OWNER));
        refused(guilty(), Error::KnownOffence);
        let other = report(header(3, SLOT, 3), header(3, SLOT, 1));
        refused(other, Error::KnownOffence);
        assert_eq!(Offences::<Test>::get(account(3)).len(), 1);
    });
}

#[test]
fn the_same_block_twice_is_no_offence() {
    at(NOW, || {
        let once = header(3, SLOT, 1);
        refused(report(once.clone(), once), Error::InvalidEquivocation);
    });
}

#[test]
fn two_seals_of_one_block_are_no_offence() {
    at(NOW, || {
        let (first, second) = (header(3, SLOT, 1), header(3, SLOT, 1));
        assert_ne!(first.hash(), second.hash());
        refused(report(first, second), Error::InvalidEquivocation);
    });
}

#[test]
fn blocks_of_different_slots_are_no_offence() {
    at(NOW, || {
        for (first, second) in [(SLOT, SLOT + 1), (SLOT + 1, SLOT), (SLOT + 1, SLOT + 1)] {
            let report = report(header(3, first, 1), header(3, second, 2));
            refused(report, Error::InvalidEquivocation);
        }
    });
}

#[test]
fn a_block_that_the_key_did_not_seal_proves_nothing() {
    at(NOW, || {
        let own = header(3, SLOT, 1);
        let unsealed = unsealed(2, vec![pre_digest(SLOT)]);
        let foreign = header(2, SLOT, 2);
        let mut moved = header(3, SLOT, 2);
        moved.set_state_root([9; 32].into());
        for bad in [unsealed, foreign, moved] {
            refused(report(own.clone(), bad.clone()), Error::InvalidEquivocation);
            refused(report(bad, own.clone()), Error::InvalidEquivocation);
        }
    });
}

#[test]
fn a_header_that_names_no_slot_or_two_proves_nothing() {
    at(NOW, || {
        let key = aura_pair(3, 0);
        let none = seal(unsealed(2, vec![]), &key);
        let two = vec![pre_digest(SLOT), pre_digest(SLOT + 1)];
        for bad in [none, seal(unsealed(2, two), &key)] {
            refused(report(header(3, SLOT, 1), bad), Error::InvalidEquivocation);
        }
    });
}

#[test]
fn a_header_that_is_too_long_is_not_even_hashed() {
    at(NOW, || {
        let sized = |length: usize| {
            let logs = vec![pre_digest(SLOT), DigestItem::Other(vec![0; length])];
            seal(unsealed(2, logs), &aura_pair(3, 0))
        };
        let overhead = sized(LONGEST_HEADER - 500).encoded_size() - (LONGEST_HEADER - 500);
        let longest = sized(LONGEST_HEADER - overhead);
        assert_eq!(longest.encoded_size(), LONGEST_HEADER);
        let longer = sized(LONGEST_HEADER - overhead + 1);
        refused(
            report(header(3, SLOT, 1), longer),
            Error::InvalidEquivocation,
        );
        assert_ok!(bring(report(header(3, SLOT, 1), longest), OWNER));
    });
}

#[test]
fn the_owner_is_whose_key_was_in_force_in_the_session_of_the_slot() {
    at(NOW, || {
        for (session, validators) in [(0, 4), (2, 4), (1, 3), (1, 5)] {
            let owner = KeyOwnerProof {
                session,
                validators,
            };
            assert_noop!(bring(guilty(), owner), Error::<Test>::InvalidKeyOwner);
        }
        let mut stranger = report(header(5, SLOT, 1), header(5, SLOT, 2));
        stranger.offender = keys(5, 0).aura;
        refused(stranger, Error::InvalidKeyOwner);
    });
}

#[test]
fn a_slot_that_is_still_to_come_is_refused() {
    at(14, || {
        assert!(u64::from(slot_of(14)) < SLOT);
        refused(guilty(), Error::InvalidKeyOwner);
        go_to(15);
        assert_ok!(bring(guilty(), OWNER));
    });
}

#[test]
fn the_block_that_ends_a_session_belongs_to_it() {
    at(NOW, || {
        let border = u64::from(slot_of(SESSION));
        let mut report = report(header(3, border, 1), header(3, border, 2));
        report.slot = border.into();
        assert_noop!(bring(report.clone(), OWNER), Error::<Test>::InvalidKeyOwner);
        let owner = KeyOwnerProof {
            session: 0,
            validators: 4,
        };
        assert_ok!(bring(report, owner));
    });
}

#[test]
fn an_offender_does_not_escape_by_changing_its_keys_or_leaving() {
    at(NOW, || {
        assert_ok!(set_keys(3));
        assert_ok!(ValidatorSet::leave(signed(3)));
        assert_ok!(ValidatorSet::remove(council(), account(3)));
        assert_ok!(bring(guilty(), OWNER));
    });
}

#[test]
fn an_offence_of_long_ago_is_not_recorded() {
    at(SESSION * KEPT + SESSION - 1, || {
        assert_eq!(Session::current_index(), KEPT);
        assert_ok!(bring(guilty(), OWNER));
    });
    at(SESSION * KEPT + SESSION, || {
        refused(guilty(), Error::InvalidKeyOwner);
    });
}

fn call(report: Report) -> Call<Test> {
    Call::report_aura_equivocation {
        equivocation: Box::new(report),
        owner: OWNER,
    }
}

fn validate(source: TransactionSource, call: &Call<Test>) -> Result<(), TransactionValidityError> {
    ValidatorSet::validate_unsigned(source, call).map(drop)
}

#[test]
fn reports_are_taken_from_the_node_itself_and_in_blocks_only() {
    at(NOW, || {
        let call = call(guilty());
        assert_ok!(validate(TransactionSource::Local, &call));
        assert_ok!(validate(TransactionSource::InBlock, &call));
        assert_ok!(ValidatorSet::pre_dispatch(&call));
        assert_err!(
            validate(TransactionSource::External, &call),
            InvalidTransaction::Call
        );
        let valid = ValidatorSet::validate_unsigned(TransactionSource::Local, &call).unwrap();
        assert!(!valid.propagate);
        assert_eq!(valid.longevity, u64::from(SESSION * KEPT));
    });
}

#[test]
fn only_valid_and_new_reports_go_into_the_pool_or_a_block() {
    at(NOW, || {
        let once = header(3, SLOT, 1);
        let bad = call(report(once.clone(), once));
        let bad_proof = InvalidTransaction::BadProof;
        assert_err!(validate(TransactionSource::Local, &bad), bad_proof);
        assert_err!(ValidatorSet::pre_dispatch(&bad), bad_proof);
        assert_ok!(bring(guilty(), OWNER));
        let stale = InvalidTransaction::Stale;
        assert_err!(ValidatorSet::pre_dispatch(&call(guilty())), stale);
    });
}

#[test]
fn no_other_call_is_taken_unsigned() {
    at(NOW, || {
        for call in [Call::join {}, Call::set_minimum { minimum: 1 }] {
            let refused = InvalidTransaction::Call;
            assert_err!(validate(TransactionSource::Local, &call), refused);
            assert_err!(ValidatorSet::pre_dispatch(&call), refused);
        }
    });
}

#[test]
fn nobody_signs_a_report() {
    at(NOW, || {
        for who in [signed(1), council(), RuntimeOrigin::root()] {
            let report = Box::new(guilty());
            assert_noop!(
                ValidatorSet::report_aura_equivocation(who, report, OWNER),
                sp_runtime::DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn the_session_of_a_slot_is_found_on_record() {
    at(NOW, || {
        let session = |slot: u64| crate::session::session_of::<Test>(slot.into());
        let border = u64::from(slot_of(SESSION));
        assert_eq!(session(1), Some(0));
        assert_eq!(session(border), Some(0));
        assert_eq!(session(border + 1), Some(1));
        assert_eq!(session(slot_of(NOW).into()), Some(1));
        assert_eq!(session(u64::from(slot_of(NOW)) + 1), None);
        assert_eq!(
            ValidatorSet::key_owner_proof(1, AURA, keys(3, 0).aura.as_ref()),
            Some(OWNER)
        );
    });
}
