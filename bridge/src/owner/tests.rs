use super::*;
use std::sync::{atomic::Ordering, Arc, Mutex, PoisonError};

use keyward_crypto::{sign::sign_message, SigningKey, WrappingKey};
use keyward_protocol::{
    beacon::AnchorCertificate, signing::Unverified, AccountId, Digest, Genesis,
};
use rand_core::OsRng;

use crate::{
    admin::metrics::rekey_seconds,
    relay::{
        journal::{Home, Journal, Retained},
        transactions, GivenAnchor, Message,
    },
};

/// Remembers what it was asked.
#[derive(Clone, Default)]
struct Recorder {
    asked: Arc<Mutex<Vec<Command>>>,
    deaf: bool,
}

impl Recorder {
    fn asked(&self) -> Vec<Command> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Broker for Recorder {
    fn ask(&self, command: Command) -> bool {
        self.asked.lock().unwrap().push(command);
        !self.deaf
    }
}

impl Ledger for Recorder {
    fn submit(&self, _: u64, _: transactions::Command) -> bool {
        false
    }
    fn refresh(&self) {}
}

fn open(directory: &tempfile::TempDir) -> (Store, Journal) {
    let path = directory.path().join("journal.sqlite");
    Store::open(&path, WrappingKey::from_bytes(&[9; 32])).unwrap()
}

fn owner(directory: &tempfile::TempDir, recorder: &Recorder) -> Owner {
    let (store, journal) = open(directory);
    let home = Home {
        genesis: Genesis([1; 32]),
        account: AccountId([1; 32]),
        name: "gw1".parse().unwrap(),
    };
    let key = SigningKey::from_seed(&[1; 32]);
    let relay = Relay::new(home, "keyward/v1", key, journal, Box::new(OsRng));
    let (broker, ledger) = (Box::new(recorder.clone()), Box::new(recorder.clone()));
    Owner::new(
        relay,
        store,
        broker,
        ledger,
        rekey_seconds(),
        Arc::default(),
    )
}

fn foreign(id: u64) -> Event {
    Event::Input(Input::Message(Message {
        id,
        topic: "keyward/v1/device/d/other/ack".into(),
        payload: vec![1],
        retained: false,
    }))
}

#[test]
fn actions_come_in_order_and_the_last_event_ends_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let mut owner = owner(&directory, &recorder);
    assert!(!owner
        .turn(vec![Event::Input(Input::Connected), foreign(7), foreign(8)])
        .unwrap());
    assert!(owner.turn(vec![Event::Stop]).unwrap());
    let asked = recorder.asked();
    assert!(
        matches!(&asked[0], Command::Publish(online) if online.topic == "keyward/v1/gateway/gw1/state")
    );
    let marker = Command::Respond {
        topic: "keyward/v1/gateway/gw1/state".into(),
        payload: br#"{"state":"online"}"#.to_vec(),
    };
    assert_eq!(
        asked[1..],
        [marker, Command::Acknowledge(7), Command::Acknowledge(8)]
    );
}

/// STM-11.
#[test]
fn what_the_configuration_gives_is_durable_with_whatever_happens_first() {
    let directory = tempfile::tempdir().unwrap();
    let key = SigningKey::from_seed(&[1; 32]);
    let certificate = AnchorCertificate {
        gateway: AccountId([1; 32]),
        statement_key: key.verifying_key(),
        serial: 41,
    };
    let signed = sign_message(Genesis([1; 32]), certificate, &key).unwrap();
    let given = GivenAnchor {
        signer: key.verifying_key(),
        certificate: Unverified::from_wire(&signed.to_wire()).unwrap(),
    };
    let mut owner = owner(&directory, &Recorder::default()).first(Input::Anchor(given));
    owner.turn(vec![Event::Input(Input::Tick)]).unwrap();
    drop(owner);
    let (_, journal) = open(&directory);
    let retained = &journal.retained["keyward/v1/gateway/gw1/anchor"];
    assert_eq!(retained.payload[..], signed.to_wire()[..]);
}

/// BRG-1, BRG-2, REQ-6.
#[test]
fn nothing_is_done_when_the_journal_fails() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let mut owner = owner(&directory, &recorder);
    owner.store.break_down();
    let effects = Effects {
        changes: vec![Change::Release("t".into())],
        actions: vec![Action::Acknowledge(1)],
    };
    assert!(owner.carry_out(effects).is_err());
    assert!(recorder.asked().is_empty());
}

fn an_effect() -> Effects {
    let payload = vec![7; 100_000];
    let retained = Retained {
        fingerprint: Digest([1; 32]),
        payload: payload.into(),
    };
    Effects {
        changes: vec![Change::Retain("t".into(), retained)],
        actions: vec![Action::Acknowledge(1)],
    }
}

/// BRG-1, BRG-2: it does not give up, does nothing, says why, and goes on when there is space again.
#[test]
fn while_the_disk_is_full_nothing_is_done_and_afterwards_everything() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let mut owner = owner(&directory, &recorder);
    let health = owner.health.clone();
    let full = owner.store.disk_is_full.clone();
    full.store(true, Ordering::Relaxed);
    let watcher = {
        let recorder = recorder.clone();
        std::thread::spawn(move || {
            while health.journal_problem().is_none() {
                std::thread::yield_now();
            }
            let why = health.not_ready(None).unwrap();
            assert!(why.contains("full"), "{why}");
            assert!(recorder.asked().is_empty());
            full.store(false, Ordering::Relaxed);
        })
    };
    owner.carry_out(an_effect()).unwrap();
    watcher.join().unwrap();
    assert_eq!(recorder.asked(), [Command::Acknowledge(1)]);
    assert_eq!(owner.health.journal_problem(), None);
    drop(owner);
    let (_, journal) = open(&directory);
    assert!(journal.retained.contains_key("t"));
}

#[test]
fn a_process_that_must_stop_does_not_wait_for_space() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let mut owner = owner(&directory, &recorder);
    owner.store.disk_is_full.store(true, Ordering::Relaxed);
    owner.health.stop();
    let failed = owner.carry_out(an_effect()).unwrap_err();
    assert!(failed.is_retryable(), "{failed}");
    assert!(recorder.asked().is_empty());
}

#[test]
fn who_asks_is_answered_after_the_batch() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let (status, mut answer) = oneshot::channel();
    let (reconcile, mut reconciled) = oneshot::channel();
    let batch = vec![Event::Status(status), Event::Reconcile(reconcile)];
    owner(&directory, &recorder).turn(batch).unwrap();
    assert_eq!(answer.try_recv().unwrap().gateway.as_str(), "gw1");
    reconciled.try_recv().unwrap();
    assert!(recorder.asked().contains(&Command::Resubscribe));
}

/// BRG-3: what the broker never got it has not acknowledged. A transaction that nobody takes is lost.
#[test]
fn what_nobody_takes_is_not_taken_for_answered() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder {
        deaf: true,
        ..Recorder::default()
    };
    let mut owner = owner(&directory, &recorder);
    owner.turn(vec![Event::Input(Input::Connected)]).unwrap();
    assert!(owner.own.is_empty());
    let group = "g".parse().unwrap();
    owner.perform(Action::Submit(7, transactions::Command::Rotate { group }));
    assert!(matches!(
        owner.own[..],
        [Input::Ended(7, Outcome::Lost { .. })]
    ));
}
