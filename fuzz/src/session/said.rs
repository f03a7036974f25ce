//! What must hold of what a device seals and publishes.

use std::collections::{BTreeMap, BTreeSet};

use keyward_client::session::{durable::Heard, Durable, Effects};
use keyward_crypto::{epoch, message::Expected, sign::verify, GroupKey, Verifier};
use keyward_protocol::{
    message::{Message, Stream},
    receipt::Receipt,
    request::Request,
    signing::Unverified,
    statement::{GroupState, GroupStatement},
    topic::{ControlTopic, PREFIX},
    GroupId,
};

use super::{
    device::{published, Device},
    judge::current_epoch,
    world::{secret_of, World, GENESIS},
};

/// What a device sealed and asked, over all its starts.
#[derive(Debug, Default)]
pub struct Sealing {
    /// Group, epoch, index, boot, stream and counter of everything that was sealed.
    used: BTreeSet<(GroupId, [u32; 3], Stream, u64)>,
    /// When the current epoch of a group may be used, where this start has learned of it.
    usable_at: BTreeMap<GroupId, u64>,
    /// Requests that were published, and their counters by key version.
    asked: BTreeSet<Vec<u8>>,
    counters: BTreeSet<(u32, u64)>,
    /// This start's boot.
    boot: u32,
}

fn body<'a>(durable: &'a Durable, group: &GroupId) -> Option<&'a GroupStatement> {
    durable.statements.get(group).map(|held| &held.body)
}

/// The current epoch, if its secret is held.
fn ready(durable: &Durable, group: &GroupId) -> Option<u32> {
    let epoch = current_epoch(body(durable, group)?);
    let held = durable.secrets.contains_key(&(group.clone(), epoch));
    held.then_some(epoch)
}

impl Sealing {
    /// The device began again: what it knew before has settled since.
    pub fn on_start(&mut self, boot: u32) {
        self.usable_at.clear();
        self.boot = boot;
    }

    /// Notes which epochs were learned of.
    pub fn note(&mut self, world: &World, before: &Durable, after: &Durable) {
        for (group, held) in &after.statements {
            let is_ready = ready(after, group);
            if is_ready.is_some() && is_ready != ready(before, group) {
                let settle = u64::from(held.body.policy.settle);
                self.usable_at.insert(group.clone(), world.mono_ms + settle);
            }
        }
    }

    /// A message was sealed. `reported`: whether the device said that it is stale, where it can say so.
    pub fn on_sealed(
        &mut self,
        world: &World,
        device: &Device,
        topic: &str,
        bytes: &[u8],
        reported: Option<bool>,
    ) {
        let message = Message::from_wire(bytes).expect("a protected message (MSG-1)");
        let header = message.header;
        let durable = device.session.durable();
        let (group, number) = self.check_sealed(world, device, topic, reported);
        assert_eq!(header.epoch, number, "MSG-14");
        let boots = match header.stream {
            Stream::Will => self.boot..=durable.boot,
            Stream::Live | Stream::Retained => self.boot..=self.boot,
        };
        assert!(boots.contains(&header.boot), "MSG-9");
        let place = [header.epoch, header.sender, header.boot];
        let used = (group.clone(), place, header.stream, header.counter);
        assert!(self.used.insert(used), "a counter was used twice (MSG-9)");
        let first = header.stream != Stream::Will || header.counter == 0;
        assert!(first, "a second will of a boot (MSG-17)");
        let copied = durable.copied >= Some(device.identity.key_version);
        assert!(!copied, "sealed with keys that somebody else has (MSG-10)");

        let statement = body(durable, &group).expect("a statement");
        let signer = device.identity.signing.verifying_key();
        let verifier = Verifier::new(&signer).expect("a key");
        let key = GroupKey::new(&GENESIS, &group, header.epoch, &secret_of(&group, number));
        let key = key.message_key(header.sender, header.boot, header.stream);
        let expected = Expected {
            signed_by: statement.policy.signed.then_some(&verifier),
            timed: statement.policy.timed(),
        };
        let opened = key.open(&message, topic, expected);
        assert!(opened.is_ok(), "its group cannot open it (MSG-2 to MSG-6)");
    }

    /// Whether anything may be sealed for the topic now; the group and epoch that it is sealed in.
    fn check_sealed(
        &self,
        world: &World,
        device: &Device,
        topic: &str,
        reported: Option<bool>,
    ) -> (GroupId, u32) {
        let durable = device.session.durable();
        let stated = durable
            .device
            .as_ref()
            .expect("the owner's statement (STM-1)");
        let groups = stated.body.groups.iter();
        let best = |group: &&keyward_protocol::statement::DeviceGroup| {
            group.filters.best(topic).map(|filter| filter.specificity())
        };
        let group = groups.max_by_key(best).expect("a group (STM-1)");
        assert!(group.filters.best(topic).is_some(), "STM-1");
        assert!(group.role.publishes(), "STM-1");
        let id = &group.group;
        let statement = body(durable, id).expect("a statement (STM-5)");
        match statement.state {
            GroupState::Active => {}
            GroupState::Awaiting => assert!(statement.policy.seal_while_awaiting, "STM-5"),
            GroupState::Frozen | GroupState::Closed => panic!("sealed while frozen (STM-5)"),
        }
        let heard = durable.facts.get(id).and_then(|facts| facts.heard);
        let silence = u64::from(statement.policy.max_silence) * 1000;
        let is_fresh = |heard: Heard| world.time_ms() - heard.chain_time <= silence;
        let is_stale = !heard.is_some_and(is_fresh);
        assert!(!is_stale || statement.policy.seal_when_stale, "STM-10");
        assert!(!is_stale || reported != Some(false), "STM-10");
        let usable_at = self.usable_at.get(id).copied().unwrap_or_default();
        assert!(usable_at <= world.mono_ms, "before it settled (MSG-14)");
        let number = ready(durable, id).expect("the current secret (MSG-14)");
        (id.clone(), number)
    }

    /// What was published by an input: values that were sealed anew, requests and receipts.
    pub fn on_effects(&mut self, world: &World, device: &Device, effects: &Effects) {
        for (topic, payload) in published(effects) {
            match ControlTopic::parse(PREFIX, topic) {
                None => self.on_sealed(world, device, topic, payload, None),
                Some(ControlTopic::Request(..)) => self.check_request(device, payload),
                Some(ControlTopic::Ack(..)) => check_receipt(device, payload),
                Some(_) => panic!("a device wrote {topic} (TOP-5)"),
            }
        }
    }

    fn check_request(&mut self, device: &Device, payload: &[u8]) {
        let request = Unverified::<Request>::from_wire(payload).expect("a request (REQ-1)");
        let key = device.identity.signing.verifying_key();
        let request = verify(request, &GENESIS, &key).expect("its signature (REQ-1)");
        let said = request.body();
        assert_eq!(said.key_version, device.identity.key_version, "REQ-1");
        // One that waits is published again after newer ones.
        if self.asked.insert(payload.to_vec()) {
            let counter = (said.key_version, said.counter);
            assert!(
                self.counters.insert(counter),
                "a counter was used twice (REQ-1)"
            );
            let durable = device.session.durable().asked;
            assert!(
                said.counter <= durable,
                "a counter that is not durable (REQ-1)"
            );
        }
    }
}

/// A receipt names the commitment that the secret opened, and nothing else (KEX-8).
fn check_receipt(device: &Device, payload: &[u8]) {
    let receipt = Unverified::<Receipt>::from_wire(payload).expect("a receipt (KEX-8)");
    let key = device.identity.signing.verifying_key();
    let receipt = verify(receipt, &GENESIS, &key).expect("its signature (KEX-8)");
    let said = receipt.body();
    assert_eq!(said.device, device.identity.device, "KEX-8");
    let secret = secret_of(&said.group, said.epoch);
    let opens = |account| {
        let (group, commitment) = (&said.group, &said.commitment);
        epoch::opens(commitment, &GENESIS, group, said.epoch, &account, &secret)
    };
    let accounts =
        ["gw1", "gw2"].map(|name| keyward_protocol::AccountId(crate::numbers::seed_of(name)));
    assert!(
        accounts.into_iter().any(opens),
        "not what the secret opens (KEX-8)"
    );
}
