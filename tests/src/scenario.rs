//! The scenario file: who is in which group at each step, who sends, and who must and must not be able to read. It is the
//! oracle of demo and tests, so it is checked as a whole before anything starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{bail, ensure, Context, Result};
use keyward_protocol::{
    topic::{is_topic_name, TopicFilter, PREFIX},
    DeviceId, GroupId, Role,
};
use serde::Deserialize;

/// The paper's experiment, for a demo that is run without its source tree.
pub const PAPER: &str = include_str!("../scenarios/paper.toml");

/// An experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// All devices.
    pub devices: Vec<DeviceId>,
    /// All groups, whether or not they exist from the first step on.
    pub groups: BTreeMap<GroupId, Group>,
    /// What happens, one after the other.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// A group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The topic that it protects.
    pub topic: String,
    /// Members that may send.
    pub publishers: Vec<DeviceId>,
}

/// Devices by group.
pub type ByGroup = BTreeMap<GroupId, Vec<DeviceId>>;

/// One step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it shows.
    pub name: String,
    /// The paper's figures, or `none`.
    pub figure: String,
    /// The members of groups from now on; a group that is not named stays as it was.
    pub members: ByGroup,
    /// Who is subscribed to which group's topic, member or not.
    pub subscribed: ByGroup,
    /// What is sent.
    pub send: Send,
    /// Subscribers that must read it.
    pub reads: Vec<DeviceId>,
    /// Subscribers that must receive it and must not be able to read it.
    pub cannot_read: Vec<DeviceId>,
}

/// A message.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// The sender.
    pub from: DeviceId,
    /// The group.
    pub group: GroupId,
    /// What it says.
    pub payload: String,
}

impl Scenario {
    /// Reads and checks a scenario file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the scenario {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the scenario {} cannot be run", path.display()))
    }

    /// Checks the text of a scenario.
    pub fn parse(text: &str) -> Result<Self> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check_groups()?;
        ensure!(!scenario.steps.is_empty(), "it has no [[step]]");
        let mut members = ByGroup::new();
        for step in &scenario.steps {
            members.extend(step.members.clone());
            scenario
                .check_step(step, &members)
                .with_context(|| format!("step '{}'", step.name))?;
        }
        Ok(scenario)
    }

    fn check_groups(&self) -> Result<()> {
        ensure!(!self.devices.is_empty(), "it has no devices");
        unique("devices", &self.devices)?;
        let mut topics = BTreeSet::new();
        for (id, group) in &self.groups {
            let topic = &group.topic;
            ensure!(
                is_topic_name(topic) && TopicFilter::new(topic).is_ok(),
                "group {id}: '{topic}' is no topic that a group can protect"
            );
            ensure!(
                !topic.starts_with(PREFIX) && !topic.starts_with("plain/"),
                "group {id}: the topic '{topic}' is taken; use one that does not begin with {PREFIX} or plain/"
            );
            ensure!(
                topics.insert(topic),
                "group {id}: the topic '{topic}' belongs to another group"
            );
            ensure!(
                !group.publishers.is_empty(),
                "group {id} has no publisher: nobody could send to it"
            );
            self.check_devices(&format!("publishers of {id}"), &group.publishers)?;
        }
        Ok(())
    }

    fn check_devices(&self, what: &str, devices: &[DeviceId]) -> Result<()> {
        unique(what, devices)?;
        match devices.iter().find(|id| !self.devices.contains(id)) {
            Some(unknown) => bail!("{what}: {unknown} is not among the devices"),
            None => Ok(()),
        }
    }

    fn check_step(&self, step: &Step, members: &ByGroup) -> Result<()> {
        for (what, by_group) in [("members", &step.members), ("subscribed", &step.subscribed)] {
            for (group, devices) in by_group {
                self.group(group)?;
                self.check_devices(&format!("{what} of {group}"), devices)?;
            }
        }
        for (id, devices) in &step.members {
            let publishers = &self.group(id)?.publishers;
            ensure!(
                devices.iter().any(|device| publishers.contains(device)),
                "members of {id}: none of them is a publisher of the group"
            );
        }
        self.check_message(step, members)?;
        check_readers(step)
    }

    fn check_message(&self, step: &Step, members: &ByGroup) -> Result<()> {
        let Send {
            from,
            group,
            payload,
        } = &step.send;
        let publishers = &self.group(group)?.publishers;
        ensure!(
            publishers.contains(from),
            "send: {from} is no publisher of {group}"
        );
        let of_group = members.get(group);
        let of_group = of_group.with_context(|| format!("send: {group} has no members yet"))?;
        ensure!(
            of_group.contains(from),
            "send: {from} is no member of {group} in this step"
        );
        ensure!(!payload.is_empty(), "send: the payload is empty");
        let listens = step
            .subscribed
            .values()
            .any(|devices| devices.contains(from));
        ensure!(
            !listens,
            "send: {from} sends in this step, so it cannot be subscribed in it: one device runs one program"
        );
        Ok(())
    }

    /// A group by its id.
    pub fn group(&self, id: &GroupId) -> Result<&Group> {
        let group = self.groups.get(id);
        group.with_context(|| format!("there is no [groups.{id}]"))
    }

    /// What a device may do as a member of a group.
    pub fn role(&self, group: &GroupId, device: &DeviceId) -> Result<Role> {
        let publishes = self.group(group)?.publishers.contains(device);
        Ok(if publishes {
            Role::Publish
        } else {
            Role::Subscribe
        })
    }

    /// The topics of all groups.
    pub fn topics(&self) -> Vec<String> {
        self.groups
            .values()
            .map(|group| group.topic.clone())
            .collect()
    }
}

fn unique(what: &str, devices: &[DeviceId]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match devices.iter().find(|device| !seen.insert(*device)) {
        Some(twice) => bail!("{what}: {twice} is named twice"),
        None => Ok(()),
    }
}

/// Every subscriber of the message's group is judged, once, and nobody else.
fn check_readers(step: &Step) -> Result<()> {
    let group = &step.send.group;
    let subscribed = step.subscribed.get(group).cloned().unwrap_or_default();
    unique("reads", &step.reads)?;
    unique("cannot_read", &step.cannot_read)?;
    for (what, devices) in [("reads", &step.reads), ("cannot_read", &step.cannot_read)] {
        if let Some(device) = devices.iter().find(|device| !subscribed.contains(device)) {
            bail!("{what}: {device} is not subscribed to {group} in this step");
        }
    }
    for device in &subscribed {
        match (
            step.reads.contains(device),
            step.cannot_read.contains(device),
        ) {
            (true, true) => bail!("{device} is both in reads and in cannot_read"),
            (false, false) => {
                bail!("{device} is subscribed to {group}, but neither in reads nor in cannot_read")
            }
            _ => {}
        }
    }
    ensure!(!subscribed.is_empty(), "nobody is subscribed to {group}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(String) -> String) -> String {
        let text = change(PAPER.to_owned());
        assert_ne!(text, PAPER, "the change changes nothing");
        format!("{:#}", Scenario::parse(&text).unwrap_err())
    }

    #[test]
    fn the_paper_s_experiment_can_be_run() {
        let scenario = Scenario::parse(PAPER).unwrap();
        assert_eq!(scenario.devices.len(), 4);
        assert_eq!(scenario.topics(), ["hsu0001", "hsu0002"]);
        let names: Vec<_> = scenario
            .steps
            .iter()
            .map(|step| step.name.as_str())
            .collect();
        assert_eq!(names, ["one-to-one", "join", "cross-group", "removal"]);
    }

    #[test]
    fn a_device_that_does_not_exist_is_named() {
        let error = refusal(|text| text.replace(r#"reads = ["1112"]"#, r#"reads = ["9999"]"#));
        assert!(
            error.contains("one-to-one") && error.contains("9999"),
            "{error}"
        );
        let error =
            refusal(|text| text.replace(r#"publishers = ["1114"]"#, r#"publishers = ["9999"]"#));
        assert!(
            error.contains("publishers of hsu0002: 9999 is not among the devices"),
            "{error}"
        );
    }

    #[test]
    fn a_group_without_a_publisher_is_refused() {
        let error = refusal(|text| text.replace(r#"publishers = ["1114"]"#, "publishers = []"));
        assert!(error.contains("group hsu0002 has no publisher"), "{error}");
        let error = refusal(|text| {
            text.replace(
                r#"members = { hsu0001 = ["1111", "1112"] }"#,
                r#"members = { hsu0001 = ["1112"] }"#,
            )
        });
        assert!(error.contains("none of them is a publisher"), "{error}");
    }

    #[test]
    fn a_reader_that_is_not_subscribed_is_refused() {
        let error = refusal(|text| {
            text.replacen(
                r#"subscribed = { hsu0001 = ["1112", "1113", "1114"] }"#,
                r#"subscribed = { hsu0001 = ["1113", "1114"] }"#,
                1,
            )
        });
        assert!(
            error.contains("reads: 1112 is not subscribed to hsu0001"),
            "{error}"
        );
    }

    #[test]
    fn every_subscriber_is_judged_once() {
        let error = refusal(|text| {
            text.replacen(
                r#"cannot_read = ["1113", "1114"]"#,
                r#"cannot_read = ["1113"]"#,
                1,
            )
        });
        assert!(
            error.contains("1114 is subscribed to hsu0001, but neither"),
            "{error}"
        );
        let error = refusal(|text| {
            text.replacen(
                r#"cannot_read = ["1113", "1114"]"#,
                r#"cannot_read = ["1112", "1113", "1114"]"#,
                1,
            )
        });
        assert!(error.contains("1112 is both"), "{error}");
    }

    #[test]
    fn who_sends_must_be_able_to() {
        let error = refusal(|text| text.replacen(r#"from = "1111""#, r#"from = "1112""#, 1));
        assert!(error.contains("1112 is no publisher of hsu0001"), "{error}");
        let error = refusal(|text| {
            text.replacen(
                r#"subscribed = { hsu0002 = ["1111", "1112", "1113"] }"#,
                r#"subscribed = { hsu0001 = ["1114"], hsu0002 = ["1111", "1112", "1113"] }"#,
                1,
            )
        });
        assert!(error.contains("1114 sends in this step"), "{error}");
    }

    #[test]
    fn what_the_file_does_not_know_is_refused() {
        let error = refusal(|text| text.replacen("cannot_read", "cannot-read", 1));
        assert!(error.contains("cannot-read"), "{error}");
        let error = refusal(|text| text.replacen("group = \"hsu0001\"", "group = \"hsu0003\"", 1));
        assert!(error.contains("there is no [groups.hsu0003]"), "{error}");
    }
}
