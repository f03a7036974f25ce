//! Secrets are erased when they are not needed any more: their bytes, and those of the keys that wrapped them, are in no file of
//! the key store and nowhere in the memory of the running program (KEY-8, KEY-9, STM-1, STM-5).

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use hkdf::Hkdf;
use keyward_crypto::{
    wrap::{Wrapped, WRAPPED},
    WrappingKey,
};
use keyward_protocol::{policy::Policy, statement::GroupState, Role};
use sha2::Sha256;

use crate::{
    gateway::GENESIS,
    scene::{done, Scene, Subscriber, PATIENCE},
};

/// Bytes from one slot to the next.
const STRIDE: usize = 64;

/// What to look for, with names.
type Secrets = BTreeMap<String, [u8; 32]>;

/// Places in bytes where a secret begins.
fn found(bytes: &[u8], secrets: &Secrets) -> Vec<String> {
    let mut heads: BTreeMap<u64, (&String, &[u8; 32])> = BTreeMap::new();
    for (name, secret) in secrets {
        heads.insert(head(secret), (name, secret));
    }
    let filter: Vec<u64> = heads.keys().copied().collect();
    let mut found = Vec::new();
    let Some(last) = bytes.len().checked_sub(32) else {
        return found;
    };
    for at in 0..=last {
        let word = head(&bytes[at..]);
        if filter.contains(&word) && bytes[at..at + 32] == heads[&word].1[..] {
            found.push(heads[&word].0.clone());
        }
    }
    found
}

fn head(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// What is found in the writable memory of a process: heap, stacks, static data.
fn in_memory(process: u32, secrets: &Secrets) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, mode) = (words.next().unwrap(), words.next().unwrap());
        let name = words.nth(3).unwrap_or("");
        if !mode.starts_with("rw") || name.starts_with("[v") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        let mut bytes = vec![0; (to - from) as usize];
        // What is not there any more is no place for a secret.
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            let here = found(&bytes, secrets).into_iter();
            all.extend(here.map(|secret| format!("{secret} in {name} at {range}")));
        }
    }
    all
}

fn in_files(store: &Path, secrets: &Secrets) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = Vec::new();
        File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        let here = found(&bytes, secrets).into_iter();
        all.extend(here.map(|secret| format!("{secret} in {}", path.display())));
    }
    all
}

/// The keys in the slots: each wraps one secret.
fn wrapping_keys(store: &Path) -> Secrets {
    let master = std::fs::read_to_string(store.join("store.key")).unwrap();
    let mut key = [0; 32];
    hex::decode_to_slice(master.trim().trim_start_matches("0x"), &mut key).unwrap();
    let master = WrappingKey::from_bytes(&key);
    let slots = std::fs::read(store.join("slots")).unwrap();
    let key = |(slot, bytes): (usize, &[u8])| {
        let place = [&b"slot"[..], &(slot as u32).to_le_bytes()].concat();
        let wrapped = Wrapped::try_from(&bytes[..WRAPPED]).unwrap();
        let key = master.unwrap(&place, &wrapped).ok()?;
        Some((format!("wrapping key {slot}"), *key))
    };
    slots.chunks(STRIDE).enumerate().filter_map(key).collect()
}

/// A reader that has read in three epochs and is running, and all its secrets.
async fn reader_of_three_epochs(scene: &mut Scene) -> (Subscriber, Secrets) {
    let reader = scene.reader.subscribe().await;
    for epoch in 1..=3 {
        let members = [
            scene.publisher.member(Role::Publish),
            scene.reader.member(Role::Subscribe),
        ];
        scene
            .gateway
            .state(epoch, &members, &Policy::default(), 0)
            .await;
        done(scene.publisher.publish(&format!("in {epoch}"), "30").await);
        reader.reads(&format!("in {epoch}")).await;
    }
    let mut secrets = Secrets::new();
    for epoch in 1..=3 {
        let secret = *scene.gateway.secret(epoch).expose();
        // What message keys are derived from is as good as the secret (MSG-2).
        let (derived, _) = Hkdf::<Sha256>::extract(Some(&GENESIS.0), &secret);
        secrets.insert(format!("secret of {epoch}"), secret);
        secrets.insert(format!("key derived in {epoch}"), derived.into());
    }
    (reader, secrets)
}

/// The slots that are gone: those of the epochs, and not those of the device's own keys.
fn gone(before: &Secrets, store: &Path) -> Secrets {
    let after = wrapping_keys(store);
    let mut gone = before.clone();
    gone.retain(|slot, _| !after.contains_key(slot));
    gone
}

/// Nothing of them is left, at the latest in a moment: the program may be busy with what came last.
async fn nothing_is_left(reader: &Subscriber, store: &Path, secrets: &Secrets) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = in_memory(reader.process.id(), secrets);
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{left:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(in_files(store, secrets), [""; 0]);
}

#[tokio::test]
async fn a_removed_device_has_no_secret_left_in_its_store_and_in_its_memory() {
    let mut scene = Scene::set(&Policy::default()).await;
    let (reader, mut secrets) = reader_of_three_epochs(&mut scene).await;
    let store = scene.reader.store();
    let wrapping = wrapping_keys(&store);
    assert_eq!(wrapping.len(), 5, "three epochs, and two keys of its own");
    // The control: they are in its memory as long as they are needed.
    let before = in_memory(reader.process.id(), &secrets);
    for name in secrets.keys() {
        assert!(before.iter().any(|found| found.starts_with(name)), "{name}");
    }
    assert_eq!(in_files(&store, &secrets), [""; 0]);

    scene.gateway.remove(&scene.reader.request).await;
    reader.until(|line| line["kind"] == "left").await;
    let gone = gone(&wrapping, &store);
    assert_eq!(gone.len(), 3, "the keys in the slots are overwritten");
    secrets.extend(gone);
    nothing_is_left(&reader, &store, &secrets).await;
}

#[tokio::test]
async fn a_closed_group_leaves_no_secret() {
    let mut scene = Scene::set(&Policy::default()).await;
    let (reader, mut secrets) = reader_of_three_epochs(&mut scene).await;
    let store = scene.reader.store();
    let wrapping = wrapping_keys(&store);
    scene.gateway.state = GroupState::Closed;
    let members = [scene.reader.member(Role::Subscribe)];
    scene
        .gateway
        .state(3, &members, &Policy::default(), 0)
        .await;
    reader
        .until(|line| {
            let text = line["text"].as_str().unwrap_or_default();
            line["kind"] == "state" && text.contains("Closed")
        })
        .await;
    let gone = gone(&wrapping, &store);
    assert_eq!(gone.len(), 3);
    secrets.extend(gone);
    nothing_is_left(&reader, &store, &secrets).await;
}
