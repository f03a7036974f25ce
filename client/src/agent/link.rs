//! What the agent needs of MQTT, whoever speaks it: so that commands are tested with a broker that follows a script.

use std::future::Future;

pub use crate::session::Interest;

/// A message came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Whether the broker had kept it.
    pub retain: bool,
    /// To acknowledge it with.
    pub ticket: Ticket,
}

/// What acknowledges a message: its number at this end, which never comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Number of a publication, given by whoever publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Publication(pub u64);

/// Why a message was not published. The broker never had it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPublished {
    /// The broker refused it.
    #[error("the broker refused the message ({reason}); see its access rules")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// It cannot be sent at all.
    #[error("the message cannot be published: {reason}")]
    Impossible {
        /// Why.
        reason: String,
    },
}

/// What happens on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// Connected; subscriptions are on their way where the broker does not have them.
    Connected {
        /// Whether the broker remembered the device.
        resumed: bool,
    },
    /// Not connected (any more); it is tried again, later each time.
    Disconnected {
        /// Why.
        reason: String,
        /// Whether the broker may have been told the will.
        told: bool,
    },
    /// The broker answered to subscriptions.
    Subscribed {
        /// Those that it granted.
        granted: Vec<String>,
        /// Those that it refused.
        refused: Vec<String>,
    },
    /// A message came.
    Received(Received),
    /// A message was acknowledged by the broker, or never will be.
    Published(Publication, Result<(), NotPublished>),
}

/// What the broker publishes when the device is gone without a word (MSG-17).
#[derive(Clone, PartialEq, Eq)]
pub struct Will {
    /// Its topic.
    pub topic: String,
    /// Its payload, sealed.
    pub payload: Vec<u8>,
    /// Seconds that the broker waits: who is back by then is not missed.
    pub delay: u32,
}

/// A link to the broker that heals by itself. No method waits for the broker; what comes of it comes as a [`LinkEvent`].
pub trait Link {
    /// Subscribes, now and whenever it is necessary again (LNK-1). Control messages come with QoS 0: the broker keeps the newest of
    /// each for whoever subscribes, and must not queue all of them for an absent device, in the place of messages. Messages
    /// of applications come with QoS 1, and wait for the device.
    fn subscribe(&mut self, filters: &[String], interest: Interest);
    /// Ends subscriptions.
    fn unsubscribe(&mut self, filters: &[String]);
    /// Publishes with QoS 1, again until the broker has it.
    fn publish(&mut self, publication: Publication, topic: &str, payload: Vec<u8>, retain: bool);
    /// Acknowledges a message: the broker need not send it again (MSG-11).
    fn acknowledge(&mut self, ticket: Ticket);
    /// Tells the will of the next connection. A link that was begun with a will waits for this before each connection: before the
    /// first one, and after each [`LinkEvent::Disconnected`]. Others do not, and have none.
    fn will(&mut self, will: Option<Will>);
    /// Connects again, without being missed: a [`LinkEvent::Disconnected`] comes, and then the connection.
    fn renew(&mut self);
    /// Waits for what happens next. May be dropped while it waits, without losing anything.
    fn next(&mut self) -> impl Future<Output = LinkEvent> + Send;
    /// Ends the connection in good order; what the broker keeps for the device stays there.
    fn close(self) -> impl Future<Output = ()> + Send;
}
