//! Many devices in one process: each the session that a real device runs, on a connection of its own, with what it must remember
//! in memory instead of on a disk of its own.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use keyward_client::{
    agent::{
        address::Connection,
        clock::Clock,
        link::{Link, LinkEvent, Publication},
        mqtt::Mqtt,
    },
    session::{
        Action, Change, Durable, Effects, Identity, Input, Notice, Provisioned, Session, Settings,
    },
};
use keyward_protocol::{DeviceId, GroupId};
use rand_core::{OsRng, RngCore};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval_at, timeout_at, MissedTickBehavior},
};

use keyward_tests::screen::Screen;

/// Time between two ticks of a session; a session wants one at least every second.
const TICK: Duration = Duration::from_millis(900);
/// Devices that connect before the next ones do.
const AT_ONCE: usize = 50;

/// What is known of one device.
#[derive(Clone, Debug)]
struct Seen {
    id: DeviceId,
    /// The newest epoch whose secret it holds, and since when.
    holds: Option<(u32, Instant)>,
    /// The newest epoch whose receipt it knows to be on chain.
    acknowledged: Option<u32>,
    is_member: bool,
}

/// What a device says.
enum Said {
    Holds(u32, Instant),
    Acknowledged(u32),
    Refused(String),
}

/// The devices.
pub struct Crowd {
    group: GroupId,
    seen: Vec<Seen>,
    said: mpsc::UnboundedReceiver<(usize, Said)>,
    /// What members refused to believe.
    pub refused: Vec<String>,
    devices: JoinSet<()>,
}

impl Crowd {
    /// Connects the members of a group, some at a time, and waits until each has told that it holds the group's epoch.
    pub async fn gather(
        group: &GroupId,
        members: &[Identity],
        provisioned: &Provisioned,
        connection: &Connection,
        screen: &Screen,
    ) -> Result<Self> {
        let (say, said) = mpsc::unbounded_channel();
        let seen = |identity: &Identity| Seen {
            id: identity.device.clone(),
            holds: None,
            acknowledged: None,
            is_member: true,
        };
        let mut crowd = Self {
            group: group.clone(),
            seen: members.iter().map(seen).collect(),
            said,
            refused: Vec::new(),
            devices: JoinSet::new(),
        };
        for (begun, some) in members.chunks(AT_ONCE).enumerate() {
            for (place, identity) in some.iter().enumerate() {
                let device = Device::begin(identity, provisioned, connection, group)?;
                let number = begun * AT_ONCE + place;
                crowd.devices.spawn(device.live(number, say.clone()));
            }
            let connected = begun * AT_ONCE + some.len();
            let what = |crowd: &Self| {
                crowd
                    .seen
                    .iter()
                    .take(connected)
                    .all(|it| it.holds.is_some())
            };
            crowd.until(Duration::from_secs(120), what).await?;
            screen.told(
                "devices",
                &format!("{connected} connected and hold the group's key"),
            );
        }
        Ok(crowd)
    }

    /// Members that are left.
    pub fn members(&self) -> usize {
        self.seen.iter().filter(|device| device.is_member).count()
    }

    /// From now on a device counts no more; gives its id.
    pub fn lose(&mut self, number: usize) -> Result<DeviceId> {
        let device = self.seen.get_mut(number).context("no such device")?;
        device.is_member = false;
        Ok(device.id.clone())
    }

    /// Waits until the receipts of all members for an epoch are on chain, as they were told.
    pub async fn acknowledged(&mut self, epoch: u32) -> Result<()> {
        let patience = Duration::from_secs(400);
        self.until(patience, |crowd| {
            let mut members = crowd.seen.iter().filter(|device| device.is_member);
            members.all(|device| device.acknowledged >= Some(epoch))
        })
        .await
    }

    /// Waits until all members hold an epoch's secret; gives when each did, rising.
    pub async fn hold(&mut self, epoch: u32) -> Result<Vec<Instant>> {
        let holds = |device: &Seen| device.holds.filter(|(held, _)| *held >= epoch);
        self.until(Duration::from_secs(120), |crowd| {
            let mut members = crowd.seen.iter().filter(|device| device.is_member);
            members.all(|device| holds(device).is_some())
        })
        .await?;
        let lost = self
            .seen
            .iter()
            .find(|device| !device.is_member && holds(device).is_some());
        ensure!(
            lost.is_none(),
            "a removed device holds the new key: {lost:?}"
        );
        let members = self.seen.iter().filter(|device| device.is_member);
        let mut times: Vec<Instant> = members.filter_map(holds).map(|(_, at)| at).collect();
        times.sort();
        Ok(times)
    }

    async fn until(&mut self, patience: Duration, what: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = tokio::time::Instant::now() + patience;
        while !what(self) {
            match timeout_at(deadline, self.said.recv()).await {
                Ok(Some((number, said))) => self.note(number, said),
                Ok(None) => bail!("the devices are gone"),
                Err(_) => bail!(self.missing(patience)),
            }
            // What came meanwhile, before everybody is looked at again.
            while let Ok((number, said)) = self.said.try_recv() {
                self.note(number, said);
            }
        }
        Ok(())
    }

    fn note(&mut self, number: usize, said: Said) {
        let Some(device) = self.seen.get_mut(number) else {
            return;
        };
        match said {
            Said::Holds(epoch, at) if device.holds.is_none_or(|(held, _)| held < epoch) => {
                device.holds = Some((epoch, at));
            }
            Said::Holds(..) => {}
            Said::Acknowledged(epoch) => {
                device.acknowledged = device.acknowledged.max(Some(epoch));
            }
            // A removed one hears for a moment what is not for it any more.
            Said::Refused(_) if !device.is_member => {}
            Said::Refused(what) => self.refused.push(format!("{}: {what}", device.id)),
        }
    }

    fn missing(&self, patience: Duration) -> String {
        let members = self.seen.iter().filter(|device| device.is_member);
        let epochs =
            members.map(|device| (device.holds.map(|(epoch, _)| epoch), device.acknowledged));
        let slowest = epochs.min();
        format!(
            "waited {} s for {} devices of {}; the slowest holds and has acknowledged {slowest:?}; refused: {:?}",
            patience.as_secs(),
            self.members(),
            self.group,
            self.refused.first()
        )
    }
}

/// One device.
struct Device {
    session: Session,
    link: Mqtt,
    clock: Clock,
    group: GroupId,
    first: Effects,
}

impl Device {
    fn begin(
        identity: &Identity,
        provisioned: &Provisioned,
        connection: &Connection,
        group: &GroupId,
    ) -> Result<Self> {
        let clock = Clock::start();
        let link = Mqtt::begin(connection, &identity.device)?;
        let (session, first) = Session::start(
            Settings::default(),
            provisioned.clone(),
            identity.clone(),
            Durable::default(),
            Box::new(OsRng),
            clock.now(),
        );
        Ok(Self {
            session,
            link,
            clock,
            group: group.clone(),
            first,
        })
    }

    async fn live(mut self, number: usize, say: mpsc::UnboundedSender<(usize, Said)>) {
        let first = std::mem::take(&mut self.first);
        self.carry_out(first, number, &say);
        // Not all in the same moment.
        let begins = Duration::from_millis(u64::from(OsRng.next_u32()) % 900);
        let mut ticks = interval_at(tokio::time::Instant::now() + begins, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let input = tokio::select! {
                event = self.link.next() => match self.input(event) {
                    Some(input) => input,
                    None => continue,
                },
                _ = ticks.tick() => Input::Tick,
            };
            let effects = self.session.handle(self.clock.now(), input);
            self.carry_out(effects, number, &say);
        }
    }

    fn input(&mut self, event: LinkEvent) -> Option<Input> {
        match event {
            LinkEvent::Connected { .. } => Some(Input::Connected),
            LinkEvent::Disconnected { .. } => Some(Input::Disconnected),
            LinkEvent::Received(received) => {
                self.link.acknowledge(received.ticket);
                Some(Input::Message {
                    topic: received.topic,
                    payload: received.payload,
                    retain: received.retain,
                })
            }
            LinkEvent::Subscribed { .. } | LinkEvent::Published(..) => None,
        }
    }

    fn carry_out(
        &mut self,
        effects: Effects,
        number: usize,
        say: &mpsc::UnboundedSender<(usize, Said)>,
    ) {
        // Nobody listens any more when the program ends.
        let tell = |said| drop(say.send((number, said)));
        for change in effects.changes {
            if let Change::Secret(group, epoch, _) = change {
                if group == self.group {
                    tell(Said::Holds(epoch, Instant::now()));
                }
            }
        }
        for action in effects.actions {
            match action {
                Action::Subscribe { filter, interest } => self.link.subscribe(&[filter], interest),
                Action::Unsubscribe { filter } => self.link.unsubscribe(&[filter]),
                Action::Publish {
                    topic,
                    payload,
                    retain,
                } => {
                    self.link.publish(Publication(0), &topic, payload, retain);
                }
                Action::Notice(Notice::Acknowledged { group, epoch }) if group == self.group => {
                    tell(Said::Acknowledged(epoch));
                }
                Action::Notice(
                    notice @ (Notice::ControlRefused { .. } | Notice::ReceiptRefused { .. }),
                ) => tell(Said::Refused(format!("{notice:?}"))),
                _ => {}
            }
        }
    }
}
