//! What time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::session::Now;

/// The system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// Counts from now.
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// The time.
    pub fn now(&self) -> Now {
        let millis =
            |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Now {
            mono_ms: millis(self.began.elapsed()),
            wall_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .map(millis),
        }
    }
}
