use std::os::unix::fs::PermissionsExt;

use keyward_crypto::{wrap::WRAPPED, Wrapped};

use super::*;

const SECRET: [u8; 32] = *b"thirty-two bytes that are secret";

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    fn key(&self) -> KeySource {
        KeySource::find_in(&self.store(), None, None)
    }

    fn create(&self) -> Store {
        Store::create(&self.store(), &self.key()).unwrap()
    }

    fn open(&self) -> Store {
        Store::open(&self.store(), &self.key()).unwrap()
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = std::fs::read_dir(self.store()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    }

    /// Every key that somebody with the key file finds in any file, whatever the database says.
    fn keys_that_unwrap(&self) -> usize {
        let master = files::read_key(&self.store().join("store.key"), false).unwrap();
        let files = self.files();
        let windows = files.iter().flat_map(|(_, bytes)| bytes.windows(WRAPPED));
        let unwraps = |window: &&[u8]| {
            let wrapped = Wrapped::try_from(*window).unwrap();
            (0..4u8).any(|slot| {
                let place = [&b"slot"[..], &[slot, 0, 0, 0]].concat();
                master.unwrap(&place, &wrapped).is_ok()
            })
        };
        windows
            .filter(|window| window.iter().any(|byte| *byte != 0))
            .filter(unwraps)
            .count()
    }
}

fn keep(name: &str) -> Write {
    Write::Keep(name.into(), Zeroizing::new(SECRET.to_vec()))
}

fn secret(store: &Store, name: &str) -> Option<Vec<u8>> {
    store.secret(name).unwrap().map(|secret| secret.to_vec())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn loosen(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let place = Place::new();
    let mut store = place.create();
    let put = Write::Put("a".into(), b"value".to_vec());
    store.commit(&[put, keep("signing")]).unwrap();
    drop(store);
    let mut store = place.open();
    assert_eq!(store.value("a").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(secret(&store, "signing"), Some(SECRET.to_vec()));
    store.commit(&[Write::Delete("a".into())]).unwrap();
    drop(store);
    assert_eq!(place.open().value("a").unwrap(), None);
}

#[test]
fn values_are_found_by_the_beginning_of_their_names() {
    let place = Place::new();
    let mut store = place.create();
    let put = |name: &str| Write::Put(name.into(), vec![1]);
    store
        .commit(&[put("g/b"), put("g/a"), put("ga"), put("g%")])
        .unwrap();
    let names: Vec<_> = store
        .values("g/")
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["g/a", "g/b"]);
}

#[test]
fn every_file_is_its_owners_alone() {
    let place = Place::new();
    let mut store = place.create();
    store.commit(&[keep("signing")]).unwrap();
    assert_eq!(mode(&place.store()), 0o700);
    assert_eq!(mode(&place.store().join("store.key")), 0o400);
    for (path, _) in place.files() {
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn a_loose_directory_key_or_database_is_refused_and_named() {
    let place = Place::new();
    drop(place.create());
    for (name, good, bad) in [
        ("", 0o700, 0o750),
        ("store.key", 0o400, 0o440),
        ("state.sqlite", 0o600, 0o604),
    ] {
        let path = match name {
            "" => place.store(),
            name => place.store().join(name),
        };
        loosen(&path, bad);
        let refused = Store::open(&place.store(), &place.key()).unwrap_err();
        assert!(
            matches!(&refused, StoreFailed::File(FileRefused::Loose { .. })),
            "{name}: {refused}"
        );
        assert!(refused.to_string().contains("chmod go="));
        loosen(&path, good);
    }
    place.open();
}

#[test]
fn another_key_file_is_refused_at_once() {
    let place = Place::new();
    place.create().commit(&[keep("signing")]).unwrap();
    let other = place.directory.path().join("other.key");
    files::make_key(&other, &mut OsRng).unwrap();
    let key = KeySource::find_in(&place.store(), Some(&other), None);
    let refused = Store::open(&place.store(), &key).unwrap_err();
    assert!(matches!(refused, StoreFailed::Secret { .. }), "{refused}");
    assert!(refused.to_string().contains("check the key file"));
}

#[test]
fn a_garbled_key_file_is_refused_without_saying_what_it_holds() {
    let place = Place::new();
    drop(place.create());
    let path = place.directory.path().join("other.key");
    std::fs::write(&path, "0x1234").unwrap();
    loosen(&path, 0o400);
    let key = KeySource::find_in(&place.store(), Some(&path), None);
    let refused = Store::open(&place.store(), &key).unwrap_err();
    assert!(matches!(
        &refused,
        StoreFailed::File(FileRefused::NoKey { .. })
    ));
    assert!(!refused.to_string().contains("1234"));
}

#[test]
fn a_credential_of_systemd_is_used_when_no_file_is_named() {
    let place = Place::new();
    let credentials = place.directory.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let path = credentials.join(CREDENTIAL);
    files::make_key(&path, &mut OsRng).unwrap();
    // As systemd closes the directory, the mode of the file says nothing.
    loosen(&path, 0o440);
    let key = KeySource::find_in(&place.store(), None, Some(credentials));
    let mut store = Store::create(&place.store(), &key).unwrap();
    store.commit(&[keep("signing")]).unwrap();
    assert!(!place.store().join("store.key").exists());
    drop(store);
    assert!(Store::open(&place.store(), &key).is_ok());
}

#[test]
fn a_second_process_is_kept_out_but_may_look() {
    let place = Place::new();
    let mut store = place.create();
    store.commit(&[keep("signing")]).unwrap();
    let refused = files::lock(&place.store(), Duration::ZERO).unwrap_err();
    assert!(matches!(refused, FileRefused::InUse { .. }));
    let looked = Store::look(&place.store(), &place.key()).unwrap();
    assert_eq!(secret(&looked, "signing"), Some(SECRET.to_vec()));
}

#[test]
fn where_there_is_no_store_the_command_that_makes_one_is_named() {
    let place = Place::new();
    let refused = Store::open(&place.store(), &place.key()).unwrap_err();
    assert!(refused.to_string().contains("keyward-agent init"));
    assert!(!place.store().exists());
}

#[test]
fn an_erased_secret_cannot_be_had_from_any_file_even_with_the_key_file() {
    let place = Place::new();
    let mut store = place.create();
    store.commit(&[keep("a"), keep("b")]).unwrap();
    // The control: both keys are found, and no secret lies open.
    assert_eq!(place.keys_that_unwrap(), 2);
    store.commit(&[Write::Erase("a".into())]).unwrap();
    assert_eq!(place.keys_that_unwrap(), 1);
    assert_eq!(store.secret("a").unwrap(), None);
    assert!(store.secret("b").unwrap().is_some());
    store.commit(&[Write::Erase("b".into())]).unwrap();
    assert_eq!(place.keys_that_unwrap(), 0);
    for (path, bytes) in place.files() {
        let open = bytes.windows(SECRET.len()).any(|window| window == SECRET);
        assert!(!open, "{}", path.display());
    }
}

#[test]
fn a_secret_that_is_kept_anew_replaces_the_old_one_and_its_key() {
    let place = Place::new();
    let mut store = place.create();
    store.commit(&[keep("a")]).unwrap();
    let other = Zeroizing::new(vec![7; 32]);
    store
        .commit(&[Write::Keep("a".into(), other.clone())])
        .unwrap();
    assert_eq!(store.secret("a").unwrap(), Some(other));
    assert_eq!(place.keys_that_unwrap(), 1);
}

#[test]
fn changes_of_one_secret_in_one_commit_happen_in_their_order() {
    let place = Place::new();
    let mut store = place.create();
    let other = Zeroizing::new(vec![7; 32]);
    let again = Write::Keep("a".into(), other.clone());
    store.commit(&[keep("a"), again]).unwrap();
    assert_eq!(store.secret("a").unwrap(), Some(other));
    store
        .commit(&[keep("b"), Write::Erase("b".into())])
        .unwrap();
    assert_eq!(store.secret("b").unwrap(), None);
    assert_eq!(place.keys_that_unwrap(), 1);
}

#[test]
fn a_slot_whose_secret_is_gone_is_erased_at_the_next_start() {
    let place = Place::new();
    let mut store = place.create();
    store.commit(&[keep("a")]).unwrap();
    // As after a kill between the two steps of erasing.
    store.database.execute("DELETE FROM secrets", []).unwrap();
    assert_eq!(place.keys_that_unwrap(), 1);
    drop(store);
    place.open();
    assert_eq!(place.keys_that_unwrap(), 0);
}

#[test]
fn a_secret_that_was_moved_to_another_name_does_not_unwrap() {
    let place = Place::new();
    let mut store = place.create();
    store.commit(&[keep("epoch/1")]).unwrap();
    let moved = "UPDATE secrets SET name = 'epoch/2'";
    store.database.execute(moved, []).unwrap();
    assert!(matches!(
        store.secret("epoch/2"),
        Err(StoreFailed::Secret { .. })
    ));
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let place = Place::new();
    let store = place.create();
    store
        .database
        .pragma_update(None, "user_version", 2)
        .unwrap();
    drop(store);
    let refused = Store::open(&place.store(), &place.key()).unwrap_err();
    assert!(matches!(refused, StoreFailed::Version { actual: 2 }));
}
