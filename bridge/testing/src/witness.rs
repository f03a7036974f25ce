//! Who looks on while the relay lives in its world, and panics when a rule is broken.

use keyward_bridge::relay::{
    journal::{Change, Journal},
    Action, Effects, Input,
};

/// What is told at every step, beside the promises that the world itself holds.
pub trait Witness {
    /// The process began again.
    fn on_start(&mut self) {}

    /// Something comes to the bridge, at this time of the process's clock, in milliseconds.
    fn on_input(&mut self, _now: u64, _input: &Input) {}

    /// A change is about to become durable. `genuine`: unless a message caused it that no device ever said.
    fn on_change(&mut self, _journal: &Journal, _change: &Change, _genuine: bool) {}

    /// The bridge does something; what it changed before is durable.
    fn on_action(&mut self, _journal: &Journal, _action: &Action) {}

    /// Everything that an input led to is done.
    fn on_effects(&mut self, _journal: &Journal, _effects: &Effects) {}
}

/// Nobody.
impl Witness for () {}
