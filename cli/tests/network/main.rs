//! `keyward network` as an operator runs it, with the real node, bridge, Mosquitto and systemd's own checks.

mod checked;
mod desk;
mod secrets;
mod services;

use desk::{Desk, EXAMPLE};

#[test]
fn nothing_is_left_behind_when_something_fails() {
    let desk = Desk::new();
    desk.write("consortium.toml", EXAMPLE);
    let new = ["network", "new", "consortium.toml", "--out", "net"];
    let with = |more: &[&str]| desk.keyward(&[&new[..], more].concat());
    with(&["--node", "/bin/false"]).ends(1, &["/bin/false failed"]);
    with(&["--node", "/nowhere/keyward-node"])
        .ends(1, &["keyward-node is not installed", "--node"]);
    with(&["--node", "/bin/false", "--data-dir", "data"]).ends(2, &["--data-dir"]);
    desk.write(
        "consortium.toml",
        &EXAMPLE
            .replace("acme-1.valley.example", "a b")
            .replace("= 1800", "= 1"),
    );
    with(&["--node", "/bin/false"]).ends(
        1,
        &[
            "nothing was made",
            "validators acme-1: host",
            "session_blocks",
        ],
    );
    let left: Vec<_> = std::fs::read_dir(desk.0.path())
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(left, ["consortium.toml"]);
}

#[test]
fn what_exists_is_left_as_it_is() {
    let desk = Desk::new();
    desk.write("consortium.toml", EXAMPLE);
    std::fs::create_dir(desk.path("net")).unwrap();
    let ran = desk.keyward(&[
        "network",
        "new",
        "consortium.toml",
        "--out",
        "net",
        "--node",
        "/bin/true",
    ]);
    ran.ends(1, &["net exists already and is left as it is"]);
    assert!(desk.files().is_empty());
}
