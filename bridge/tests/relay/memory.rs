//! Erased secrets and the keys that wrapped them are nowhere (KEY-8, KEY-9): the actual bytes are looked for in the journal's
//! files and in the memory of a process that runs the bridge's owner thread, while it runs.
//!
//! The process is this test program, started once more. It has no way to a secret but the owner's; whoever looks learns the
//! secrets from the grants that it published, and the wrapping keys from copies of the journal, as the device and the thief
//! of a backup would.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use codec::Encode;
use keyward_bridge::{
    admin::metrics::rekey_seconds,
    chain::Ledger,
    mqtt::{Broker, Command},
    owner::{Event, Owner},
    relay::{transactions, Input, Message, Relay},
    store::Store,
};
use keyward_bridge_testing::{
    chain::{Chain, Pooled},
    devices::{self, device, group},
};
use keyward_crypto::{grant::Recipient, Wrapped, WrappingKey};
use keyward_protocol::{
    topic::{ControlTopic, PREFIX},
    GroupId, Role,
};
use rand_core::OsRng;
use tokio::sync::mpsc;

const PLACE: &str = "KEYWARD_TEST_PLACE";
const STORE_KEY: [u8; 32] = [0x5c; 32];
/// Epochs that the group goes through.
const EPOCHS: u32 = 24;
/// Newest of them whose secrets are long erased at the end.
const ERASED: u32 = 16;

/// Keeps what it is asked, for the loop below.
#[derive(Clone, Default)]
struct Asked {
    broker: Arc<Mutex<VecDeque<Command>>>,
    ledger: Arc<Mutex<VecDeque<Pooled>>>,
}

impl Broker for Asked {
    fn ask(&self, command: Command) -> bool {
        self.broker.lock().unwrap().push_back(command);
        true
    }
}

impl Ledger for Asked {
    fn submit(&self, id: u64, command: transactions::Command) -> bool {
        let id = Some(id);
        self.ledger
            .lock()
            .unwrap()
            .push_back(Pooled { id, command });
        true
    }
    fn refresh(&self) {}
}

/// A custodian whose chain and broker are this process.
struct Custodian {
    place: PathBuf,
    chain: Chain,
    asked: Asked,
    events: mpsc::Sender<Event>,
    owner: JoinHandle<()>,
    messages: u64,
}

impl Custodian {
    fn start(place: PathBuf) -> Self {
        let path = place.join("journal.sqlite");
        let (mut store, mut journal) =
            Store::open(&path, WrappingKey::from_bytes(&STORE_KEY)).unwrap();
        store.claim(&mut journal, &devices::home()).unwrap();
        let key = devices::statement_key();
        let rng = Box::new(OsRng);
        let relay = Relay::new(devices::home(), PREFIX, key, journal, rng);
        let asked = Asked::default();
        let (broker, ledger) = (Box::new(asked.clone()), Box::new(asked.clone()));
        let owner = Owner::new(
            relay,
            store,
            broker,
            ledger,
            rekey_seconds(),
            Arc::default(),
        );
        let (events, waiting) = mpsc::channel(1024);
        Self {
            place,
            chain: Chain::default(),
            asked,
            events,
            owner: std::thread::spawn(move || owner.run(waiting).unwrap()),
            messages: 0,
        }
    }

    fn tell(&self, input: Input) {
        self.events.blocking_send(Event::Input(input)).unwrap();
    }

    /// Everything that was told is dealt with.
    fn wait(&self) {
        let (to, answer) = tokio::sync::oneshot::channel();
        self.events.blocking_send(Event::Status(to)).unwrap();
        answer.blocking_recv().unwrap();
    }

    /// The broker does what it was asked, and says so.
    fn serve_broker(&mut self) {
        loop {
            self.wait();
            let asked = std::mem::take(&mut *self.asked.broker.lock().unwrap());
            if asked.is_empty() {
                return;
            }
            for command in asked {
                match command {
                    Command::Publish(publish) => {
                        self.keep_grant(&publish.topic, &publish.payload);
                        self.echo(publish.topic, publish.payload.to_vec(), true);
                        self.tell(Input::Answered(publish.token));
                    }
                    Command::Respond { topic, payload } => self.echo(topic, payload, false),
                    _ => {}
                }
            }
        }
    }

    fn echo(&mut self, topic: String, payload: Vec<u8>, retained: bool) {
        self.messages += 1;
        self.tell(Input::Message(Message {
            id: self.messages,
            topic,
            payload,
            retained,
        }));
    }

    /// What a device of the group would have got, sealed.
    fn keep_grant(&self, topic: &str, payload: &[u8]) {
        if topic == grant_topic() && !payload.is_empty() {
            let path = self.place.join(format!("grant-{}", self.messages));
            fs::write(path, payload).unwrap();
        }
    }

    /// A block with everything that was submitted.
    fn block(&mut self) {
        let submitted = std::mem::take(&mut *self.asked.ledger.lock().unwrap());
        self.chain.pool.extend(submitted);
        let all = self.chain.pool.len();
        self.chain.seal(all);
        while let Some((id, outcome)) = self.chain.ended.pop_front() {
            self.tell(Input::Ended(id, outcome));
        }
        let block = self.chain.look(true);
        self.tell(Input::Finalized(block));
        self.serve_broker();
    }

    /// Copies the journal's files without reading them: the kernel does.
    fn copy_journal(&self, number: u32) {
        for file in ["journal.sqlite", "journal.sqlite-wal"] {
            let from = self.place.join(file);
            if from.exists() {
                fs::copy(from, self.place.join(format!("{file}.{number}"))).unwrap();
            }
        }
    }
}

fn grant_topic() -> String {
    let topic = ControlTopic::Grant(devices::gateway(), device(0), group(0));
    topic.to_topic(PREFIX)
}

/// Not a test: the process that is looked into. It leads a group through epochs, says so, and then only waits.
#[test]
#[ignore = "it is the process that another test starts and looks into"]
fn custodian() {
    let Some(place) = std::env::var_os(PLACE) else {
        return;
    };
    let mut custodian = Custodian::start(place.into());
    custodian.tell(Input::Connected);
    let chain = &mut custodian.chain;
    chain.apply(|state| state.register(&device(0)));
    chain.apply(|state| state.create(&group(0)));
    chain.apply(|state| {
        state.set_policy(&group(0), |policy| {
            (policy.history, policy.history_age) = (2, 4);
        })
    });
    chain.apply(|state| state.add(&group(0), &device(0), Role::Both));
    for number in 0..EPOCHS {
        for _ in 0..4 {
            custodian.block();
        }
        custodian.copy_journal(number);
        custodian.chain.apply(|state| state.rotate(&group(0)));
    }
    for _ in 0..4 {
        custodian.block();
    }
    println!("\nlook now");
    // Until whoever looks has seen enough.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    custodian.events.blocking_send(Event::Stop).unwrap();
    custodian.owner.join().unwrap();
}

/// Killed when dropped.
struct Running(Child);

impl Running {
    fn start(place: &Path) -> Self {
        let child = Process::new(std::env::current_exe().unwrap())
            .args(["memory::custodian", "--exact", "--ignored", "--nocapture"])
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Self(child);
        let output = BufReader::new(running.0.stdout.take().unwrap());
        let ready = output
            .lines()
            .map_while(Result::ok)
            .any(|line| line == "look now");
        assert!(ready, "the process has ended");
        running
    }

    /// Everything that the process may write to and therefore has in memory.
    fn memory(&self) -> Vec<(String, Vec<u8>)> {
        let process = PathBuf::from(format!("/proc/{}", self.0.id()));
        let maps = fs::read_to_string(process.join("maps")).unwrap();
        let mut memory = fs::File::open(process.join("mem")).unwrap();
        let regions = maps.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let (range, rights) = (words.next()?, words.next()?);
            let (from, to) = range.split_once('-')?;
            let from = u64::from_str_radix(from, 16).ok()?;
            let to = u64::from_str_radix(to, 16).ok()?;
            rights
                .starts_with("rw")
                .then(|| (line.to_owned(), from, to - from))
        });
        regions
            .filter_map(|(line, from, length)| {
                let mut bytes = vec![0; usize::try_from(length).ok()?];
                memory.seek(SeekFrom::Start(from)).ok()?;
                memory.read_exact(&mut bytes).ok()?;
                Some((line, bytes))
            })
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The secrets by epoch, as the device opened them from its grants.
fn secrets(place: &Path) -> BTreeMap<u32, Vec<u8>> {
    let key = devices::agreement(&device(0), 1);
    let (group, device) = (group(0), device(0));
    let recipient = Recipient {
        group: &group,
        device: &device,
        key_version: 1,
    };
    let mut secrets = BTreeMap::new();
    for file in fs::read_dir(place).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().contains("grant-") {
            let grant = keyward_crypto::grant::open(&key, &fs::read(path).unwrap(), recipient);
            for granted in grant.unwrap().epochs {
                secrets.insert(granted.epoch, granted.secret.expose().to_vec());
            }
        }
    }
    secrets
}

/// Of each epoch what wrapped its secret, from the copies of the journal: the slot as it lay there, and the key in it.
fn wrapping_keys(place: &Path) -> BTreeMap<u32, (Vec<u8>, Vec<u8>)> {
    let key = WrappingKey::from_bytes(&STORE_KEY);
    let mut keys = BTreeMap::new();
    for number in 0..EPOCHS {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("journal.sqlite");
        for file in ["journal.sqlite", "journal.sqlite-wal"] {
            let from = place.join(format!("{file}.{number}"));
            if from.exists() {
                fs::copy(from, copy.path().join(file)).unwrap();
            }
        }
        let sql = rusqlite::Connection::open(path).unwrap();
        let query =
            "SELECT \"group\", epoch, key FROM secrets JOIN slots USING (slot) WHERE used = 1";
        let mut statement = sql.prepare(query).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let group: GroupId = row.get::<_, String>(0).unwrap().parse().unwrap();
            let (epoch, slot): (u32, Vec<u8>) = (row.get(1).unwrap(), row.get(2).unwrap());
            let wrapped = Wrapped::try_from(&slot[..]).unwrap();
            let own = key.unwrap(&("slot", &group, epoch).encode(), &wrapped);
            keys.insert(epoch, (slot, own.unwrap().to_vec()));
        }
    }
    keys
}

/// Where each of the needles lies.
fn find<'a>(
    needles: &'a BTreeMap<(&'static str, u32), Vec<u8>>,
    haystack: &[u8],
) -> BTreeSet<&'a (&'static str, u32)> {
    let mut by_start: BTreeMap<[u8; 4], Vec<_>> = BTreeMap::new();
    for (name, needle) in needles {
        let start = needle[..4].try_into().unwrap();
        by_start.entry(start).or_default().push((name, needle));
    }
    let mut found = BTreeSet::new();
    for (at, start) in haystack.windows(4).enumerate() {
        for (name, needle) in by_start.get(start).into_iter().flatten() {
            if haystack[at..].starts_with(needle) {
                found.insert(*name);
            }
        }
    }
    found
}

#[test]
fn erased_secrets_and_their_wrapping_keys_are_in_no_file_and_not_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let running = Running::start(place);
    let (secrets, keys) = (secrets(place), wrapping_keys(place));
    let mut erased = BTreeMap::new();
    let mut held = BTreeMap::new();
    for epoch in 2..=ERASED {
        erased.insert(("secret", epoch), secrets[&epoch].clone());
        let (slot, key) = &keys[&epoch];
        erased.insert(("wrapping key", epoch), key.clone());
        erased.insert(("slot", epoch), slot.clone());
    }
    let (current, secret) = secrets.iter().next_back().unwrap();
    assert!(*current >= EPOCHS, "only {current} epochs");
    held.insert(("secret", *current), secret.clone());

    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        if let Ok(content) = fs::read(place.join(file)) {
            let found = find(&erased, &content);
            assert!(found.is_empty(), "{found:?} in {file}");
        }
    }
    let memory = running.memory();
    // The control: what is still held is found.
    let is_held = |(_, bytes): &(String, Vec<u8>)| !find(&held, bytes).is_empty();
    assert!(memory.iter().any(is_held), "the search finds nothing");
    let mut found = Vec::new();
    for (region, bytes) in &memory {
        for name in find(&erased, bytes) {
            found.push(format!("{name:?} in {region}"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
