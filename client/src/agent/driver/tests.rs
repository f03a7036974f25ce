use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use keyward_crypto::{sign::sign_message, AgreementSecret, SigningKey};
use keyward_protocol::{
    beacon::BlockRef, statement::DeviceStatement, topic::PREFIX, AccountId, BlockHash, Genesis,
    VerifyingKey,
};
use rand_core::OsRng;

use super::*;
use crate::{
    agent::store::KeySource,
    session::{Durable, Identity, Notice, Owner, Provisioned, Refusal, Settings},
};

const GENESIS: Genesis = Genesis([7; 32]);
const OWNER: AccountId = AccountId([9; 32]);

/// What the driver asked of the link.
#[derive(Default)]
struct Asked {
    acknowledged: Vec<u64>,
    published: Vec<String>,
}

/// A link on which happens what the test wrote down, and then nothing.
struct Script {
    events: VecDeque<LinkEvent>,
    asked: Arc<Mutex<Asked>>,
}

impl Link for Script {
    fn subscribe(&mut self, _: &[String], _: Interest) {}
    fn unsubscribe(&mut self, _: &[String]) {}
    fn publish(&mut self, _: Publication, topic: &str, _: Vec<u8>, _: bool) {
        self.asked.lock().unwrap().published.push(topic.into());
    }
    fn will(&mut self, _: Option<super::super::link::Will>) {}
    fn renew(&mut self) {}
    fn acknowledge(&mut self, ticket: Ticket) {
        self.asked.lock().unwrap().acknowledged.push(ticket.0);
    }
    async fn next(&mut self) -> LinkEvent {
        match self.events.pop_front() {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
    async fn close(self) {}
}

fn came(ticket: u64, topic: &str, payload: &[u8]) -> LinkEvent {
    LinkEvent::Received(Received {
        topic: topic.into(),
        payload: payload.to_vec(),
        retain: false,
        ticket: Ticket(ticket),
    })
}

/// A driver of device 1111 on a script, for which `app/#` is protected.
struct Scene {
    driver: Driver<Script>,
    asked: Arc<Mutex<Asked>>,
    owner: SigningKey,
    place: tempfile::TempDir,
}

impl Scene {
    fn new(messages: Messages, events: impl FnOnce(&SigningKey) -> Vec<LinkEvent>) -> Self {
        let place = tempfile::tempdir().unwrap();
        let owner = SigningKey::generate(&mut OsRng);
        let asked = Arc::new(Mutex::new(Asked::default()));
        let link = Script {
            events: events(&owner).into(),
            asked: asked.clone(),
        };
        let clock = Clock::start();
        let session = session(owner.verifying_key(), &clock);
        let store = store(place.path());
        let driver = Driver::begin(session, store, link, clock, PREFIX.into(), messages).unwrap();
        Self {
            driver,
            asked,
            owner,
            place,
        }
    }

    fn acknowledged(&self) -> Vec<u64> {
        self.asked.lock().unwrap().acknowledged.clone()
    }
}

fn store(place: &Path) -> Store {
    let directory = place.join("store");
    let key = KeySource::find(&directory, Some(&place.join("key")));
    Store::create(&directory, &key).unwrap()
}

fn session(statement_key: VerifyingKey, clock: &Clock) -> (Session, Effects) {
    let provisioned = Provisioned {
        genesis: GENESIS,
        authority_key: statement_key,
        owner: Owner {
            account: OWNER,
            name: "gw1".parse().unwrap(),
            statement_key,
            anchor_serial: None,
        },
        protected_topics: vec!["app/#".parse().unwrap()],
    };
    let identity = Identity {
        device: "1111".parse().unwrap(),
        key_version: 1,
        signing: SigningKey::generate(&mut OsRng),
        agreement: AgreementSecret::generate(&mut OsRng),
    };
    let rng = Box::new(OsRng);
    Session::start(
        Settings::default(),
        provisioned,
        identity,
        Durable::default(),
        rng,
        clock.now(),
    )
}

/// The owner says that the device is in no group.
fn statement(key: &SigningKey) -> Vec<u8> {
    let statement = DeviceStatement {
        gateway: OWNER,
        device: "1111".parse().unwrap(),
        key_version: 1,
        revision: 1,
        groups: Default::default(),
        block: BlockRef {
            number: 1,
            hash: BlockHash([1; 32]),
        },
        chain_time: 1,
        extensions: Default::default(),
    };
    sign_message(GENESIS, statement, key).unwrap().to_wire()
}

const STATEMENT: &str = "keyward/v1/gateway/gw1/device/1111/state";

#[tokio::test]
async fn a_message_is_acknowledged_only_after_it_was_told() {
    let mut scene = Scene::new(Messages::Take, |_| {
        vec![came(1, "app/valve", b"plain"), came(2, "free", b"plain")]
    });
    let told = scene.driver.next().await.unwrap();
    let refused = Told::Session(Action::Refuse {
        topic: "app/valve".into(),
        reason: Refusal::Plaintext,
    });
    let passed = Told::Session(Action::Pass {
        topic: "free".into(),
        payload: b"plain".to_vec(),
        retain: false,
    });
    assert_eq!(told, [refused, passed]);
    // Who was told has not asked for more yet: killed now, both would come again.
    assert!(scene.acknowledged().is_empty());
    scene.driver.next().await.unwrap();
    assert_eq!(scene.acknowledged(), [1, 2]);
}

#[tokio::test]
async fn what_a_publisher_does_not_read_is_left_to_the_broker() {
    let mut scene = Scene::new(Messages::Leave, |_| {
        vec![came(1, "app/valve", b"plain"), came(2, "free", b"plain")]
    });
    assert_eq!(scene.driver.next().await.unwrap(), []);
    scene.driver.next().await.unwrap();
    assert!(scene.acknowledged().is_empty());
}

#[tokio::test]
async fn what_is_told_is_durable() {
    let mut scene = Scene::new(Messages::Take, |owner| {
        vec![
            LinkEvent::Connected { resumed: false },
            came(1, STATEMENT, &statement(owner)),
        ]
    });
    let told = scene.driver.next().await.unwrap();
    assert!(
        told.contains(&Told::Session(Action::Notice(Notice::Told { groups: 0 }))),
        "{told:?}"
    );
    assert!(scene.driver.session().is_told());
    let kept = scene.driver.store.value("session/device").unwrap();
    assert!(kept.is_some());
    assert!(scene.driver.store.value("session/boot").unwrap().is_some());
}

#[tokio::test]
async fn when_the_store_fails_nothing_is_told_and_nothing_acknowledged() {
    let mut scene = Scene::new(Messages::Take, |owner| {
        vec![came(1, STATEMENT, &statement(owner))]
    });
    let database = scene.place.path().join("store").join("state.sqlite");
    let other = rusqlite::Connection::open(database).unwrap();
    other.execute("DROP TABLE items", []).unwrap();
    let failed = scene.driver.next().await.unwrap_err();
    assert_eq!(failed.code, crate::agent::exit::STORE);
    let _ = scene.driver.next().await;
    assert!(scene.acknowledged().is_empty());
    drop(scene.owner);
}

#[tokio::test]
async fn a_message_that_the_session_keeps_is_acknowledged_when_it_came_to_its_end() {
    let mut scene = Scene::new(Messages::Take, |_| Vec::new());
    let delivered = Action::Refuse {
        topic: "app/valve".into(),
        reason: Refusal::UnknownEpoch,
    };
    let park = |ticket| Step::Park("app/valve".into(), Ticket(ticket));
    let mut batch = Batch::default();
    batch
        .steps
        .extend([park(1), park(2), Step::Act(delivered.clone())]);
    // What has just come does not end what was kept before.
    batch.steps.push(Step::Answer(delivered, Ticket(3)));
    scene.driver.carry_out(batch).unwrap();
    scene.driver.next().await.unwrap();
    assert_eq!(scene.acknowledged(), [1, 3]);
}
