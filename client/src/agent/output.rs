//! What is printed: a line of JSON for programs, a line of text for people. Both at once on standard output, each line as soon
//! as it is complete.

use std::io::Write as _;

use serde::Serialize;

/// Something to print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Line {
    /// Keys were made, or were there.
    Initialised {
        /// The device.
        device: String,
        /// Version of its keys.
        key_version: u32,
        /// Where the request is.
        request: String,
        /// Whether the keys are new.
        new: bool,
    },
    /// An enrolment goes on.
    Progress {
        /// How far it is.
        step: &'static str,
        /// The same for people.
        text: String,
    },
    /// The device is enrolled.
    Enrolled {
        /// The device.
        device: String,
        /// Its gateway.
        gateway: String,
        /// Whether it was before.
        already: bool,
    },
    /// The chain has the device's new keys.
    KeysReplaced {
        /// The device.
        device: String,
        /// Their version.
        key_version: u32,
    },
    /// The gateway declined.
    Declined {
        /// Why, in one word.
        reason: String,
        /// The same for people.
        detail: String,
    },
    /// A message was sealed, and the broker has it.
    Sealed {
        /// The topic.
        topic: String,
        /// The group.
        group: String,
        /// The epoch.
        epoch: u32,
        /// Bytes that protection added.
        bytes_added: usize,
    },
    /// Subscribed.
    Ready {
        /// To what.
        topics: Vec<String>,
    },
    /// A message was opened.
    Message(Message),
    /// A message was refused, or one was not sealed.
    Refused {
        /// The topic.
        topic: String,
        /// Why, in one word.
        reason: String,
        /// The same for people.
        detail: String,
    },
    /// Something that an operator should know.
    Notice {
        /// What kind.
        kind: String,
        /// The same for people.
        text: String,
    },
    /// A topic is not protected any more.
    Released {
        /// The topic filter.
        topic: String,
    },
}

/// A message that was opened, or one of a topic that is not protected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// The group; none if the topic is not protected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The epoch that it was sealed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// Who sealed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When it was sealed, in seconds since 1970, if the group's messages carry the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<u32>,
    /// The payload, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The payload in hexadecimal, if it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_hex: Option<String>,
    /// What is noteworthy: late, repeat, …
    pub marks: Vec<String>,
}

impl Message {
    /// With a payload as text, or in hexadecimal.
    pub fn with_payload(mut self, payload: &[u8]) -> Self {
        match std::str::from_utf8(payload) {
            Ok(text) => self.payload = Some(text.to_owned()),
            Err(_) => self.payload_hex = Some(hex::encode(payload)),
        }
        self
    }

    fn text(&self) -> String {
        let payload = match (&self.payload, &self.payload_hex) {
            (Some(text), _) => printable(text),
            (None, Some(hex)) => format!("0x{hex}"),
            (None, None) => String::new(),
        };
        let marks = match self.marks.is_empty() {
            true => String::new(),
            false => format!(" [{}]", self.marks.join(", ")),
        };
        let topic = printable(&self.topic);
        match (&self.sender, &self.group, self.epoch) {
            (Some(sender), Some(group), Some(epoch)) => {
                format!("{topic}  from {sender}, group {group}, epoch {epoch}{marks}: {payload}")
            }
            _ => format!("{topic}  NOT PROTECTED{marks}: {payload}"),
        }
    }
}

/// Text that does not control the terminal that it is shown on.
fn printable(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

impl Line {
    fn json(&self) -> String {
        // Only maps with keys that are no text could fail, and there are none.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn text(&self) -> String {
        match self {
            Self::Initialised {
                device,
                key_version,
                request,
                new,
            } => {
                let keys = if *new {
                    "keys made"
                } else {
                    "keys were there already"
                };
                format!(
                    "{device}: {keys} (key version {key_version}); request for the authority in {request}\n\
                     Next: keyward ca issue --ca DIR --request {request} --gateway NAME --out provisioning.json"
                )
            }
            Self::Progress { text, .. } => text.clone(),
            Self::Enrolled {
                device,
                gateway,
                already: true,
            } => {
                format!("{device} was enrolled with gateway {gateway} already")
            }
            Self::Enrolled {
                device, gateway, ..
            } => {
                format!("{device} is enrolled with gateway {gateway}")
            }
            Self::KeysReplaced {
                device,
                key_version,
            } => {
                format!(
                    "{device} has new keys (key version {key_version}); the old ones are erased"
                )
            }
            Self::Sealed {
                topic,
                group,
                epoch,
                bytes_added,
            } => {
                format!(
                    "{topic}  sealed for group {group}, epoch {epoch}, {bytes_added} bytes added"
                )
            }
            Self::Ready { topics } => format!("subscribed to {}", topics.join(", ")),
            Self::Message(message) => message.text(),
            Self::Refused {
                topic,
                reason,
                detail,
            } => {
                format!(
                    "{}  refused ({reason}): {}",
                    printable(topic),
                    printable(detail)
                )
            }
            Self::Declined { reason, detail } => {
                format!("declined by the gateway ({reason}): {}", printable(detail))
            }
            Self::Notice { kind, text } => format!("notice ({kind}): {}", printable(text)),
            Self::Released { topic } => format!("{topic} is not protected any more"),
        }
    }
}

/// Where lines go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// As JSON, or for people.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a line, and waits until whoever reads could have it.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn print(&self, line: &Line) -> std::io::Result<()> {
        match self.json {
            true => self.print_text(&line.json()),
            false => self.print_text(&line.text()),
        }
    }

    /// Prints text as it is.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn print_text(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &[u8]) -> Message {
        let message = Message {
            topic: "hsu0001".into(),
            group: Some("hsu0001".into()),
            epoch: Some(2),
            sender: Some("1111".into()),
            ..Message::default()
        };
        message.with_payload(payload)
    }

    #[test]
    fn a_message_says_who_sent_it_in_which_group_and_epoch() {
        let line = Line::Message(message(br#"{"valve":"open"}"#));
        assert_eq!(
            line.text(),
            r#"hsu0001  from 1111, group hsu0001, epoch 2: {"valve":"open"}"#
        );
        let json: serde_json::Value = serde_json::from_str(&line.json()).unwrap();
        assert_eq!(json["event"], "message");
        assert_eq!(json["sender"], "1111");
        assert_eq!(json["epoch"], 2);
        assert_eq!(json["payload"], r#"{"valve":"open"}"#);
        assert_eq!(json["marks"], serde_json::json!([]));
    }

    #[test]
    fn what_is_no_text_is_shown_in_hexadecimal() {
        let line = Line::Message(message(&[0xff, 0]));
        assert!(line.text().ends_with(": 0xff00"));
        let json: serde_json::Value = serde_json::from_str(&line.json()).unwrap();
        assert_eq!(
            (json.get("payload"), &json["payload_hex"]),
            (None, &"ff00".into())
        );
    }

    #[test]
    fn a_message_cannot_control_the_terminal_or_forge_a_line() {
        let hostile = "\x1b[2J\nhsu0001  from 1111, group hsu0001, epoch 2: forged";
        let text = Line::Message(message(hostile.as_bytes())).text();
        assert!(!text.contains('\x1b') && !text.contains('\n'), "{text}");
        assert_eq!(
            Line::Message(message(hostile.as_bytes()))
                .json()
                .lines()
                .count(),
            1
        );
    }

    #[test]
    fn marks_are_seen_by_people_too() {
        let marked = Message {
            marks: vec!["late".into()],
            ..message(b"x")
        };
        assert!(Line::Message(marked).text().contains("epoch 2 [late]: x"));
    }

    #[test]
    fn a_message_of_an_unprotected_topic_is_told_apart() {
        let plain = Message {
            topic: "t".into(),
            ..Message::default()
        };
        let line = Line::Message(plain.with_payload(b"x"));
        assert_eq!(line.text(), "t  NOT PROTECTED: x");
    }

    #[test]
    fn a_refusal_has_a_reason_in_one_word() {
        let line = Line::Refused {
            topic: "t".into(),
            reason: "Replayed".into(),
            detail: "it came before".into(),
        };
        assert_eq!(
            line.json(),
            r#"{"event":"refused","topic":"t","reason":"Replayed","detail":"it came before"}"#
        );
        assert_eq!(line.text(), "t  refused (Replayed): it came before");
    }
}
