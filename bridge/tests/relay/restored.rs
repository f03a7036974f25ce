//! An older copy of the journal comes into use.

use keyward_bridge_testing::devices::device;

use crate::{expect, settled};

/// STM-1, STM-2: what a device is in again, it is told by a statement that it does not refuse as older than the one it knows. The copy
/// has one that says the same, from before.
#[test]
fn a_device_is_told_what_it_is_in_again_by_a_newer_statement_than_it_knows() {
    let mut world = settled();
    world.calm_down();
    world.backup();
    let before = world.device_statement(&device(1)).expect("a statement");
    world.chain.apply(|state| state.suspend(&device(1)));
    world.calm_down();
    let known = world.device_statement(&device(1)).expect("a statement");
    assert!(known.revision > before.revision);
    world.chain.apply(|state| state.reinstate(&device(1)));
    world.restore();
    world.calm_down();
    let told = world.device_statement(&device(1)).expect("a statement");
    assert_eq!(told.groups, before.groups);
    assert!(told.revision > known.revision, "{} (STM-2)", told.revision);
    expect::all(&world);
}
