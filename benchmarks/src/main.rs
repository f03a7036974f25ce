//! `keyward-bench`: rekeying and messages beside mls-rs, OpenMLS and SFrame, on one machine in one run (docs/benchmarks.md).
//!
//! | module | what |
//! |---|---|
//! | [`rekey`] | one member is shut out |
//! | [`message`] | a message is sealed and opened, and what it adds |
//! | [`world`], [`mls`] | what is measured: a gateway with its group, and members of MLS groups |
//! | [`contest`], [`sample`] | measuring in turns, and what came of it |
//! | [`machine`], [`table`], [`report`] | what is printed |

mod contest;
mod machine;
mod message;
mod mls;
mod rekey;
mod report;
mod sample;
mod table;
mod world;

use std::{io::Write, path::PathBuf, time::Duration};

use anyhow::Result;
use clap::Parser;

use self::{contest::Length, report::Report, table::Style};

/// Measures Keyward beside mls-rs, OpenMLS and SFrame.
#[derive(Debug, Parser)]
#[command(name = "keyward-bench", version, max_term_width = 100)]
struct Args {
    /// Members before one is removed
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 10_000], value_parser = parse_members)]
    members: Vec<usize>,
    /// Bytes of payload
    #[arg(long, value_delimiter = ',', default_values_t = [64, 100, 256, 1024])]
    payload: Vec<usize>,
    /// Seconds that the rounds of one size may go on after the fewest
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Seconds that one tree may take to be filled
    #[arg(long, default_value_t = 180)]
    patience: u64,
    /// Few members and rounds, to see that it works
    #[arg(long)]
    quick: bool,
    /// Write the tables of docs/benchmarks.md into a file, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write everything that was measured into a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A group in which somebody removes one and another is left.
fn parse_members(text: &str) -> Result<usize, String> {
    let members: usize = text.parse().map_err(|error| format!("{error}"))?;
    match members {
        4..=100_000 => Ok(members),
        _ => Err("from 4 to 100000".into()),
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let report = measure(&args)?;
    if let Some(path) = &args.markdown {
        std::fs::write(path, report.render(Style::Markdown))?;
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    let text = report.render(Style::Plain);
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn measure(args: &Args) -> Result<Report> {
    let tell = |what: &str| eprintln!("keyward-bench: {what}");
    let (members, least, time) = match args.quick {
        true => (vec![10, 50], 3, Duration::ZERO),
        false => (args.members.clone(), 11, Duration::from_secs(args.seconds)),
    };
    let rekey = rekey::Extent {
        sizes: members,
        length: Length {
            least,
            most: 201,
            time,
        },
        patience: Duration::from_secs(args.patience),
    };
    let messages = message::Extent {
        sizes: args.payload.clone(),
        length: Length {
            least,
            most: 401,
            time,
        },
    };
    let rekeyed = rekey::measure(&rekey, &tell)?;
    let sealed = message::measure(&messages, &tell)?;
    let added = message::added(&args.payload)?;
    Ok(Report::new(rekeyed, sealed, added))
}
