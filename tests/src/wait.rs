//! Waiting for something to become true.

use std::{
    fmt::Display,
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{bail, Result};

use crate::process;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Seconds, as a deadline.
pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Looks again and again until `look` gives a value. While it gives an error, that says what is still missing.
///
/// # Errors
/// After the deadline: what was waited for, what was missing at last, and the last lines of all logs.
pub async fn eventually<T, E, F>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Result<T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let began = Instant::now();
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(missing) if began.elapsed() > deadline => bail!(
                "waited {} s for {what}, but {missing:#}\n{}",
                deadline.as_secs(),
                process::log_tails()
            ),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Checks for a while that something stays true.
///
/// # Errors
/// As soon as it is not.
pub async fn throughout<E, F>(
    duration: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Result<()>
where
    E: Display,
    F: Future<Output = Result<(), E>>,
{
    let began = Instant::now();
    while began.elapsed() < duration {
        if let Err(broken) = look().await {
            bail!("{what} did not hold: {broken:#}\n{}", process::log_tails());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
