//! What must hold of a bridge at every step, beside what its world holds itself (BRG-1, BRG-3, BRG-6), and what must be so when
//! everything has calmed down: written against `docs/protocol.md`, from finalized state, what is durable, and what the bridge
//! does.

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
    state::{State, ACCOUNT},
    witness::Witness,
};
use keyward_crypto::{
    epoch,
    grant::{self, Recipient},
    hash::{hash_of, page_hash},
};
use keyward_protocol::{
    beacon::Beacon,
    request::Response,
    statement::{DeviceStatement, GroupState, GroupStatement, PublisherPage},
    topic::{ControlTopic, PREFIX},
    view::{DeviceStatus, MemberView},
    DeviceId, GroupId,
};

/// Who remembers what the bridge did, over all its starts.
#[derive(Debug, Default)]
pub struct Judge {
    /// What the relay was told of the chain in this start.
    seen: Option<Fleet>,
    /// Revision and content of the newest statement that was published on a topic.
    stated: BTreeMap<String, (u64, Vec<u8>)>,
    /// Chain time of the newest beacon of a group.
    beacons: BTreeMap<GroupId, u64>,
}

fn topic(topic: ControlTopic) -> String {
    topic.to_topic(PREFIX)
}

impl Witness for Judge {
    fn on_start(&mut self) {
        self.seen = None;
    }

    fn on_input(&mut self, input: &Input) {
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
    fn check_retained(&mut self, journal: &Journal, topic: &str, payload: &[u8]) {
        let fleet = self.seen.as_ref().expect("finalized state (BRG-2)");
        match ControlTopic::parse(PREFIX, topic) {
            Some(ControlTopic::Grant(_, device, group)) => {
                let group = fleet.groups.get(&group).expect("a group (BRG-2)");
                check_grant(journal, group, &device, payload);
            }
            Some(ControlTopic::DeviceState(_, device)) => {
                let said = verified::<DeviceStatement>(payload).expect("signed (STM-1)");
                assert_eq!(said.body().device, device, "STM-1");
                self.check_revision(topic, said.body().revision, payload);
            }
            Some(ControlTopic::GroupState(_, group)) => {
                let said = verified::<GroupStatement>(payload).expect("signed (STM-3)");
                assert_eq!(said.body().group, group, "STM-3");
                self.check_revision(topic, said.body().revision, payload);
            }
            Some(ControlTopic::Publishers(_, group, number)) => {
                let page = PublisherPage::from_wire(payload, &GENESIS).expect("a page (STM-6)");
                assert_eq!((page.group, page.page), (group, number), "STM-6");
            }
            other => panic!("{other:?} is not owed (TOP-4)"),
        }
    }

    /// Revisions rise, and one of them says one thing (STM-2, STM-4).
    fn check_revision(&mut self, topic: &str, revision: u64, payload: &[u8]) {
        if let Some((known, said)) = self.stated.get(topic) {
            let same = *known == revision && said == payload;
            assert!(
                revision > *known || same,
                "{topic}: {known}, then {revision} (STM-4)"
            );
        }
        let stated = (revision, payload.to_vec());
        self.stated.insert(topic.to_owned(), stated);
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
            _ => {
                let durable = journal.retained.get(of);
                let durable = durable.map(|retained| &*retained.payload);
                assert_eq!(durable, Some(payload), "{of} is not durable (BRG-2)");
            }
        }
        if let (Some(ControlTopic::Grant(_, device, group)), Some(fleet)) =
            (ControlTopic::parse(PREFIX, of), &self.seen)
        {
            let group = fleet.groups.get(&group).expect("a group (KEY-7)");
            let member = group.members.get(&device).filter(|member| member.active);
            assert!(member.is_some(), "a grant for {device}, no member (MEM-4)");
        }
    }

    fn check_submitted(&self, journal: &Journal, command: &Command) {
        match command {
            // The world looks at these.
            Command::Stage { .. } | Command::Deliver { .. } | Command::Acknowledge { .. } => {}
            Command::Register { voucher, .. } | Command::ReplaceByVoucher { voucher, .. } => {
                assert!(is_asked(journal, &voucher.device), "REQ-6");
            }
            Command::Replace { replacement, .. } => {
                assert!(is_asked(journal, &replacement.device), "REQ-6");
            }
            Command::Withdraw { group, epoch } => {
                let fleet = self.seen.as_ref().expect("finalized state (BRG-2)");
                let group = fleet.groups.get(group).expect("a group (BRG-2)");
                let mut staged = group.view.staged.iter();
                let staged = staged.find(|staged| staged.epoch == *epoch);
                let held = journal.secrets.get(&(group.view.group.clone(), *epoch));
                let opens = staged
                    .zip(held)
                    .is_some_and(|(staged, held)| staged.commitment == held.commitment);
                assert!(!opens, "what the journal opens is withdrawn (BRG-4)");
            }
            Command::Rotate { group } => {
                let fleet = self.seen.as_ref().expect("finalized state (BRG-2)");
                let group = fleet.groups.get(group).expect("a group (BRG-2)");
                for staged in &group.view.staged {
                    let held = journal
                        .secrets
                        .get(&(group.view.group.clone(), staged.epoch));
                    let opens = held.is_some_and(|held| held.commitment == staged.commitment);
                    assert!(opens, "what nobody opens is not withdrawn (BRG-4)");
                }
            }
        }
    }
}

/// A grant holds what the member may have, and nothing else (KEY-7, MEM-3, MEM-4).
fn check_grant(journal: &Journal, group: &Group, device: &DeviceId, payload: &[u8]) {
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

/// What must be so when nothing happens any more.
pub fn check_calm(chain: &State, journal: &Journal, retained: &BTreeMap<String, Vec<u8>>) {
    let fleet = chain.fleet();
    let mut demanded = BTreeSet::new();
    demanded.insert(topic(ControlTopic::GatewayState(devices::gateway())));
    for device in fleet.devices.values() {
        let of = topic(ControlTopic::DeviceState(
            devices::gateway(),
            device.device.clone(),
        ));
        let said = retained
            .get(&of)
            .and_then(|said| verified::<DeviceStatement>(said));
        let said = said.expect("a device statement (STM-1)").into_body();
        let active = device.status == DeviceStatus::Active;
        let groups = device.groups.iter().filter(|_| active);
        let told = said.groups.iter().map(|group| &group.group);
        assert!(
            told.eq(groups.map(|group| &group.group)),
            "STM-1: {}",
            device.device
        );
        assert_eq!(said.key_version, device.key_version, "STM-1");
        demanded.insert(of);
    }
    for group in fleet.groups.values() {
        check_calm_group(journal, retained, group, &mut demanded);
    }
    let held: BTreeSet<String> = retained.keys().filter(|of| is_own(of)).cloned().collect();
    assert_eq!(held, demanded, "the branch holds what is demanded (BRG-5)");
}

fn check_calm_group(
    journal: &Journal,
    retained: &BTreeMap<String, Vec<u8>>,
    group: &Group,
    demanded: &mut BTreeSet<String>,
) {
    let (name, view) = (devices::gateway(), &group.view);
    let of = topic(ControlTopic::GroupState(name.clone(), view.group.clone()));
    let said = retained
        .get(&of)
        .and_then(|said| verified::<GroupStatement>(said));
    let said = said.expect("a group statement (STM-3)");
    let told = (said.body().revision, said.body().epoch, said.body().state);
    assert_eq!(told, (view.revision, view.epoch, view.state), "STM-3");
    demanded.insert(of);
    let mut publishers = BTreeSet::new();
    for (number, named) in (0..).zip(&said.body().pages) {
        let of = topic(ControlTopic::Publishers(
            name.clone(),
            view.group.clone(),
            number,
        ));
        let page = retained
            .get(&of)
            .map(|page| PublisherPage::from_wire(page, &GENESIS));
        let page = page.expect("a page (STM-6)").expect("a page (STM-6)");
        assert_eq!(page_hash(&GENESIS, &page), *named, "STM-6");
        publishers.extend(page.publishers.into_iter().map(|one| one.device));
        demanded.insert(of);
    }
    let takes_part = |member: &&MemberView| member.active && member.role.publishes();
    let members = group.members.values().filter(takes_part);
    let members: BTreeSet<DeviceId> = members.map(|member| member.device.clone()).collect();
    assert_eq!(publishers, members, "STM-6, MEM-4");
    if view.state == GroupState::Closed {
        return;
    }
    let of = topic(ControlTopic::Beacon(name.clone(), view.group.clone()));
    let beacon = retained.get(&of).and_then(|said| verified::<Beacon>(said));
    let beacon = beacon.expect("a beacon (STM-9)");
    assert_eq!(beacon.body().statement, hash_of(&said), "STM-8");
    demanded.insert(of);
    let commitment = group.exchange(view.epoch).and_then(|at| at.committed);
    let (commitment, _) = commitment.expect("a group does not await for ever (KEX-3)");
    let held = journal.secrets.get(&(view.group.clone(), view.epoch));
    let held = held.is_some_and(|held| held.commitment == commitment);
    assert!(held || view.state == GroupState::Frozen, "BRG-4");
    for staged in &view.staged {
        let held = journal.secrets.get(&(view.group.clone(), staged.epoch));
        let held = held.map(|held| held.commitment);
        assert_eq!(held, Some(staged.commitment), "BRG-4");
    }
    let entitled = |member: &&MemberView| member.active && member.joined_epoch <= view.epoch;
    for member in group.members.values().filter(entitled).filter(|_| held) {
        let of = topic(ControlTopic::Grant(
            name.clone(),
            member.device.clone(),
            view.group.clone(),
        ));
        let grant = retained.get(&of).expect("a grant for every member (KEY-7)");
        check_grant(journal, group, &member.device, grant);
        demanded.insert(of);
    }
    let delivered = group
        .exchange(view.epoch)
        .and_then(|at| at.delivery.as_ref());
    assert!(
        delivered.is_some() || view.state == GroupState::Frozen,
        "BRG-3"
    );
}
