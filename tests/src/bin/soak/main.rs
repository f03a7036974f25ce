//! `keyward-soak`: many seeded schedules of faults, one after the other, each judged; and a judgement again of what was kept.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use keyward_tests::{
    faults::{
        self,
        bugs::{self, Bug},
        schedule::Schedule,
    },
    interrupt::interrupted,
    judge::{self, evidence, Verdict},
};

const EXAMPLES: &str = "\
  keyward-soak run --seeds 50
  keyward-soak run --first 17                    one seed
  keyward-soak show 17                           what is done, and when
  keyward-soak judge seed-17.jsonl               the same evidence again
  keyward-soak bug silence                       a program with a bug, which must be convicted

The programs are those beside this one, or in KEYWARD_BIN_DIR. Exit codes: 0 acquitted, 1 convicted or not carried out.";

/// Longest that one seed may take; every wait in it has a deadline of its own.
const LONGEST: Duration = Duration::from_secs(600);

/// Faults from seeds, and an independent judge.
#[derive(Debug, Parser)]
#[command(name = "keyward-soak", version, after_help = EXAMPLES, max_term_width = 120)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run schedules and judge them
    Run {
        /// How many seeds
        #[arg(long, default_value_t = 1)]
        seeds: u64,
        /// The first one
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// Where evidence and logs of convicted runs are kept
        #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir().join("keyward-soak"))]
        evidence: PathBuf,
        /// Keep those of acquitted runs, too
        #[arg(long)]
        keep: bool,
    },
    /// Judge the evidence of a run again
    Judge {
        /// The file
        file: PathBuf,
    },
    /// Build a program with a bug, and see that it is convicted
    Bug {
        /// Its name in tests/faults/bugs; all of them if none is named
        name: Option<String>,
    },
    /// Show the schedule of a seed
    Show {
        /// The seed
        seed: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Run {
            seeds,
            first,
            evidence,
            keep,
        } => tokio::select! {
            done = run(first, seeds, &evidence, keep) => done,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")),
        },
        Command::Judge { file } => again(&file),
        Command::Bug { name } => bugs(name),
        Command::Show { seed } => {
            show(seed);
            Ok(true)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("keyward-soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show(seed: u64) {
    for step in Schedule::of(seed).steps() {
        println!("{step}");
    }
}

fn again(file: &Path) -> Result<bool> {
    let verdict = judge::judge(&evidence::read(file)?)?;
    println!("{}", verdict.looked_at);
    Ok(pronounce(&verdict))
}

fn bugs(name: Option<String>) -> Result<bool> {
    let names = name.map_or_else(bugs::names, |name| vec![name]);
    let mut acquitted = Vec::new();
    for name in names {
        if !convicts(&Bug::named(&name)?)? {
            acquitted.push(name);
        }
    }
    if !acquitted.is_empty() {
        println!("not convicted of what is wrong: {}", acquitted.join(", "));
    }
    Ok(acquitted.is_empty())
}

/// Whether a run of programs with a bug is convicted of it: a process of its own, which finds them where it is told to.
fn convicts(bug: &Bug) -> Result<bool> {
    println!(
        "{}: seed {}, to be convicted of {}",
        bug.what, bug.seed, bug.rule
    );
    let programs = bug.build()?;
    let mut run = std::process::Command::new(std::env::current_exe()?);
    run.args(["run", "--first", &bug.seed.to_string(), "--evidence"]);
    run.arg(programs.directory.with_file_name("evidence"));
    let output = run.env("KEYWARD_BIN_DIR", &programs.directory).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    Ok(said.contains(&format!("CONVICTED of {}:", bug.rule)))
}

/// Prints a verdict; gives whether it acquits.
fn pronounce(verdict: &Verdict) -> bool {
    for skipped in &verdict.skipped {
        println!("  skipped: {skipped}");
    }
    for conviction in &verdict.convictions {
        println!("  CONVICTED of {conviction}");
    }
    verdict.convictions.is_empty()
}

async fn run(first: u64, seeds: u64, directory: &Path, keep: bool) -> Result<bool> {
    let (mut acquitted, mut failed) = (0, Vec::new());
    for seed in first..first.saturating_add(seeds) {
        match one(seed, directory, keep).await {
            Ok(true) => acquitted += 1,
            Ok(false) => failed.push(format!("{seed} (convicted)")),
            Err(error) => {
                println!("  not carried out: {error:#}");
                failed.push(format!("{seed} (not carried out)"));
            }
        }
    }
    println!("{acquitted} of {seeds} seeds acquitted");
    if !failed.is_empty() {
        println!(
            "not acquitted: {}; evidence in {}",
            failed.join(", "),
            directory.display()
        );
    }
    Ok(failed.is_empty())
}

async fn one(seed: u64, directory: &Path, keep: bool) -> Result<bool> {
    let began = Instant::now();
    let outcome = tokio::time::timeout(LONGEST, faults::run(seed, directory, keep));
    let outcome = outcome
        .await
        .with_context(|| format!("seed {seed} was not over within {} s", LONGEST.as_secs()))??;
    let convictions = outcome.verdict.convictions.len();
    println!(
        "seed {seed}: {} in {} s; {}",
        match convictions {
            0 => "acquitted".to_owned(),
            n => format!("{n} convictions"),
        },
        began.elapsed().as_secs(),
        outcome.verdict.looked_at
    );
    Ok(pronounce(&outcome.verdict))
}
