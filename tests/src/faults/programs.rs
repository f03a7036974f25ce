//! The devices' programs: subscribers that run all the time, publishers that send one numbered message after the other, all of
//! them killed, frozen and started again, and everything that they print noted.

use std::{
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use anyhow::Result;
use keyward_protocol::DeviceId;
use tokio::time::Instant;

use super::{
    relay::Relay,
    schedule::{Act, Part, Step},
};
use crate::{
    agent::Agent,
    judge::evidence::{Happened, Log, Printed, What},
    process::Process,
};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Pause of a publisher between two messages.
const BETWEEN: Duration = Duration::from_millis(400);
/// Pause before a subscriber that ended is started again.
const AGAIN: Duration = Duration::from_secs(1);
/// What a device sends for so long before it is killed does not arrive: it acknowledges messages, and the broker sends them again.
const DYING: Duration = Duration::from_millis(1200);
/// Seconds that a publisher has for a message.
const PATIENCE: &str = "12";

/// What a device's program does.
#[derive(Clone, Debug)]
pub enum Does {
    /// It subscribes to topics.
    Subscribes(Vec<&'static str>),
    /// It publishes on topics in turn.
    Publishes(Vec<&'static str>),
}

/// A device, what it does, and what it does it through.
pub struct Actor {
    /// The device.
    pub agent: Agent,
    /// What its program does.
    pub does: Does,
    /// Between it and the broker.
    pub relay: Relay,
}

/// A device and its program.
pub struct Program<'a> {
    agent: &'a Agent,
    does: Does,
    relay: &'a Relay,
    log: Log,
    process: Option<Process>,
    output: PathBuf,
    read: u64,
    rest: Vec<u8>,
    runs: u32,
    messages: u64,
    next: Instant,
    /// Not started while it is held.
    held: bool,
    frozen: bool,
    /// What it sends is kept from the broker.
    dying: bool,
    /// Messages that it printed.
    pub printed: u64,
}

impl<'a> Program<'a> {
    /// Nothing runs yet.
    pub fn new(actor: &'a Actor, log: &Log) -> Self {
        Self {
            agent: &actor.agent,
            does: actor.does.clone(),
            relay: &actor.relay,
            log: log.clone(),
            process: None,
            output: PathBuf::new(),
            read: 0,
            rest: Vec::new(),
            runs: 0,
            messages: 0,
            next: Instant::now(),
            held: false,
            frozen: false,
            dying: false,
            printed: 0,
        }
    }

    /// Whose it is.
    pub fn device(&self) -> &DeviceId {
        &self.agent.id
    }

    /// Whether it publishes.
    pub fn publishes(&self) -> bool {
        matches!(self.does, Does::Publishes(_))
    }

    /// Looks after it: notes what it printed, that it ended, and starts it when it is time.
    fn tick(&mut self, may_publish: bool) -> Result<()> {
        self.note_printed();
        let ended = self.process.as_mut().and_then(Process::ended);
        if let Some(status) = ended {
            self.note_printed();
            self.process = None;
            self.note_ended(status.code());
            let pause = if self.publishes() { BETWEEN } else { AGAIN };
            self.next = Instant::now() + pause;
        }
        let may = may_publish || !self.publishes();
        let is_due = self.process.is_none() && !self.held && Instant::now() >= self.next;
        match may && is_due {
            true => self.start(),
            false => Ok(()),
        }
    }

    fn note_ended(&self, code: Option<i32>) {
        self.log.note(What::Ended {
            device: self.device().clone(),
            run: self.runs,
            code,
        });
    }

    fn start(&mut self) -> Result<()> {
        self.runs += 1;
        self.output = self
            .agent
            .store()
            .with_file_name(format!("run-{}.jsonl", self.runs));
        (self.read, self.rest) = (0, Vec::new());
        let command = self.agent.command(&self.arguments());
        self.log.note(What::Started {
            device: self.device().clone(),
            run: self.runs,
            publishes: self.publishes(),
        });
        let name = format!("keyward-agent of {}", self.device());
        let process = Process::start_with_output(&name, command, &self.output, self.agent.log())?;
        self.process = Some(process);
        Ok(())
    }

    fn arguments(&mut self) -> Vec<String> {
        match &self.does {
            Does::Subscribes(topics) => {
                let topics = topics.iter().flat_map(|topic| ["--topic", *topic]);
                ["sub", "--json"]
                    .into_iter()
                    .chain(topics)
                    .map(str::to_owned)
                    .collect()
            }
            Does::Publishes(topics) => {
                self.messages += 1;
                let topic = topics[self.messages as usize % topics.len()];
                let message = format!("{} {topic} {}", self.agent.id, self.messages);
                ["pub", "--json", "--timeout", PATIENCE, "--topic", topic]
                    .into_iter()
                    .map(str::to_owned)
                    .chain(["--message".to_owned(), message])
                    .collect()
            }
        }
    }

    /// Notes the lines that are complete.
    fn note_printed(&mut self) {
        let mut news = Vec::new();
        let read = std::fs::File::open(&self.output).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.read_to_end(&mut news)
        });
        if read.is_err() {
            return;
        }
        self.read += news.len() as u64;
        self.rest.extend(news);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let Ok(event) = serde_json::from_slice::<Printed>(&line) else {
                continue;
            };
            self.printed += u64::from(event.event == "message");
            self.log.note(What::Printed {
                device: self.device().clone(),
                run: self.runs,
                event,
            });
        }
    }

    fn suffer(&mut self, what: Suffers) {
        match what {
            Suffers::Freeze => self.freeze(),
            Suffers::Die => {
                self.relay.keep();
                self.dying = true;
            }
            Suffers::Kill => self.kill(),
            Suffers::Recover => self.recover(),
        }
    }

    fn freeze(&mut self) {
        match &mut self.process {
            None => self.held = true,
            Some(process) => {
                process.freeze();
                self.frozen = true;
                self.log.fault(self.agent.id.as_str(), Happened::Frozen);
            }
        }
    }

    fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
            self.log.fault(self.agent.id.as_str(), Happened::Killed);
        }
        self.held = true;
        self.live();
    }

    /// Nothing is kept from the broker any more; what was is lost with its connection.
    fn live(&mut self) {
        if std::mem::take(&mut self.dying) {
            self.relay.cut();
        }
    }

    fn recover(&mut self) {
        self.live();
        self.held = false;
        let was_frozen = std::mem::take(&mut self.frozen);
        if let Some(process) = self.process.as_mut().filter(|_| was_frozen) {
            process.thaw();
            self.log.fault(self.agent.id.as_str(), Happened::Thawed);
        }
    }
}

/// What is done to a program.
#[derive(Clone, Copy, Debug)]
enum Suffers {
    /// It stands still.
    Freeze,
    /// What it sends does not arrive any more.
    Die,
    /// It is killed.
    Kill,
    /// It may run again.
    Recover,
}

/// What programs are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Faults.
    Faults,
    /// All run, none is held.
    Well,
    /// Publishers start no other message.
    Last,
}

/// All programs.
pub struct Programs<'a> {
    /// The programs.
    pub all: Vec<Program<'a>>,
    steps: std::iter::Peekable<std::vec::IntoIter<Step>>,
    /// What is to be done, and when.
    due: Vec<(Instant, Suffers, &'static str)>,
    began: Instant,
}

impl<'a> Programs<'a> {
    /// With what is done to them, from now on.
    pub fn new(all: Vec<Program<'a>>, steps: Vec<Step>) -> Self {
        Self {
            all,
            steps: steps.into_iter().peekable(),
            due: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Looks after all of them for a while; what is done to them is done only during faults.
    ///
    /// # Errors
    /// When a program cannot be started.
    pub async fn run(&mut self, phase: Phase, until: Instant) -> Result<()> {
        if phase != Phase::Faults {
            self.due.clear();
            self.all.iter_mut().for_each(Program::recover);
        }
        loop {
            if phase == Phase::Faults {
                self.carry_out();
            }
            for program in &mut self.all {
                program.tick(phase != Phase::Last)?;
            }
            if Instant::now() >= until {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn carry_out(&mut self) {
        let (now, began) = (Instant::now(), self.began);
        let is_due = |step: &Step| began + Duration::from_millis(step.at) <= now;
        while let Some(step) = self.steps.next_if(is_due) {
            let lasts = Duration::from_millis(step.lasts);
            match step.act {
                Act::Freeze(Part::Device(device)) => self.due.extend([
                    (now, Suffers::Freeze, device),
                    (now + lasts, Suffers::Recover, device),
                ]),
                Act::Kill(Part::Device(device)) => self.due.extend([
                    (now, Suffers::Die, device),
                    (now + DYING, Suffers::Kill, device),
                    (now + DYING + lasts, Suffers::Recover, device),
                ]),
                _ => {}
            }
        }
        let due = std::mem::take(&mut self.due).into_iter();
        let (over, open): (Vec<_>, Vec<_>) = due.partition(|(at, ..)| *at <= now);
        self.due = open;
        for (_, what, device) in over {
            self.named(device).for_each(|program| program.suffer(what));
        }
    }

    fn named<'b>(&'b mut self, device: &'b str) -> impl Iterator<Item = &'b mut Program<'a>> {
        self.all
            .iter_mut()
            .filter(move |program| program.agent.id.as_str() == device)
    }
}
