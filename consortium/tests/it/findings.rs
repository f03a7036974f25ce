//! Each rule: what breaks it is found, and nothing else.

use keyward_consortium::{Plan, Severity::*};

use crate::{lines, only, with, EXAMPLE};

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place_and_what_to_do() {
    let text = with("session_blocks = 1800", "session_blocks = 3")
        .replacen("host = \"192.0.2.17\"", "host = \"0.0.0.0\"", 1)
        .replacen("rpc = 9944", "rpc = 99999", 1)
        .replacen("bare_names = false", "bare_names = 7", 1)
        .replacen("machine = \"metro-2\"", "machine = \"metro-9\"", 1)
        + "\n[consensus]\nkind = \"pow\"\n";
    let checked = Plan::parse(&text);
    let told = lines(&checked).join("\n");
    for word in [
        "network: session_blocks: 3 is out of range; write from 10",
        "validators metro-1: host: '0.0.0.0'",
        "validators acme-1: ports.rpc: 99999 is no port; write a number from 1 to 65535",
        "organisations acme: invalid type",
        "gateways metro.gw1: machine: no node is on metro-9",
        "'consensus': is no section",
    ] {
        assert!(told.contains(word), "no '{word}' in\n{told}");
    }
    assert!(checked.value.is_none());
}

#[test]
fn a_field_that_nobody_knows_is_refused() {
    only(
        &with("host = \"hydro-1", "hots = \"hydro-1"),
        Error,
        &["validators hydro-1", "unknown field `hots`", "`host`"],
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    only("[network]\nname = \n", Error, &["line 2"]);
}

#[test]
fn names_are_there_once() {
    let twice = with("name = \"metro-2\"", "name = \"metro-1\"")
        .replace("machine = \"metro-2\"", "machine = \"metro-1\"");
    only(&twice, Error, &["metro-1", "more than once"]);
    only(
        &with(
            "[[organisations]]\nid = \"roads\"",
            "[[organisations]]\nid = \"metro\"\n\n[[organisations]]\nid = \"roads\"",
        ),
        Error,
        &["organisations metro", "more than once"],
    );
}

#[test]
fn organisations_are_known() {
    only(
        &with("name = \"rosa\"\norganisation = \"roads\"", "name = \"rosa\"\norganisation = \"rodes\"")
            .replace("id = \"roads\"\nlabel = \"Valley Road Authority\"", "id = \"roads\"")
            .replace("name = \"mei\"\norganisation = \"metro\"\n\n[[council]]", "name = \"mei\"\norganisation = \"metro\"\n\n[[council]]\nname = \"ro\"\norganisation = \"roads\"\n\n[[council]]"),
        Error,
        &["council rosa: organisation", "no organisation is called rodes"],
    );
}

/// ID-2.
#[test]
fn ids_belong_to_their_organisation() {
    only(
        &with("name = \"hydro.gw1\"", "name = \"acme.gw2\""),
        Error,
        &["gateways acme.gw2: name", "begin with 'hydro.'"],
    );
    only(
        &with("id = \"metro.ca\"", "id = \"ca\""),
        Error,
        &["authorities ca: id", "begin with 'metro.'"],
    );
    let bare = with("bare_names = false", "bare_names = true");
    let bare = bare.replace("name = \"acme.gw1\"", "name = \"gw1\"");
    let told = lines(&Plan::parse(&bare));
    assert_eq!(told, Vec::<String>::new());
    let twice = bare.replace("label = \"Hydro North\"", "bare_names = true");
    only(
        &twice,
        Error,
        &["organisations hydro: bare_names", "only one"],
    );
    only(
        &with("id = \"acme\"", "id = \"acme.x\"")
            .replace("organisation = \"acme\"", "organisation = \"acme.x\"")
            .replace("\"acme.gw1\"", "\"hydro.gw2\"")
            .replace("\"acme.ca\"", "\"hydro.ca2\""),
        Error,
        &["organisations acme.x: id"],
    );
}

#[test]
fn the_minimum_can_be_kept() {
    let five = with("minimum_validators = 3", "minimum_validators = 5");
    only(&five, Error, &["minimum_validators: 5", "4 validators"]);
    let all = with("minimum_validators = 3", "minimum_validators = 4");
    only(&all, Warning, &["none can leave"]);
    let none = with("minimum_validators = 3", "minimum_validators = 0");
    only(&none, Error, &["minimum_validators", "0 is out of range"]);
}

#[test]
fn three_validators_tolerate_no_fault() {
    let text = with(
        "[[validators]]\nname = \"roads-1\"",
        "[[nodes]]\nname = \"roads-1\"",
    )
    .replace("minimum_validators = 3", "minimum_validators = 2");
    only(&text, Warning, &["validators: 3 tolerate no fault", "four"]);
}

#[test]
fn no_organisation_stops_finality_alone() {
    let text = with(
        "name = \"roads-1\"\norganisation = \"roads\"",
        "name = \"roads-1\"\norganisation = \"acme\"",
    );
    only(&text, Warning, &["acme runs 2 of 4", "stop finality"]);
}

#[test]
fn ports_of_one_host_do_not_meet() {
    let same_host = with("host = \"192.0.2.18\"", "host = \"192.0.2.17\"");
    let told = lines(&Plan::parse(&same_host));
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].contains(
            "nodes metro-2: ports.p2p: 30333 on 192.0.2.17 is taken by validators metro-1"
        ),
        "{told:?}"
    );
    let gateway = with("admin = 9616", "admin = 9944");
    only(
        &gateway,
        Error,
        &[
            "gateways acme.gw1: ports.admin",
            "taken by validators acme-1: ports.rpc",
        ],
    );
}

#[test]
fn hosts_are_hosts_that_others_reach() {
    for host in ["bad_host", "a b", "1.2.3", "[::1]", ""] {
        let text = with("archive.hydro.example", host);
        only(&text, Error, &["nodes hydro-archive: host"]);
    }
    let alone = with("archive.hydro.example", "127.0.0.1");
    only(
        &alone,
        Error,
        &["nodes hydro-archive: host", "this machine only"],
    );
}

#[test]
fn a_gateway_has_a_node_and_a_machine_of_its_own() {
    let unknown = with("machine = \"acme-1\"", "machine = \"acme-7\"");
    only(
        &unknown,
        Error,
        &["gateways acme.gw1: machine", "no node is on acme-7"],
    );
    let shared = with("machine = \"metro-2\"", "machine = \"hydro-1\"");
    let told = lines(&Plan::parse(&shared)).join("\n");
    assert!(
        told.contains("is the machine of gateway hydro.gw1, too"),
        "{told}"
    );
    let foreign = with("machine = \"metro-2\"", "machine = \"roads-1\"");
    only(&foreign, Warning, &["run by roads, who can read"]);
}

/// Devices that may write on Keyward's topics would fence nothing.
#[test]
fn applications_do_not_get_keywards_topics() {
    for topic in ["#", "+/v1/#", "keyward/#", "keyward/v1/device/1111"] {
        let text = with("\"acme/alarms\"", &format!("\"{topic}\""));
        only(
            &text,
            Error,
            &["gateways acme.gw1: topics", "Keyward's own"],
        );
    }
    let text = with("\"acme/alarms\"", "\"a/#/b\"");
    only(&text, Error, &["gateways acme.gw1: topics", "stands alone"]);
    let text = with("\"acme/alarms\"", "\"$SYS/broker\"");
    only(&text, Error, &["gateways acme.gw1: topics"]);
}

#[test]
fn there_is_a_council_and_everybody_has_a_say_in_it() {
    let (before, after) = EXAMPLE.split_once("[[council]]").unwrap();
    let after = after.split_once("[[committee]]").unwrap().1;
    let text = format!("{before}[[committee]]{after}");
    only(&text, Error, &["council: is empty"]);
    let text = with(
        "name = \"rosa\"\norganisation = \"roads\"",
        "name = \"rosa\"\norganisation = \"hydro\"",
    );
    only(&text, Warning, &["organisations roads", "has no say"]);
    let text = with(
        "name = \"rosa\"\norganisation = \"roads\"",
        "name = \"rosa\"\norganisation = \"hydro\"",
    );
    let text = text.replace(
        "name = \"mei\"\norganisation = \"metro\"\n\n[[council]]",
        "name = \"mei\"\norganisation = \"hydro\"\n\n[[council]]",
    );
    let told = lines(&Plan::parse(&text)).join("\n");
    assert!(
        told.contains("hydro has 3 of 4: it alone decides"),
        "{told}"
    );
}

#[test]
fn one_person_has_one_account_and_it_is_nobody_elses() {
    let account = "account = \"5GeMUu9PbA3bRQSKqJf1SCDkvLxb5NRPgVuL9CghKrLUcAFG\"";
    let shared = with("name = \"mei\"\n", &format!("name = \"mei\"\n{account}\n"));
    let told = lines(&Plan::parse(&shared)).join("\n");
    assert!(
        told.contains("council mei: account: is the account of anna"),
        "{told}"
    );
    let (before, after) = EXAMPLE.rsplit_once(account).unwrap();
    let other = format!("{before}{after}");
    only(
        &other,
        Error,
        &[
            "committee anna: account",
            "in the council with another account",
        ],
    );
}

#[test]
fn an_account_whose_secret_everybody_knows_is_told() {
    let alice = "name = \"rosa\"\naccount = \"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\"";
    only(
        &with("name = \"rosa\"", alice),
        Warning,
        &["council rosa: account", "everybody knows its secret"],
    );
}

#[test]
fn a_secret_that_somebody_wrote_into_the_file_is_not_repeated() {
    let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    let seed = "0x398f0c28f98885e046333d4a41c19cee4c37368a9832c6502f6cfd182e2aef8";
    for secret in [phrase, seed, "//acme//anna"] {
        let account = with(
            "name = \"rosa\"",
            &format!("name = \"rosa\"\naccount = \"{secret}\""),
        );
        only(
            &account,
            Error,
            &["council rosa: account", "nothing secret belongs"],
        );
        let field = with("archive = false", &format!("archive = \"{secret}\""));
        for text in [account, field] {
            let told = lines(&Plan::parse(&text)).join("\n");
            assert!(!told.contains(secret), "{told}");
        }
    }
}

#[test]
fn an_organisation_with_a_gateway_needs_an_authority() {
    let text = with(
        "[[authorities]]\nid = \"metro.ca\"\norganisation = \"metro\"\n",
        "",
    );
    only(&text, Warning, &["organisations metro", "no authority"]);
}

#[test]
fn keys_do_not_belong_into_what_founders_write() {
    let text = with(
        "host = \"hydro-1.valley.example\"",
        "host = \"hydro-1.valley.example\"\nkeys = { peer_id = \"x\" }",
    );
    only(
        &text,
        Error,
        &[
            "validators hydro-1: keys",
            "'keyward network new' makes the keys",
        ],
    );
}

#[test]
fn an_archive_is_missed() {
    only(
        &with("archive = true", "archive = false"),
        Warning,
        &["no node is an archive"],
    );
}
