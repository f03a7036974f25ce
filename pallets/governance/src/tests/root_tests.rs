//! The council as root.

use frame_support::{
    assert_noop, assert_ok,
    dispatch::{DispatchClass, GetDispatchInfo, Pays},
    storage::unhashed,
};
use sp_runtime::{traits::Dispatchable, DispatchError};

use super::*;
use crate::{Event, WeightInfo};

fn set_storage() -> RuntimeCall {
    let items = vec![(b"key".to_vec(), b"value".to_vec())];
    RuntimeCall::System(frame_system::Call::set_storage { items })
}

fn as_root(call: RuntimeCall) -> RuntimeCall {
    RuntimeCall::Governance(crate::Call::as_root {
        call: Box::new(call),
    })
}

#[test]
fn the_council_dispatches_with_root() {
    chain().execute_with(|| {
        assert_ok!(as_root(set_storage()).dispatch(RuntimeOrigin::signed(Council::get())));
        assert_eq!(unhashed::get_raw(b"key"), Some(b"value".to_vec()));
        System::assert_last_event(Event::DispatchedAsRoot.into());
    });
}

#[test]
fn nobody_else_does_and_not_even_root_itself() {
    chain().execute_with(|| {
        for origin in [
            RuntimeOrigin::signed(FOUNDER),
            RuntimeOrigin::none(),
            RuntimeOrigin::root(),
        ] {
            let call = Box::new(set_storage());
            assert_noop!(Governance::as_root(origin, call), DispatchError::BadOrigin);
        }
    });
}

#[test]
fn the_inner_error_is_returned_and_nothing_is_changed() {
    chain().execute_with(|| {
        let council = || RuntimeOrigin::signed(Council::get());
        let unsigned = frame_system::Call::remark_with_event { remark: vec![] };
        assert_noop!(
            Governance::as_root(council(), Box::new(unsigned.into())),
            DispatchError::BadOrigin
        );
        let no_code = frame_system::Call::apply_authorized_upgrade { code: vec![] };
        assert_noop!(
            Governance::as_root(council(), Box::new(no_code.into())),
            frame_system::Error::<Test>::NothingAuthorized
        );
        assert_eq!(System::events(), vec![]);
    });
}

#[test]
fn it_weighs_what_the_call_weighs_and_has_its_class() {
    let inner = set_storage().get_dispatch_info();
    let outer = as_root(set_storage()).get_dispatch_info();
    let overhead = crate::weights::SubstrateWeight::<Test>::as_root();
    assert!(overhead.ref_time() > 0);
    assert!(outer.call_weight.all_gte(inner.call_weight));
    assert_eq!(
        (outer.class, outer.pays_fee),
        (DispatchClass::Operational, Pays::Yes)
    );
}
