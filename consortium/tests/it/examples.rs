//! The examples are networks, and show every field.

use keyward_consortium::Plan;

use crate::{lines, EXAMPLE, LOCAL};

#[test]
fn the_example_has_nothing_wrong() {
    let checked = Plan::parse(EXAMPLE);
    assert_eq!(lines(&checked), Vec::<String>::new());
    let plan = checked.value.unwrap();
    assert_eq!(plan.organisations.len(), 4);
    assert_eq!((plan.validators().count(), plan.machines.len()), (4, 6));
    assert_eq!((plan.gateways.len(), plan.authorities.len()), (3, 3));
    assert_eq!((plan.council.len(), plan.committee.len()), (4, 3));
}

#[test]
fn the_network_for_one_machine_is_told_to_be_a_test_and_nothing_else() {
    let checked = Plan::parse(LOCAL);
    let told = lines(&checked);
    assert!(
        told.len() == 1 && told[0].contains("session for tests"),
        "{told:?}"
    );
    let plan = checked.value.unwrap();
    assert_eq!((plan.validators().count(), plan.gateways.len()), (4, 2));
    assert_eq!(plan.network.session_blocks, 10);
}

#[test]
fn what_has_a_default_may_be_left_out() {
    let plan = Plan::parse(EXAMPLE).value.unwrap();
    let metro = &plan.organisations[2];
    assert_eq!(
        (metro.quotas.devices, metro.quotas.members),
        (2_000, 10_000)
    );
    assert!(!metro.bare_names);
    let roads = plan.validators().last().unwrap();
    assert_eq!((roads.ports.p2p, roads.ports.rpc), (30_500, 9_944));
    let text = EXAMPLE.replace("minimum_validators = 3\n", "");
    let plan = Plan::parse(&text).value.unwrap();
    assert_eq!(plan.network.minimum_validators, 3);
}

/// A field that the example does not show is a field that nobody finds.
#[test]
fn the_example_shows_every_field() {
    let text = EXAMPLE.replace("[[organisations]]\n", "[[organisations]]\nnonsense = 1\n");
    let text = text.replace("[[validators]]\n", "[[validators]]\nnonsense = 1\n");
    let text = text.replace("[[gateways]]\n", "[[gateways]]\nnonsense = 1\n");
    let text = text.replace("[[authorities]]\n", "[[authorities]]\nnonsense = 1\n");
    let text = text.replace("[[council]]\n", "[[council]]\nnonsense = 1\n");
    let text = text.replace("[network]\n", "[network]\nnonsense = 1\n");
    let told = lines(&Plan::parse(&text)).join("\n");
    // The parser names the fields that it knows.
    let fields = told.split('`').skip(1).step_by(2);
    for field in fields.filter(|field| !["nonsense", "keys", "key"].contains(field)) {
        let shown = EXAMPLE.lines().any(|line| {
            let line = line.trim_start();
            line.starts_with(&format!("{field} = ")) || line.contains(&format!("{{ {field} = "))
        });
        assert!(shown, "{field} is in no example");
    }
}
