//! `keyward-agent replace-keys`: new keys for the device, signed by the old ones, over MQTT through the gateway to the chain
//! (REQ-5, REG-6).
//!
//! The new keys are durable before anybody is asked for them, and the old ones stay until the gateway says that the chain has the
//! new ones; the change from the one to the other is one commit. Killed at any moment, the device works with the keys that the
//! chain has: whichever command runs next learns from the gateway's statement that the new ones count, and takes them
//! ([`super::driver::Heir`]).

use std::time::Duration;

use keyward_protocol::request::Refusal;
use tokio::time::{timeout_at, Instant};

use super::{
    args::ReplaceKeys,
    asking::Asking,
    clock::Clock,
    driver::{Driver, Heir, Messages, Told},
    exit::{self, Failed},
    identity,
    link::Link,
    output::{Line, Output},
    start::{durable, Device},
};
use crate::session::{Action, Answer, Asked, Input, NewKeys, Notice};

/// How long the chain may take to accept them. The same keys are asked for again when it was not long enough.
const VALID: Duration = Duration::from_secs(3600);

/// Runs the command.
pub async fn run(
    arguments: &ReplaceKeys,
    mut device: Device,
    output: Output,
) -> Result<(), Failed> {
    let told = durable(&device.store)?.device;
    if told.is_none() {
        let message = "this device was not enrolled yet; run 'keyward-agent enrol'";
        return Err(Failed::new(exit::STORE, message));
    }
    let (next, new) = identity::make_next(&mut device.store, &device.identity)?;
    let name = device.identity.device.to_string();
    let provisioning = device.provisioning.clone();
    let mut driver = device.connect(&arguments.broker, Messages::Leave)?;
    let key_version = next.key_version;
    let keys = NewKeys {
        signing: next.signing.clone(),
        agreement: next.agreement.clone(),
        not_after: not_after(),
    };
    driver.expect(Some(Heir {
        identity: next,
        provisioning,
    }));
    let mut progress = Progress::new(output);
    progress.made(new, key_version)?;
    let done = replace(arguments, keys, &mut driver, &mut progress).await;
    driver.close().await;
    done?;
    Ok(output.print(&Line::KeysReplaced {
        device: name,
        key_version,
    })?)
}

/// In seconds since 1970.
fn not_after() -> u64 {
    let now = Clock::start().now().wall_ms.unwrap_or(0) / 1000;
    now.saturating_add(VALID.as_secs())
}

/// Asks until the new keys took over and the gateway's statement for them came, within the time that was given.
///
/// # Errors
/// When the broker is not reached, the gateway does not answer, or declines.
pub async fn replace(
    arguments: &ReplaceKeys,
    keys: NewKeys,
    driver: &mut Driver<impl Link>,
    progress: &mut Progress,
) -> Result<(), Failed> {
    let deadline = Instant::now() + arguments.timeout;
    let mut told = driver.tell(Input::ReplaceKeys(keys))?;
    loop {
        for event in told {
            progress.note(event)?;
        }
        if progress.replaced && driver.session().is_told() {
            return Ok(());
        }
        if let (Some(declined), false) = (progress.declined.take(), progress.replaced) {
            return Err(declined);
        }
        told = match timeout_at(deadline, driver.next()).await {
            Ok(told) => told?,
            Err(_) => return Err(progress.too_late()),
        };
    }
}

/// How far it is.
pub struct Progress {
    asking: Asking,
    replaced: bool,
    declined: Option<Failed>,
}

impl Progress {
    /// Nothing has happened yet.
    pub fn new(output: Output) -> Self {
        Self {
            asking: Asking::new(output, "keys not replaced, the old ones still count"),
            replaced: false,
            declined: None,
        }
    }

    fn made(&self, new: bool, version: u32) -> Result<(), Failed> {
        let text = match new {
            true => format!("keys of version {version} made"),
            false => format!("keys of version {version} are there from an earlier try"),
        };
        self.asking.tell("made", &text)
    }

    fn note(&mut self, event: Told) -> Result<(), Failed> {
        match event {
            Told::Connected if !self.replaced => self.asking.connected(),
            Told::Disconnected(reason) => {
                self.asking.disconnected(reason);
                Ok(())
            }
            Told::KeysReplaced(_) => {
                self.replaced = true;
                let text =
                    "final on the chain; waiting for the gateway's statement for the new keys";
                self.asking.tell("done", text)
            }
            Told::Session(Action::Notice(Notice::Answered {
                asked: Asked::ReplaceKeys,
                answer,
            })) => self.answered(answer),
            _ => Ok(()),
        }
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Failed> {
        match answer {
            Answer::Accepted => self.asking.accepted(),
            Answer::Done => Ok(()),
            Answer::Refused { refusal, text } => {
                let declined = self.asking.declined(refusal, advice(refusal), &text)?;
                self.declined = Some(declined);
                Ok(())
            }
        }
    }

    fn too_late(&mut self) -> Failed {
        match self.replaced {
            true => Failed::new(
                exit::UNREACHABLE,
                "the chain has the new keys and the device uses them; the gateway's statement for them has not come yet",
            ),
            false => self.asking.too_late(),
        }
    }
}

fn advice(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unknown => "it does not know the device, or the chain has other keys for it",
        Refusal::Chain => "the chain refused it",
        Refusal::Replayed | Refusal::Busy | Refusal::Voucher => "it cannot be done now",
    }
}
