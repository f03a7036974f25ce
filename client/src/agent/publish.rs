//! `keyward-agent pub`: seals one message as soon as the group's newest key is known, and publishes it.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use keyward_protocol::limits;
use tokio::time::{timeout_at, Instant};
use zeroize::Zeroizing;

use super::{
    args::Publish,
    driver::{Driver, Messages, Told},
    exit::{self, Failed},
    link::{Link, NotPublished, Publication},
    output::{Line, Output},
    start::Device,
};
use crate::session::{Kind, SealRefused, Sealed};

/// The one message of this program.
const MESSAGE: Publication = Publication(1);
/// How long a gateway that says nothing, or whose words were replaced, is waited for, when the device knows a key already:
/// `max_silence` bounds what that can lead to (STM-10).
const UNHEARD: Duration = Duration::from_secs(5);
/// How long it may be in doubt whether the device is no publisher, after its gateway has said so.
const DOUBT: Duration = Duration::from_secs(5);

/// Runs the command.
pub async fn run(arguments: &Publish, device: Device, output: Output) -> Result<(), Failed> {
    let payload = message(&arguments.message, &arguments.file)?;
    let mut driver = device.connect(&arguments.broker, Messages::Leave)?;
    let done = publish(arguments, &payload, &mut driver).await;
    driver.close().await;
    match done {
        Ok(sealed) => Ok(output.print(&sealed)?),
        Err(NotDone::Failed(failed)) => Err(failed),
        Err(NotDone::Refused(refused)) => {
            if output.is_json() {
                output.print(&refusal(&arguments.topic, refused))?;
            }
            Err(Failed::new(
                code(&refused),
                format!("not sealed: {refused}"),
            ))
        }
    }
}

/// Why nothing was published.
#[derive(Debug)]
pub enum NotDone {
    /// Nothing was sealed.
    Refused(SealRefused),
    /// Something failed.
    Failed(Failed),
}

impl From<Failed> for NotDone {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// A message; from a file or standard input ('-') it is not in the list of processes.
///
/// # Errors
/// When it cannot be read.
pub fn message(
    text: &Option<String>,
    file: &Option<PathBuf>,
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let longest = limits::PAYLOAD as u64 + 1;
    let mut bytes = Zeroizing::new(Vec::new());
    let read = match (text, file) {
        (Some(message), _) => {
            bytes.extend_from_slice(message.as_bytes());
            Ok(bytes.len())
        }
        (None, Some(path)) if path == Path::new("-") => {
            std::io::stdin().take(longest).read_to_end(&mut bytes)
        }
        (None, Some(path)) => {
            std::fs::File::open(path).and_then(|file| file.take(longest).read_to_end(&mut bytes))
        }
        (None, None) => Ok(0),
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failed::new(
            exit::FAILED,
            format!("cannot read the message: {error}"),
        )),
    }
}

/// Seals and publishes within the time that was given.
///
/// # Errors
/// Says why not.
pub async fn publish(
    arguments: &Publish,
    payload: &[u8],
    driver: &mut Driver<impl Link>,
) -> Result<Line, NotDone> {
    let deadline = Instant::now() + arguments.timeout;
    let kind = match arguments.retain {
        true => Kind::Retained,
        false => Kind::Live,
    };
    let sealed = seal(&arguments.topic, payload, kind, driver, deadline).await?;
    if sealed.stale {
        tracing::warn!("sealed although nothing new was heard of the chain for too long: the group's policy says so");
    }
    driver.publish(MESSAGE, &arguments.topic, sealed.bytes, arguments.retain);
    acknowledged(driver, deadline).await?;
    Ok(Line::Sealed {
        topic: arguments.topic.clone(),
        group: sealed.group.to_string(),
        epoch: sealed.epoch,
        bytes_added: sealed.bytes_added,
    })
}

/// What is known about the gateway's word.
struct Heard {
    /// How long to wait for it.
    patience: Duration,
    connected: Option<Instant>,
    told: Option<Instant>,
    problem: Option<String>,
}

impl Heard {
    fn note(&mut self, told: &[Told], is_told: bool) {
        for event in told {
            match event {
                Told::Connected => self.connected = Some(Instant::now()),
                Told::Disconnected(reason) => {
                    (self.connected, self.problem) = (None, Some(reason.clone()));
                }
                _ => {}
            }
        }
        match is_told {
            true => self.told = self.told.or_else(|| Some(Instant::now())),
            false => self.told = None,
        }
    }

    /// Whether it makes sense to seal with what is known: it is current, or nothing better can be had.
    fn may_seal(&self, is_current: bool) -> bool {
        is_current
            || self
                .connected
                .is_some_and(|since| since.elapsed() > self.patience)
    }

    /// Whether waiting will not help.
    fn is_final(&self, refused: &SealRefused) -> bool {
        let in_doubt = self.told.is_none_or(|since| since.elapsed() < DOUBT);
        match refused {
            SealRefused::NotMember | SealRefused::NotPublisher | SealRefused::NotProtected => {
                !in_doubt
            }
            refused => !refused.is_retryable(),
        }
    }

    fn unreachable(self) -> Failed {
        let reason = self
            .problem
            .unwrap_or_else(|| "it did not answer in time".into());
        Failed::new(
            exit::UNREACHABLE,
            format!("the broker was not reached: {reason}"),
        )
    }
}

async fn seal(
    topic: &str,
    payload: &[u8],
    kind: Kind,
    driver: &mut Driver<impl Link>,
    deadline: Instant,
) -> Result<Sealed, NotDone> {
    let mut heard = Heard {
        patience: UNHEARD.min(deadline.duration_since(Instant::now()) / 2),
        connected: None,
        told: None,
        problem: None,
    };
    let mut last = SealRefused::NotReady;
    loop {
        let Ok(told) = timeout_at(deadline, driver.next()).await else {
            return Err(match heard.connected {
                Some(_) => NotDone::Refused(last),
                None => NotDone::Failed(heard.unreachable()),
            });
        };
        heard.note(&told?, driver.session().is_told());
        if !heard.may_seal(driver.session().is_current(topic)) {
            continue;
        }
        match driver.seal(topic, payload, kind)? {
            Ok(sealed) => return Ok(sealed),
            Err(refused) if heard.is_final(&refused) => return Err(NotDone::Refused(refused)),
            Err(refused) => last = refused,
        }
    }
}

async fn acknowledged(driver: &mut Driver<impl Link>, deadline: Instant) -> Result<(), NotDone> {
    loop {
        let Ok(told) = timeout_at(deadline, driver.next()).await else {
            let message =
                "sealed, but the broker did not acknowledge the message in time; it may have it";
            return Err(Failed::new(exit::UNREACHABLE, message).into());
        };
        for event in told? {
            if let Told::Published(MESSAGE, outcome) = event {
                return outcome
                    .map_err(|error: NotPublished| Failed::new(exit::FAILED, error).into());
            }
        }
    }
}

fn refusal(topic: &str, refused: SealRefused) -> Line {
    Line::Refused {
        topic: topic.to_owned(),
        reason: refused.name().to_owned(),
        detail: refused.to_string(),
    }
}

/// The exit code of a refusal (the table in `--help`).
fn code(refused: &SealRefused) -> u8 {
    match refused {
        SealRefused::Stale => exit::STALE,
        SealRefused::Copied => exit::COPIED,
        SealRefused::NotProtected
        | SealRefused::NotMember
        | SealRefused::NotPublisher
        | SealRefused::TopicConflict => exit::FORBIDDEN,
        SealRefused::NotReady
        | SealRefused::Outdated
        | SealRefused::Settling { .. }
        | SealRefused::Awaiting
        | SealRefused::Frozen
        | SealRefused::Closed
        | SealRefused::NoTime => exit::NO_KEY,
        SealRefused::Exhausted | SealRefused::TooManyValues { .. } | SealRefused::Message(_) => {
            exit::FAILED
        }
    }
}
