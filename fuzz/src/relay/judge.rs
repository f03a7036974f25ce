//! What must hold of a bridge at every step, beside what its world holds itself (BRG-1, BRG-3, BRG-6): written against
//! `docs/protocol.md`, from finalized state, what is durable, and what the bridge does.

use std::collections::{BTreeMap, BTreeSet};

use keyward_bridge::relay::{
    fleet::{Fleet, Group},
    journal::{AskState, Change, Journal},
    transactions::Command,
    Action, Effects, Input,
};
use keyward_bridge_testing::{
    broker::is_own,
    devices::{self, verified, GENESIS},
    state::ACCOUNT,
    witness::Witness,
};
use keyward_crypto::{
    epoch,
    grant::{self, Recipient},
    hash::hash_of,
};
use keyward_protocol::{
    beacon::Beacon,
    request::Response,
    statement::{DeviceStatement, GroupState, GroupStatement, PublisherPage},
    topic::{ControlTopic, PREFIX},
    Commitment, DeviceId, GroupId,
};

use super::pauses::Pauses;

/// Who remembers what the bridge did, over all its starts.
#[derive(Debug, Default)]
pub struct Judge {
    /// What the relay was told of the chain in this start.
    seen: Option<Fleet>,
    /// Revision and content of the newest statement that was published on a topic.
    stated: BTreeMap<String, (u64, Vec<u8>)>,
    /// Chain time of the newest beacon of a group.
    beacons: BTreeMap<GroupId, u64>,
    pauses: Pauses,
}

/// A control topic in full.
pub fn topic(topic: ControlTopic) -> String {
    topic.to_topic(PREFIX)
}

impl Witness for Judge {
    fn on_start(&mut self) {
        self.seen = None;
        self.pauses = Pauses::default();
    }

    fn on_input(&mut self, now: u64, input: &Input) {
        self.pauses.on_input(now, input);
        if let Input::Finalized(block) = input {
            if let Some(fleet) = &block.fleet {
                self.seen = Some((**fleet).clone());
            }
        }
    }

    fn on_change(&mut self, journal: &Journal, change: &Change, genuine: bool) {
        match change {
            Change::Secret(group, number, held) => {
                let (secret, commitment) = (&held.secret, &held.commitment);
                let opens = epoch::opens(commitment, &GENESIS, group, *number, &ACCOUNT, secret);
                assert!(opens, "KEY-2");
            }
            Change::Ask(device, record) => {
                let known = journal.asks.get(device);
                assert!(genuine, "a request that {device} did not make (REQ-6)");
                let same_key = known.filter(|known| known.key == record.key);
                let rises = same_key.is_none_or(|known| {
                    known.counter < record.counter || known.nonce == record.nonce
                });
                assert!(rises, "a counter of {device} does not rise (REQ-1)");
                let before = known.map(|known| &known.state);
                if let (Some(AskState::Pending(before)), AskState::Pending(ask)) =
                    (before, &record.state)
                {
                    assert_eq!(before, ask, "a request was given up for another (REQ-6)");
                }
            }
            Change::Receipt(key, _) => assert!(genuine, "{key:?} was not made (BRG-6)"),
            Change::Retain(topic, retained) => {
                assert!(is_own(topic), "TOP-5: {topic}");
                self.check_retained(journal, topic, &retained.payload);
            }
            _ => {}
        }
    }

    fn on_action(&mut self, journal: &Journal, action: &Action) {
        match action {
            Action::Publish(publish) => {
                self.pauses.on_publish(publish);
                self.check_published(journal, &publish.topic, &publish.payload);
                check_secrecy(journal, &publish.payload);
            }
            Action::Respond { topic, payload } => {
                assert!(is_own(topic), "TOP-5: {topic}");
                check_secrecy(journal, payload);
                if let Some(ControlTopic::Response(_, device)) = ControlTopic::parse(PREFIX, topic)
                {
                    let said = verified::<Response>(payload).expect("signed (REQ-2)");
                    assert_eq!(said.body().device, device, "REQ-2");
                }
            }
            Action::Submit(_, command) => self.check_submitted(journal, command),
            _ => {}
        }
    }

    /// What must stay small (LIM-1), and what must be gone (KEY-8), after every input.
    fn on_effects(&mut self, journal: &Journal, effects: &Effects) {
        let publishes = effects.actions.iter();
        let publishes = publishes.filter(|action| matches!(action, Action::Publish(_)));
        assert!(publishes.count() <= 257, "LIM-1");
        let receipts = journal.receipts.keys().map(|key| &key.device);
        let mut of_device = BTreeMap::<&DeviceId, usize>::new();
        receipts.for_each(|device| *of_device.entry(device).or_default() += 1);
        assert!(of_device.values().all(|count| *count <= 16), "LIM-1");
        let closed = self.seen.iter().flat_map(|fleet| fleet.groups.values());
        for group in closed.filter(|group| group.view.state == GroupState::Closed) {
            let mut held = journal.secrets.keys();
            let held = held.any(|(of, _)| *of == group.view.group);
            let saw = effects
                .changes
                .iter()
                .any(|change| matches!(change, Change::Cursor(_)));
            assert!(!held || !saw, "secrets of a closed group (KEY-8)");
        }
    }
}

impl Judge {
    /// What is owed to the broker is what finalized state says (BRG-2).
    fn check_retained(&self, journal: &Journal, topic: &str, payload: &[u8]) {
        let fleet = self.seen.as_ref().expect("finalized state (BRG-2)");
        match ControlTopic::parse(PREFIX, topic) {
            Some(ControlTopic::Grant(_, device, group)) => {
                let group = fleet.groups.get(&group).expect("a group (BRG-2)");
                let granted = check_grant(journal, group, &device, payload);
                let newest = group.committed().map(|(epoch, ..)| epoch);
                assert_eq!(granted.last().copied(), newest, "the current epoch (KEY-7)");
            }
            Some(ControlTopic::DeviceState(_, device)) => {
                let said = verified::<DeviceStatement>(payload).expect("signed (STM-1)");
                assert_eq!(said.body().device, device, "STM-1");
            }
            Some(ControlTopic::GroupState(_, group)) => {
                let said = verified::<GroupStatement>(payload).expect("signed (STM-3)");
                assert_eq!(said.body().group, group, "STM-3");
            }
            Some(ControlTopic::Publishers(_, group, number)) => {
                let page = PublisherPage::from_wire(payload, &GENESIS).expect("a page (STM-6)");
                assert_eq!((page.group, page.page), (group, number), "STM-6");
            }
            other => panic!("{other:?} is not owed (TOP-4)"),
        }
    }

    /// Revisions rise, and one of them says one thing (STM-2, STM-4). Before a bridge has seen the chain it repeats what its
    /// journal has, which may be an old copy.
    fn check_revision(&mut self, topic: &str, revision: u64, payload: &[u8]) {
        let (known, said) = self.stated.entry(topic.to_owned()).or_default();
        let rises = revision > *known || (revision, payload) == (*known, said.as_slice());
        let is_blind = self.seen.is_none() && revision < *known;
        assert!(
            rises || is_blind,
            "{topic}: {known}, then {revision} (STM-2, STM-4)"
        );
        if rises {
            (*known, *said) = (revision, payload.to_vec());
        }
    }

    /// What stands on a topic is not older than what a device may have believed (STM-2, STM-4).
    pub fn check_newest(&self, topic: &str, revision: u64) {
        let newest = self.stated.get(topic).map(|(newest, _)| *newest);
        assert_eq!(Some(revision), newest, "{topic} (STM-2, STM-4)");
    }

    fn check_published(&mut self, journal: &Journal, of: &str, payload: &[u8]) {
        assert!(is_own(of), "TOP-5: {of}");
        if payload.is_empty() {
            return;
        }
        match ControlTopic::parse(PREFIX, of) {
            Some(ControlTopic::Beacon(_, group)) => {
                let said = verified::<Beacon>(payload).expect("signed (STM-8)");
                let state = ControlTopic::GroupState(devices::gateway(), group.clone());
                let stands = journal
                    .retained
                    .get(&topic(state))
                    .expect("a statement (STM-8)");
                let stands = verified::<GroupStatement>(&stands.payload).expect("ours");
                // An older beacon may wait for its turn; what it names was our statement.
                let named = said.body().revision <= stands.body().revision;
                assert!(named, "STM-8");
                if said.body().revision == stands.body().revision {
                    assert_eq!(said.body().statement, hash_of(&stands), "STM-8");
                }
                let newest = self.beacons.entry(group).or_default();
                assert!(said.body().chain_time >= *newest, "STM-8");
                *newest = said.body().chain_time;
            }
            Some(ControlTopic::GatewayState(_)) => {}
            at => {
                let durable = journal.retained.get(of);
                let durable = durable.map(|retained| &*retained.payload);
                assert_eq!(durable, Some(payload), "{of} is not durable (BRG-2)");
                self.check_owed(at.as_ref(), payload);
            }
        }
    }

    /// What is said is of a device or a group that is this gateway's as far as it has seen, and no older than what was said
    /// before.
    fn check_owed(&mut self, at: Option<&ControlTopic>, payload: &[u8]) {
        use ControlTopic::{DeviceState, Grant, GroupState, Publishers};
        let fleet = self.seen.as_ref();
        let is_ours = |fleet: &Fleet| match at {
            Some(DeviceState(_, device)) => fleet.devices.contains_key(device),
            Some(GroupState(_, group) | Publishers(_, group, _)) => {
                fleet.groups.contains_key(group)
            }
            Some(Grant(_, device, group)) => {
                let members = fleet.groups.get(group).map(|group| &group.members);
                let member = members.and_then(|members| members.get(device));
                member.is_some_and(|member| member.active)
            }
            _ => false,
        };
        assert!(fleet.is_none_or(is_ours), "{at:?} (STM-1, KEX-4, MEM-4)");
        let revision = match at {
            Some(DeviceState(..)) => {
                verified::<DeviceStatement>(payload).map(|said| said.body().revision)
            }
            Some(GroupState(..)) => {
                verified::<GroupStatement>(payload).map(|said| said.body().revision)
            }
            _ => None,
        };
        if let (Some(at), Some(revision)) = (at, revision) {
            self.check_revision(&topic(at.clone()), revision, payload);
        }
    }

    /// A group as this start of the bridge was told of it.
    fn group(&self, id: &GroupId) -> &Group {
        let fleet = self.seen.as_ref().expect("finalized state (BRG-2)");
        fleet
            .groups
            .get(id)
            .expect("a group that it serves (KEX-4)")
    }

    fn check_submitted(&self, journal: &Journal, command: &Command) {
        match command {
            // The world looks at what is in these; receipts go to the custodian and the owner.
            Command::Acknowledge { .. } => {}
            Command::Stage { group, .. } => {
                let state = self.group(group).view.state;
                assert_ne!(state, GroupState::Closed, "KEX-3");
            }
            Command::Deliver { group, epoch, .. } => {
                let exchange = self.group(group).exchange(*epoch);
                let exchange = exchange.expect("an epoch (KEX-6)");
                let by = exchange.committed.map(|(_, account)| account);
                assert_eq!(by, Some(ACCOUNT), "another's delivery (KEX-6)");
                assert_eq!(exchange.delivery, None, "a second delivery (KEX-6)");
            }
            Command::Register { voucher, .. } | Command::ReplaceByVoucher { voucher, .. } => {
                assert!(is_asked(journal, &voucher.device), "REQ-6");
            }
            Command::Replace { replacement, .. } => {
                assert!(is_asked(journal, &replacement.device), "REQ-6");
            }
            Command::Withdraw { group, epoch } => {
                let lost = lost(journal, self.group(group));
                let text = "what is another's, or opens, is withdrawn (BRG-4)";
                assert!(lost.contains(epoch), "{epoch}: {text}");
            }
            // No policy in this world has a group rotate as early as this, and a custodian that does not administer it may not.
            Command::Rotate { group } => {
                let group = self.group(group);
                assert_eq!(group.view.admin, ACCOUNT, "KEX-11");
                let lost = lost(journal, group);
                let only = BTreeSet::from([group.view.epoch]);
                assert_eq!(lost, only, "the epochs to recover from (BRG-4)");
            }
        }
    }
}

/// The epochs, current or staged, that this gateway committed to and cannot open.
fn lost(journal: &Journal, group: &Group) -> BTreeSet<u32> {
    let view = &group.view;
    let current = group.exchange(view.epoch);
    let current = current.and_then(|exchange| exchange.committed);
    let current = current.map(|(commitment, account)| (view.epoch, commitment, account));
    let staged = view.staged.iter();
    let staged = staged.map(|staged| (staged.epoch, staged.commitment, staged.custodian));
    let is_lost = |(epoch, commitment, account): &(u32, Commitment, _)| {
        let held = journal.secrets.get(&(view.group.clone(), *epoch));
        *account == ACCOUNT && held.is_none_or(|held| held.commitment != *commitment)
    };
    let lost = current.into_iter().chain(staged).filter(is_lost);
    lost.map(|(epoch, ..)| epoch).collect()
}

/// A grant holds what the member may have, and nothing else (KEY-7, MEM-3, MEM-4): these epochs.
pub fn check_grant(
    journal: &Journal,
    group: &Group,
    device: &DeviceId,
    payload: &[u8],
) -> BTreeSet<u32> {
    let id = &group.view.group;
    let member = group.members.get(device).filter(|member| member.active);
    let member = member.expect("a grant is for an active member (MEM-4, KEY-7)");
    let recipient = Recipient {
        group: id,
        device,
        key_version: member.key_version,
    };
    let key = devices::agreement(device, member.key_version);
    let opened = grant::open(&key, payload, recipient).expect("it opens (KEY-4)");
    assert!(!opened.epochs.is_empty(), "KEY-7");
    for granted in &opened.epochs {
        let (number, secret) = (granted.epoch, &granted.secret);
        assert!(number >= member.joined_epoch, "MEM-3");
        assert!(number <= group.view.epoch, "KEY-7");
        let oldest = group
            .view
            .epoch
            .saturating_sub(group.view.policy.history + 1);
        assert!(number >= oldest, "KEY-7");
        let exchange = group
            .exchange(number)
            .and_then(|exchange| exchange.committed);
        let (commitment, account) = exchange.expect("a committed epoch (KEY-5)");
        let opens = epoch::opens(&commitment, &GENESIS, id, number, &account, secret);
        assert!(opens, "KEY-5");
        assert!(journal.secrets.contains_key(&(id.clone(), number)), "BRG-1");
    }
    opened.epochs.iter().map(|granted| granted.epoch).collect()
}

fn is_asked(journal: &Journal, device: &DeviceId) -> bool {
    let record = journal.asks.get(device);
    record.is_some_and(|record| matches!(record.state, AskState::Pending(_)))
}

/// No secret leaves the bridge but sealed.
fn check_secrecy(journal: &Journal, payload: &[u8]) {
    for held in journal.secrets.values() {
        let mut windows = payload.windows(32);
        let shows = windows.any(|window| window == held.secret.expose());
        assert!(!shows, "a secret in the clear (KEY-4)");
    }
}
