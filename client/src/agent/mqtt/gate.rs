//! What stands before each connection: the will, which the broker is told in CONNECT, must be there first (MSG-17).

use std::sync::Arc;

use rumqttc::{LastWill, LastWillProperties, MqttOptions, QoS};
use tokio::sync::{mpsc, Notify};

use crate::agent::link::Will;

/// The end of the task that connects.
pub struct Gate {
    wills: Option<mpsc::UnboundedReceiver<Option<Will>>>,
    renewals: Arc<Notify>,
    /// The options without a will.
    bare: Option<MqttOptions>,
}

/// The end of the link.
pub struct Keeper {
    wills: Option<mpsc::UnboundedSender<Option<Will>>>,
    renewals: Arc<Notify>,
}

/// A gate that lets every connection pass, without a will.
pub fn open() -> (Keeper, Gate) {
    let renewals = Arc::new(Notify::new());
    let keeper = Keeper {
        wills: None,
        renewals: renewals.clone(),
    };
    let gate = Gate {
        wills: None,
        renewals,
        bare: None,
    };
    (keeper, gate)
}

/// A gate that lets a connection pass when its will was told.
pub fn kept() -> (Keeper, Gate) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (mut keeper, mut gate) = open();
    (keeper.wills, gate.wills) = (Some(sender), Some(receiver));
    (keeper, gate)
}

impl Gate {
    /// Waits until the next connection may begin, and gives it its will.
    pub async fn pass(&mut self, options: &mut MqttOptions) {
        let Some(wills) = &mut self.wills else {
            return;
        };
        let bare = self.bare.get_or_insert_with(|| options.clone());
        match wills.recv().await {
            Some(told) => {
                *options = bare.clone();
                told.map(|will| options.set_last_will(last_will(will)));
            }
            // The link is gone, and this task with it.
            None => std::future::pending().await,
        }
    }

    /// Waits until the link wants another connection.
    pub async fn renewed(&self) {
        self.renewals.notified().await;
    }
}

impl Keeper {
    /// Lets the next connection pass, with this will.
    pub fn tell(&self, will: Option<Will>) {
        if let Some(wills) = &self.wills {
            // The task that connects ends only with the program.
            let _ = wills.send(will);
        }
    }

    /// Asks for another connection.
    pub fn renew(&self) {
        self.renewals.notify_one();
    }
}

fn last_will(will: Will) -> LastWill {
    let properties = LastWillProperties {
        delay_interval: Some(will.delay),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };
    let retain = false;
    LastWill::new(
        will.topic,
        will.payload,
        QoS::AtLeastOnce,
        retain,
        Some(properties),
    )
}
