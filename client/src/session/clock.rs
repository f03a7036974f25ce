//! What time it is: by the device's own clock, else by an answer of its gateway (REQ-2).

use super::effects::Now;

/// Time at a moment of the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Mark {
    time_ms: u64,
    mono_ms: u64,
}

impl Mark {
    fn at(self, mono_ms: u64) -> u64 {
        self.time_ms
            .saturating_add(mono_ms.saturating_sub(self.mono_ms))
    }
}

/// The clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: Now,
    answer: Option<Mark>,
    /// Chain time that was reached for certain.
    floor: Option<Mark>,
}

impl Clock {
    pub(super) fn new(now: Now) -> Self {
        Self {
            now,
            answer: None,
            floor: None,
        }
    }

    /// Goes on; never back.
    pub(super) fn advance(&mut self, now: Now) {
        self.now = Now {
            mono_ms: self.now.mono_ms.max(now.mono_ms),
            wall_ms: now.wall_ms,
        };
    }

    /// Milliseconds of the monotonic clock.
    pub(super) fn mono(&self) -> u64 {
        self.now.mono_ms
    }

    /// Milliseconds since 1970, if known.
    pub(super) fn now_ms(&self) -> Option<u64> {
        let known = self
            .now
            .wall_ms
            .or_else(|| self.answer.map(|mark| mark.at(self.now.mono_ms)));
        known.map(|known| {
            self.floor
                .map_or(known, |floor| known.max(floor.at(self.now.mono_ms)))
        })
    }

    /// A gateway answered with this chain time something that was asked at `asked_ms`: chain time was not later then. Counted
    /// from the question, so that whoever holds the answer back makes the device's clock fast, never slow.
    pub(super) fn answered(&mut self, chain_ms: u64, asked_ms: u64) {
        let answer = Mark {
            time_ms: chain_ms,
            mono_ms: asked_ms,
        };
        self.answer = Some(match self.answer {
            Some(known) if known.at(self.now.mono_ms) > answer.at(self.now.mono_ms) => known,
            _ => answer,
        });
    }

    /// Chain time has reached this.
    pub(super) fn reached(&mut self, chain_ms: u64) {
        let mark = Mark {
            time_ms: chain_ms,
            mono_ms: self.now.mono_ms,
        };
        if self
            .floor
            .is_none_or(|floor| floor.at(mark.mono_ms) < chain_ms)
        {
            self.floor = Some(mark);
        }
    }
}
