//! `keyward-agent sub`: prints what is opened and what is refused, until it is told to stop.

use std::{collections::BTreeSet, io::ErrorKind, time::Duration};

use keyward_protocol::topic::TopicFilter;
use tokio::{
    signal::unix::{signal, SignalKind},
    time::Instant,
};

use super::{
    args::{Subscribe, Will},
    driver::{Driver, Messages, Told, Wanted},
    exit::{self, Failed},
    identity,
    link::Link,
    output::{Line, Message, Output},
    publish::message,
    start::Device,
    store::{Store, StoreFailed},
};
use crate::session::{Action, Delivery, Notice, SealRefused};

/// The filters of the last run: the broker may have kept those subscriptions.
const FILTERS: &str = "agent/filters";
/// How long the gateway's word is waited for before the device says that it is subscribed.
const UNHEARD: Duration = Duration::from_secs(2);

/// Runs the command.
pub async fn run(arguments: &Subscribe, device: Device, output: Output) -> Result<(), Failed> {
    let before = filters(&device.store)?;
    let mut driver = match will(&arguments.will)? {
        Some(will) => device.connect_with_will(&arguments.broker, Messages::Take, will)?,
        None => device.connect(&arguments.broker, Messages::Take)?,
    };
    let mut subscriber = Subscriber::new(&arguments.topics, output);
    subscriber.subscribe(before, &mut driver)?;
    let done = subscriber.listen(&mut driver).await;
    driver.close().await;
    match done {
        // Whoever read the lines has enough.
        Err(Ended::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(Ended::Output(error)) => Err(error.into()),
        Err(Ended::Failed(failed)) => Err(failed),
        Ok(()) => Ok(()),
    }
}

/// The will that was asked for.
fn will(arguments: &Will) -> Result<Option<Wanted>, Failed> {
    let Some(topic) = arguments.will_topic.clone() else {
        return Ok(None);
    };
    let payload = message(&arguments.will_payload, &arguments.will_file)?;
    let delay = arguments.will_delay;
    Ok(Some(Wanted {
        topic,
        payload,
        delay,
    }))
}

fn filters(store: &Store) -> Result<Vec<String>, StoreFailed> {
    Ok(identity::value(store, FILTERS)?.unwrap_or_default())
}

/// Why listening ended by itself.
#[derive(Debug)]
pub enum Ended {
    /// Nobody reads what is printed.
    Output(std::io::Error),
    /// Something failed.
    Failed(Failed),
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Failed> for Ended {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// Prints what comes on some topics.
pub struct Subscriber {
    filters: Vec<TopicFilter>,
    output: Output,
    missing: BTreeSet<String>,
    connected: Option<Instant>,
    is_ready: bool,
}

impl Subscriber {
    /// For these filters.
    pub fn new(filters: &[TopicFilter], output: Output) -> Self {
        Self {
            filters: filters.to_vec(),
            output,
            missing: filters.iter().map(TopicFilter::to_string).collect(),
            connected: None,
            is_ready: false,
        }
    }

    /// Subscribes, and ends subscriptions of an earlier run that are not wanted any more.
    ///
    /// # Errors
    /// When the store fails.
    pub fn subscribe(
        &self,
        before: Vec<String>,
        driver: &mut Driver<impl Link>,
    ) -> Result<(), Failed> {
        let wanted: Vec<String> = self.missing.iter().cloned().collect();
        let (kept, ended): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|old| wanted.contains(old));
        // Remembered before they are made and forgotten after they are ended: none is left at the broker unknown.
        let known: BTreeSet<_> = wanted.iter().chain(&kept).chain(&ended).collect();
        driver.remember(identity::put(FILTERS, &known)?)?;
        driver.subscribe(&wanted);
        driver.unsubscribe(&ended);
        driver.remember(identity::put(FILTERS, &wanted)?)
    }

    async fn listen(&mut self, driver: &mut Driver<impl Link>) -> Result<(), Ended> {
        let cannot = |error| Failed::new(exit::FAILED, format!("cannot wait for signals: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        loop {
            let told = tokio::select! {
                biased;
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                told = driver.next() => told?,
            };
            self.print(told, driver.session().is_told())?;
        }
    }

    /// Prints what was told; the first time that everything is there also that.
    ///
    /// # Errors
    /// When nobody reads what is printed, or the broker refused a subscription.
    pub fn print(&mut self, told: Vec<Told>, is_told: bool) -> Result<(), Ended> {
        for event in told {
            if let Some(line) = self.line(event)? {
                self.output.print(&line)?;
            }
        }
        let heard = is_told
            || self
                .connected
                .is_some_and(|since| since.elapsed() > UNHEARD);
        if !self.is_ready && self.connected.is_some() && self.missing.is_empty() && heard {
            self.is_ready = true;
            let topics = self.filters.iter().map(TopicFilter::to_string).collect();
            self.output.print(&Line::Ready { topics })?;
        }
        Ok(())
    }

    fn line(&mut self, event: Told) -> Result<Option<Line>, Failed> {
        Ok(match event {
            Told::Connected => {
                self.connected = Some(Instant::now());
                None
            }
            Told::Disconnected(reason) => {
                self.connected = None;
                Some(notice("disconnected", format!("not connected: {reason}")))
            }
            Told::Subscribed { granted, refused } => {
                self.missing.retain(|filter| !granted.contains(filter));
                self.check(&refused)?;
                None
            }
            Told::Published(..) => None,
            Told::Session(action) => self.action(action),
            Told::Will(held) => self.will(held),
            Told::KeysReplaced(version) => {
                let text = format!("keys of version {version} took over");
                Some(notice("keys-taken-over", text))
            }
        })
    }

    fn check(&self, refused: &[String]) -> Result<(), Failed> {
        match refused.iter().find(|filter| self.missing.contains(*filter)) {
            None => Ok(()),
            Some(filter) => Err(Failed::new(
                exit::FAILED,
                format!("the broker refused the subscription to {filter}; see its access rules"),
            )),
        }
    }

    fn action(&self, action: Action) -> Option<Line> {
        match action {
            Action::Deliver(delivery) => self
                .wants(&delivery.topic)
                .then(|| Line::Message(opened(delivery))),
            Action::Pass { topic, payload, .. } => {
                let message = Message {
                    topic,
                    ..Message::default()
                };
                self.wants(&message.topic)
                    .then(|| Line::Message(message.with_payload(&payload)))
            }
            Action::Refuse { topic, reason } => self.wants(&topic).then(|| Line::Refused {
                topic,
                reason: reason.name().to_owned(),
                detail: reason.to_string(),
            }),
            Action::Notice(told) => self.notice(&told),
            // The driver has done those.
            Action::Subscribe { .. } | Action::Unsubscribe { .. } | Action::Publish { .. } => None,
        }
    }

    /// Whether a topic was asked for: the broker may still have messages of earlier subscriptions.
    fn wants(&self, topic: &str) -> bool {
        let wants = self.filters.iter().any(|filter| filter.matches(topic));
        if !wants {
            tracing::info!(topic, "a message of an earlier subscription is not shown");
        }
        wants
    }

    /// Programs get both; people that there is none.
    fn will(&self, held: Result<u32, SealRefused>) -> Option<Line> {
        match held {
            Ok(epoch) if self.output.is_json() => {
                let text = format!("the broker has this device's will, sealed in epoch {epoch}");
                Some(notice("will", text))
            }
            Ok(_) => None,
            Err(refused) => {
                let text = format!("the broker has no will of this device now: {refused}");
                Some(notice("no-will", text))
            }
        }
    }

    /// Programs get everything; people what they should know, and the rest in the log.
    fn notice(&self, told: &Notice) -> Option<Line> {
        match told.is_alarm() {
            true => tracing::error!("{told}"),
            false => tracing::info!("{told}"),
        }
        let for_people = matches!(
            told,
            Notice::Joined(_)
                | Notice::Left(_)
                | Notice::State { .. }
                | Notice::Stale(_)
                | Notice::Fresh(_)
        );
        let shown = self.output.is_json() || told.is_alarm() || for_people;
        shown.then(|| notice(told.name(), told.to_string()))
    }
}

fn notice(kind: &str, text: String) -> Line {
    Line::Notice {
        kind: kind.to_owned(),
        text,
    }
}

fn opened(delivery: Delivery) -> Message {
    let message = Message {
        topic: delivery.topic,
        group: Some(delivery.group.to_string()),
        epoch: Some(delivery.epoch),
        sender: Some(delivery.sender.to_string()),
        time: delivery.time,
        marks: delivery
            .marks
            .iter()
            .map(|mark| mark.name().to_owned())
            .collect(),
        ..Message::default()
    };
    message.with_payload(&delivery.payload)
}
