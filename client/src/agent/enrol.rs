//! `keyward-agent enrol`: over MQTT through the gateway to the chain.

use std::{io::Read as _, path::Path};

use keyward_protocol::{
    provisioning::Provisioning, registration::Voucher, request::Refusal, signing::Signed,
};
use tokio::time::{timeout_at, Instant};

use super::{
    args::Enrol,
    asking::Asking,
    driver::{Driver, Messages, Told},
    exit::{self, Failed},
    identity::{self, Identity, ProvisioningInvalid},
    link::Link,
    output::{Line, Output},
    start::{durable, Device},
    store::{KeySource, Store},
};
use crate::session::{Action, Answer, Asked, Input, Notice};

/// Largest provisioning file in bytes.
const LONGEST: u64 = 256 * 1024;
/// How long after the gateway's last word its statement is waited for: other commands then find it.
const STATEMENT: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs the command.
pub async fn run(
    arguments: &Enrol,
    directory: &Path,
    key: &KeySource,
    output: Output,
) -> Result<(), Failed> {
    let mut store = Store::open(directory, key)?;
    let identity = identity::load(&store)?;
    let provisioning = read(&arguments.provisioning)?;
    let voucher = identity::voucher(&provisioning, &identity)?;
    let remembered = identity::connection(&store)?;
    let connection = arguments.broker.connection(remembered.as_ref())?;
    same_place(&store, &provisioning)?;
    identity::remember(&mut store, &provisioning, &connection)?;
    let already = is_enrolled(&store, &identity)?;
    if !already {
        let device = Device::of(store)?;
        let mut driver = device.connect(&arguments.broker, Messages::Leave)?;
        let enrolled = enrol(arguments, voucher, &mut driver, output).await;
        driver.close().await;
        enrolled?;
    }
    let line = Line::Enrolled {
        device: identity.device.to_string(),
        gateway: provisioning.gateway.name.to_string(),
        already,
    };
    Ok(output.print(&line)?)
}

fn read(path: &Path) -> Result<Provisioning, Failed> {
    let mut text = String::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("{} is no provisioning: {error}", path.display());
        Failed::new(exit::FAILED, message)
    };
    read.map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

impl From<ProvisioningInvalid> for Failed {
    fn from(error: ProvisioningInvalid) -> Self {
        Self::new(exit::FAILED, error)
    }
}

/// What the device trusts is not replaced once its gateway's word was believed: that would be another device.
fn same_place(store: &Store, new: &Provisioning) -> Result<(), Failed> {
    let told = durable(store)?.device.is_some();
    let old = identity::provisioning(store)?.filter(|_| told);
    let same = |old: &Provisioning| {
        (old.genesis, old.gateway.account) == (new.genesis, new.gateway.account)
    };
    match old {
        Some(old) if !same(&old) => Err(Failed::new(
            exit::FAILED,
            format!(
                "this device is enrolled with gateway {} already, and the provisioning is for another gateway or chain; \
                 make a new store for it",
                old.gateway.name
            ),
        )),
        _ => Ok(()),
    }
}

/// Whether the gateway has said that the device is on chain with these keys.
fn is_enrolled(store: &Store, identity: &Identity) -> Result<bool, Failed> {
    let stated = durable(store)?.device;
    Ok(stated.is_some_and(|held| held.body.key_version == identity.key_version))
}

/// Asks until the gateway has answered, within the time that was given.
///
/// # Errors
/// When the broker is not reached, the gateway does not answer, or declines.
pub async fn enrol(
    arguments: &Enrol,
    voucher: Signed<Voucher>,
    driver: &mut Driver<impl Link>,
    output: Output,
) -> Result<(), Failed> {
    let mut deadline = Instant::now() + arguments.timeout;
    let mut progress = Progress {
        asking: Asking::new(output, "not enrolled"),
        done: false,
    };
    let mut told = driver.tell(Input::Enrol(voucher))?;
    loop {
        for event in told {
            progress.note(event, driver.session().is_told())?;
        }
        if driver.session().is_told() {
            return Ok(());
        }
        if progress.done {
            deadline = deadline.min(Instant::now() + STATEMENT);
        }
        told = match timeout_at(deadline, driver.next()).await {
            Ok(told) => told?,
            Err(_) if progress.done => return Ok(()),
            Err(_) => return Err(progress.asking.too_late()),
        };
    }
}

struct Progress {
    asking: Asking,
    done: bool,
}

impl Progress {
    fn note(&mut self, event: Told, is_told: bool) -> Result<(), Failed> {
        match event {
            Told::Connected => self.asking.connected(),
            Told::Disconnected(reason) => {
                self.asking.disconnected(reason);
                Ok(())
            }
            Told::Session(Action::Notice(Notice::Answered {
                asked: Asked::Enrol,
                answer,
            })) => self.answered(answer, is_told),
            _ => Ok(()),
        }
    }

    fn answered(&mut self, answer: Answer, is_told: bool) -> Result<(), Failed> {
        match answer {
            Answer::Accepted => self.asking.accepted(),
            Answer::Done => {
                self.done = true;
                self.asking.tell("done", "final on the chain")
            }
            // It is on chain already, and the gateway's statement says so.
            Answer::Refused { .. } if is_told => Ok(()),
            Answer::Refused { refusal, text } => {
                Err(self.asking.declined(refusal, advice(refusal), &text)?)
            }
        }
    }
}

fn advice(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Replayed => {
            "it saw a newer request of this device; was its store restored from a backup?"
        }
        Refusal::Busy => "it has too many requests; try again later",
        Refusal::Unknown => "it does not know the device or its authority",
        Refusal::Voucher => "the voucher is not valid here; ask the authority for a new one",
        Refusal::Chain => "the chain refused it",
    }
}
