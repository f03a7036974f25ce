//! What commands that ask the gateway for something tell of it, and how they end when they do not get it.

use keyward_protocol::request::Refusal;

use super::{
    exit::{self, Failed},
    output::{Line, Output},
};

/// How far a request is.
pub struct Asking {
    output: Output,
    /// What is told when it is refused: "not enrolled".
    not_done: &'static str,
    connected: bool,
    problem: Option<String>,
    accepted: bool,
}

impl Asking {
    /// Nothing has happened yet.
    pub fn new(output: Output, not_done: &'static str) -> Self {
        Self {
            output,
            not_done,
            connected: false,
            problem: None,
            accepted: false,
        }
    }

    /// Tells a step.
    pub fn tell(&self, step: &'static str, text: &str) -> Result<(), Failed> {
        let text = text.to_owned();
        Ok(self.output.print(&Line::Progress { step, text })?)
    }

    /// Connected to the broker.
    pub fn connected(&mut self) -> Result<(), Failed> {
        self.connected = true;
        self.tell("connected", "connected to the broker; asking the gateway")
    }

    /// Not connected.
    pub fn disconnected(&mut self, reason: String) {
        (self.connected, self.problem) = (false, Some(reason));
    }

    /// The gateway has it, and may say so several times.
    pub fn accepted(&mut self) -> Result<(), Failed> {
        if std::mem::replace(&mut self.accepted, true) {
            return Ok(());
        }
        let text = "the gateway accepted the request; waiting until it is final on the chain";
        self.tell("accepted", text)
    }

    /// The gateway declined, in its own words; `advice`: what its reason means here.
    pub fn declined(&self, refusal: Refusal, advice: &str, words: &str) -> Result<Failed, Failed> {
        let detail = match words.is_empty() {
            true => advice.to_owned(),
            false => format!("{advice}: {words}"),
        };
        if self.output.is_json() {
            let reason = format!("{refusal:?}");
            let detail = detail.clone();
            self.output.print(&Line::Declined { reason, detail })?;
        }
        let message = format!("{}: {detail}", self.not_done);
        Ok(Failed::new(exit::REFUSED, message))
    }

    /// The time is up.
    pub fn too_late(&mut self) -> Failed {
        let message = match (self.connected, self.accepted) {
            (true, true) => {
                "the gateway accepted the request, but it is not final on the chain yet; run the same command again"
                    .to_owned()
            }
            (true, false) => {
                "the gateway did not answer in time; is its bridge running, and does the broker's access list let this \
                 device write? Run the same command again"
                    .to_owned()
            }
            (false, _) => {
                let problem = self.problem.take();
                let reason = problem.unwrap_or_else(|| "it did not answer in time".into());
                format!("the broker was not reached: {reason}")
            }
        };
        Failed::new(exit::UNREACHABLE, message)
    }
}
