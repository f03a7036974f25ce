//! Running a scenario step by step, and judging each by what devices printed and what was really on the wire.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result};
use keyward_protocol::{DeviceId, GroupId, Role};

use crate::{
    agent::{Event, Subscriber},
    capture::{Captured, Direction},
    network::{Network, Tell},
    scenario::{ByGroup, Scenario, Step},
    wait::eventually,
};

/// How long a subscriber has to say what it made of a message: longer than a message is parked.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a subscriber made of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actual {
    /// It read what was sent.
    Read {
        /// Who it says has sent it.
        sender: String,
        /// The epoch that it says it was sealed in.
        epoch: u32,
    },
    /// It read something else.
    Misread {
        /// What.
        payload: String,
    },
    /// It says that it could not read it.
    Refused {
        /// Why.
        reason: String,
    },
    /// It said nothing.
    Silent,
}

/// One subscriber of one step.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Which device.
    pub device: DeviceId,
    /// Whether it must read.
    pub must_read: bool,
    /// Whether the sealed message was really delivered to it.
    pub received: bool,
    /// What it made of it.
    pub actual: Actual,
}

impl Reading {
    /// Whether it is as the scenario says: read, or received and refused.
    pub fn is_as_expected(&self) -> bool {
        match (&self.actual, self.must_read) {
            (Actual::Read { .. }, true) => true,
            (Actual::Refused { .. }, false) => self.received,
            _ => false,
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What each subscriber made of the message, in the order of the scenario.
    pub readings: Vec<Reading>,
    /// The PUBLISH as its sender sent it.
    pub sent: Captured,
    /// Bytes that protection added.
    pub bytes_added: usize,
    /// The epoch that it was sealed in.
    pub epoch: u32,
}

/// A scenario that is being run.
pub struct Play<'a> {
    network: &'a Network,
    scenario: &'a Scenario,
    members: ByGroup,
}

impl<'a> Play<'a> {
    /// On a network whose devices are enrolled.
    pub fn new(network: &'a Network, scenario: &'a Scenario) -> Self {
        Self {
            network,
            scenario,
            members: ByGroup::new(),
        }
    }

    /// Runs one step. Subscribers are there before the groups change, so that a member that is removed keeps its
    /// subscription, its process and all its keys.
    pub async fn step(&mut self, step: &Step, tell: Tell<'_>) -> Result<Outcome> {
        let subscribers = self.subscribe(step).await?;
        self.change_members(step, tell).await?;
        let before: Vec<usize> = subscribers
            .iter()
            .map(|subscriber| subscriber.events().len())
            .collect();
        let (sent, bytes_added, epoch) = self.send(step).await?;
        let mut readings = Vec::new();
        for (subscriber, before) in subscribers.iter().zip(before) {
            readings.extend(self.judge(step, subscriber, before, &sent).await?);
        }
        Ok(Outcome {
            readings,
            sent,
            bytes_added,
            epoch,
        })
    }

    async fn subscribe(&self, step: &Step) -> Result<Vec<Subscriber>> {
        let mut topics: BTreeMap<&DeviceId, Vec<&str>> = BTreeMap::new();
        for (group, devices) in &step.subscribed {
            let topic = self.scenario.group(group)?.topic.as_str();
            for device in devices {
                topics.entry(device).or_default().push(topic);
            }
        }
        let mut subscribers = Vec::new();
        for (device, topics) in topics {
            let agent = self.network.agent(device.as_str())?;
            agent.capture.clear();
            subscribers.push(agent.subscribe(&topics)?);
        }
        for subscriber in &mut subscribers {
            subscriber.ready().await?;
        }
        Ok(subscribers)
    }

    async fn change_members(&mut self, step: &Step, tell: Tell<'_>) -> Result<()> {
        for (group, after) in &step.members {
            match self.members.get(group).cloned() {
                None => self.create(group, after, tell).await?,
                Some(before) => self.change(group, &before, after, tell).await?,
            }
            self.members.insert(group.clone(), after.clone());
        }
        for group in step.members.keys() {
            self.network.settled(group).await?;
        }
        Ok(())
    }

    async fn create(&self, id: &GroupId, members: &[DeviceId], tell: Tell<'_>) -> Result<()> {
        let topic = &self.scenario.group(id)?.topic;
        self.operate(&["group", "create", id.as_str(), "--topic", topic], tell)
            .await?;
        self.add(id, members, tell).await
    }

    async fn change(
        &self,
        id: &GroupId,
        before: &[DeviceId],
        after: &[DeviceId],
        tell: Tell<'_>,
    ) -> Result<()> {
        let (before, after): (BTreeSet<_>, BTreeSet<_>) =
            (before.iter().collect(), after.iter().collect());
        let gone: Vec<&DeviceId> = before.difference(&after).copied().collect();
        if !gone.is_empty() {
            let mut args = vec!["group", "remove", id.as_str()];
            args.extend(gone.iter().map(|device| device.as_str()));
            self.operate(&args, tell).await?;
        }
        let new: Vec<DeviceId> = after.difference(&before).copied().cloned().collect();
        match new.is_empty() {
            true => Ok(()),
            false => self.add(id, &new, tell).await,
        }
    }

    async fn add(&self, id: &GroupId, members: &[DeviceId], tell: Tell<'_>) -> Result<()> {
        let mut with_roles = Vec::new();
        for device in members {
            let role = match self.scenario.role(id, device)? {
                Role::Publish => "publish",
                _ => "subscribe",
            };
            with_roles.push(format!("{device}:{role}"));
        }
        let mut args = vec!["group", "add", id.as_str()];
        for member in &with_roles {
            args.extend(["--member", member]);
        }
        self.operate(&args, tell).await
    }

    /// Runs the operator's command.
    async fn operate(&self, args: &[&str], tell: Tell<'_>) -> Result<()> {
        tell("operator", &format!("keyward {}", args.join(" ")));
        self.network.operator.must(args).await.map(drop)
    }

    async fn send(&self, step: &Step) -> Result<(Captured, usize, u32)> {
        let sender = self.network.agent(step.send.from.as_str())?;
        let topic = &self.scenario.group(&step.send.group)?.topic;
        sender.capture.clear();
        let sealed = sender.publish(topic, &step.send.payload).await?;
        let sent = sender.capture.on(topic, Direction::Up).pop();
        let sent = sent.context("the sender says it published, but nothing went over the wire")?;
        let added = sent.payload.len().saturating_sub(step.send.payload.len());
        anyhow::ensure!(
            added == sealed.bytes_added,
            "{} says that {} bytes were added, but {added} went over the wire",
            sender.id,
            sealed.bytes_added
        );
        Ok((sent, added, sealed.epoch))
    }

    /// What one subscriber made of the message; none if it is subscribed to other groups only.
    async fn judge(
        &self,
        step: &Step,
        subscriber: &Subscriber,
        before: usize,
        sent: &Captured,
    ) -> Result<Option<Reading>> {
        let device = &subscriber.device;
        let listed = step.subscribed.get(&step.send.group);
        if !listed.is_some_and(|devices| devices.contains(device)) {
            return Ok(None);
        }
        let what = format!("{device} to say what it made of the message");
        let event = eventually(PATIENCE, &what, || async {
            let events = subscriber.events();
            let on_topic = |event: &&Event| event.topic == sent.topic;
            let found = events.iter().skip(before).find(on_topic).cloned();
            found.context("it says nothing")
        })
        .await;
        let delivered = self
            .network
            .agent(device.as_str())?
            .capture
            .on(&sent.topic, Direction::Down);
        Ok(Some(Reading {
            device: device.clone(),
            must_read: step.reads.contains(device),
            received: delivered
                .iter()
                .any(|packet| packet.payload == sent.payload),
            actual: actual(event.ok(), &step.send.payload),
        }))
    }
}

fn actual(event: Option<Event>, payload: &str) -> Actual {
    match event {
        None => Actual::Silent,
        Some(event) if event.is_refusal() => Actual::Refused {
            reason: event.reason.unwrap_or_default(),
        },
        Some(event) if event.payload.as_deref() == Some(payload) => Actual::Read {
            sender: event.sender.unwrap_or_default(),
            epoch: event.epoch.unwrap_or_default(),
        },
        Some(event) => Actual::Misread {
            payload: event.payload.unwrap_or_default(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(must_read: bool, received: bool, actual: Actual) -> Reading {
        Reading {
            device: "1111".parse().unwrap(),
            must_read,
            received,
            actual,
        }
    }

    #[test]
    fn only_a_message_that_was_received_and_refused_counts_as_unreadable() {
        let refused = Actual::Refused {
            reason: "NotMember".into(),
        };
        assert!(reading(false, true, refused.clone()).is_as_expected());
        assert!(!reading(false, false, refused.clone()).is_as_expected());
        assert!(!reading(false, true, Actual::Silent).is_as_expected());
        assert!(!reading(true, true, refused).is_as_expected());
    }

    #[test]
    fn a_member_must_read_what_was_sent_and_a_stranger_must_not() {
        let read = Actual::Read {
            sender: "1111".into(),
            epoch: 1,
        };
        assert!(reading(true, true, read.clone()).is_as_expected());
        assert!(!reading(false, true, read).is_as_expected());
        let misread = Actual::Misread {
            payload: "x".into(),
        };
        assert!(!reading(true, true, misread).is_as_expected());
    }
}
