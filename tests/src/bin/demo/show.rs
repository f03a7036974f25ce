//! The parts of the screen: introduction, steps, tables of readers, audit trail, verdict.

use std::path::Path;

use anyhow::Result;
use keyward_protocol::{DeviceId, GroupId};
use keyward_tests::{
    network::{list, Network},
    play::{Actual, Outcome, Reading},
    scenario::{Scenario, Step},
    screen::{Screen, Style},
};

/// The first lines.
pub fn introduction(screen: &Screen, path: Option<&Path>, scenario: &Scenario) {
    let name = path.map_or("the paper's experiment".into(), |path| {
        path.display().to_string()
    });
    screen.line(&screen.styled(
        Style::Title,
        "Keyward: a blockchain decides who may read; the MQTT broker cannot.",
    ));
    screen.line(&format!(
        "Scenario: {name}: {} devices, {} groups, {} steps. Everything runs on this machine, as real processes.",
        scenario.devices.len(),
        scenario.groups.len(),
        scenario.steps.len()
    ));
    screen.title("Starting");
}

/// The heading of a step.
pub fn step(screen: &Screen, number: usize, scenario: &Scenario, step: &Step) {
    let figure = match step.figure.as_str() {
        "none" => "beyond the paper".into(),
        figure => format!("paper, Figure {figure}"),
    };
    screen.title(&format!(
        "Step {number} of {}: {} ({figure})",
        scenario.steps.len(),
        step.name
    ));
    for (group, members) in &step.members {
        screen.line(&format!("  {:<10} {group} = {}", "members", list(members)));
    }
}

/// Who read what was sent.
pub fn readings(screen: &Screen, step: &Step, outcome: &Outcome) {
    let send = &step.send;
    screen.told(
        "message",
        &format!(
            "{} sends to {}, sealed in epoch {}: {}",
            send.from, send.group, outcome.epoch, send.payload
        ),
    );
    let header = format!(
        "  {:<10} {:<8} {:<12} {:<12} {}",
        "", "device", "expected", "actual", "what the device says"
    );
    screen.line(&screen.styled(Style::Quiet, &header));
    for reading in &outcome.readings {
        screen.line(&row(screen, reading));
    }
}

fn row(screen: &Screen, reading: &Reading) -> String {
    let expected = match reading.must_read {
        true => "reads",
        false => "cannot read",
    };
    let (actual, says) = told(reading);
    let (mark, style) = match reading.is_as_expected() {
        true => ("✓ ok", Style::Good),
        false => ("✗ WRONG", Style::Bad),
    };
    format!(
        "  {} {:<8} {expected:<12} {} {says}",
        screen.styled(style, &format!("{mark:<10}")),
        reading.device,
        screen.styled(style, &format!("{actual:<12}"))
    )
}

fn told(reading: &Reading) -> (&'static str, String) {
    let delivered = match reading.received {
        true => "received the packet",
        false => "did not receive the packet",
    };
    match &reading.actual {
        Actual::Read { sender, epoch } => (
            "reads",
            format!("from {sender}, epoch {epoch}, signature verified"),
        ),
        Actual::Misread { payload } => ("misreads", format!("{delivered}, opened as '{payload}'")),
        Actual::Refused { reason } => ("cannot read", format!("{delivered}, refused: {reason}")),
        Actual::Silent => ("silent", format!("{delivered}, said nothing")),
    }
}

/// The audit trail of every group, as the operator's command prints it.
pub async fn audits(screen: &Screen, network: &Network, scenario: &Scenario) -> Result<()> {
    let groups = scenario.groups.keys().filter(|group| {
        scenario
            .steps
            .iter()
            .any(|step| step.members.contains_key(group))
    });
    for group in groups {
        screen.title(&format!(
            "On the chain for ever: who held which key of {group} when (paper, Figure 11)"
        ));
        screen.told("", "waiting for the last receipts to be finalized");
        wait_for_receipts(network, group, &active_last(scenario)).await;
        let audit = network.operator.must(&["audit", group.as_str()]).await?;
        // What no audit checks is explained by the command itself; one screen has no room for it.
        let shown = audit
            .lines()
            .take_while(|line| !line.starts_with("Not checked"));
        shown.for_each(|line| screen.line(&format!("  {line}")));
    }
    Ok(())
}

/// For as long as the harness waits: what is missing then, the audit shows as missing.
async fn wait_for_receipts(network: &Network, group: &GroupId, devices: &[&DeviceId]) {
    if network.delivered(group).await.is_ok() {
        let _missing = network.acknowledged(group, devices).await;
    }
}

/// Devices that read or sent in the last step, and so held its epoch's key.
fn active_last(scenario: &Scenario) -> Vec<&DeviceId> {
    let last = scenario.steps.last();
    last.map(|step| step.reads.iter().chain([&step.send.from]).collect())
        .unwrap_or_default()
}

/// Prints what was not as expected; gives how much.
pub fn verdict(screen: &Screen, outcomes: &[(&Step, Outcome)]) -> usize {
    let readings = outcomes
        .iter()
        .flat_map(|(step, outcome)| outcome.readings.iter().map(move |reading| (step, reading)));
    let wrong: Vec<_> = readings
        .filter(|(_, reading)| !reading.is_as_expected())
        .collect();
    screen.title("Result");
    for (step, reading) in &wrong {
        screen.failure(&format!("  {}", surprise(step, reading)));
    }
    let summary = format!(
        "  {} steps, {} surprises, {} s.",
        outcomes.len(),
        wrong.len(),
        screen.seconds()
    );
    match wrong.is_empty() {
        true => screen.line(&screen.styled(
            Style::Good,
            &format!("{summary} Every device read what it must, and nothing else."),
        )),
        false => screen.failure(&summary),
    }
    wrong.len()
}

fn surprise(step: &Step, reading: &Reading) -> String {
    let (actual, says) = told(reading);
    let must = match reading.must_read {
        true => "must read",
        false => "must receive and not be able to read",
    };
    format!(
        "step '{}': {} {must} the message of {}, but: {actual} ({says})",
        step.name, reading.device, step.send.from
    )
}
