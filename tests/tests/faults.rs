//! Faults from seeds, judged by who has not seen the code (`tests/src/judge`): two seeds, and those that once failed, which hold every
//! kind of fault between them. More of them: `make soak`.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use keyward_tests::faults;

fn directory() -> PathBuf {
    std::env::temp_dir().join("keyward-faults")
}

async fn holds(seed: u64) -> Result<()> {
    let outcome = faults::run(seed, &directory(), false).await?;
    let outcome = outcome.acquitted(seed)?;
    let verdict = outcome.verdict;
    println!("seed {seed}: {}", verdict.looked_at);
    for skipped in &verdict.skipped {
        println!("seed {seed}: skipped {skipped}");
    }
    let looked_at = verdict.looked_at;
    // A judge that was shown nothing acquits everybody.
    ensure!(
        looked_at.blocks > 15 && looked_at.removals > 0 && looked_at.faults > 5,
        "seed {seed}: too little happened: {looked_at}"
    );
    ensure!(
        looked_at.sealed > 15 && looked_at.opened > 15 && looked_at.delivered > 15,
        "seed {seed}: too little was said: {looked_at}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_under_the_faults_of_seed_6() -> Result<()> {
    holds(6).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_under_the_faults_of_seed_10() -> Result<()> {
    holds(10).await
}

/// The seeds of `tests/faults/*.seed`: one number each, on a line of its own, beside lines that begin with `#`.
fn regressions() -> Result<Vec<u64>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "seed")
        {
            let text = std::fs::read_to_string(&path)?;
            let mut lines = text.lines().filter(|line| !line.starts_with('#'));
            let seed = lines.next().and_then(|line| line.trim().parse().ok());
            seeds.push(seed.with_context(|| format!("{} holds no seed", path.display()))?);
        }
    }
    seeds.sort_unstable();
    Ok(seeds)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_under_the_faults_that_once_broke_one() -> Result<()> {
    for seed in regressions()? {
        holds(seed).await?;
    }
    Ok(())
}
