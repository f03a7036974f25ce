//! Commands to try while everything is left running.

use std::process::Command;

use keyward_tests::{network::Network, process::shown, scenario::Scenario, screen::Screen};

/// Prints them, for the state that the scenario ends in.
pub fn show(screen: &Screen, network: &Network, scenario: &Scenario) {
    screen.title("Everything is still running. Open another terminal and try, for example:");
    for (what, command) in commands(network, scenario) {
        screen.line(&format!("  # {what}"));
        screen.line(&format!("  {command}"));
    }
    screen.line("");
    screen.line("Ctrl-C stops everything and deletes its files.");
}

fn commands(network: &Network, scenario: &Scenario) -> Vec<(String, String)> {
    let Some(step) = scenario.steps.last() else {
        return Vec::new();
    };
    let group = step.send.group.as_str();
    let topic = scenario
        .group(&step.send.group)
        .map_or(group, |group| &group.topic);
    let mut all = vec![
        (
            "what the chain knows".into(),
            keyward(network, &["audit", group]),
        ),
        (
            "the members now".into(),
            keyward(network, &["group", "show", group]),
        ),
        (
            "what the broker sees".into(),
            format!(
                "mosquitto_sub -h 127.0.0.1 -p {} -t {topic} -F '%t %x'",
                network.broker.port()
            ),
        ),
    ];
    all.extend(listen(
        network,
        topic,
        step.reads.first(),
        "listen as a member",
    ));
    all.extend(send(network, topic, step.send.from.as_str()));
    all.extend(listen(
        network,
        topic,
        step.cannot_read.first(),
        "listen as somebody who is no member",
    ));
    if let Some(outsider) = step.cannot_read.first() {
        let member = format!("{outsider}:subscribe");
        all.push((
            format!("make {outsider} a member"),
            keyward(network, &["group", "add", group, "--member", &member]),
        ));
        all.push((
            format!("and remove {outsider} again"),
            keyward(network, &["group", "remove", group, outsider.as_str()]),
        ));
    }
    all
}

fn keyward(network: &Network, args: &[&str]) -> String {
    shown(&network.operator.command(args))
}

fn listen(
    network: &Network,
    topic: &str,
    device: Option<&keyward_protocol::DeviceId>,
    what: &str,
) -> Option<(String, String)> {
    let agent = network.agent(device?.as_str()).ok()?;
    let command: Command = agent.command(&["sub", "--topic", topic]);
    Some((format!("{what}: {}", agent.id), shown(&command)))
}

fn send(network: &Network, topic: &str, device: &str) -> Option<(String, String)> {
    let agent = network.agent(device).ok()?;
    let message = r#"{"valve":"open","temperature":21.5}"#;
    let command = agent.command(&["pub", "--topic", topic, "--message", message]);
    Some((
        format!("send as {}, in a third terminal", agent.id),
        shown(&command),
    ))
}
