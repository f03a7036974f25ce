//! `keyward council list | vote | close`: motions that one member alone cannot decide.

use std::str::FromStr;

use keyward_chain_client::{CloseFailed, Collective, OpenMotion, ReadFailed, View};
use keyward_protocol::{AccountId, Digest};
use serde::Serialize;
use serde_json::Value;

use super::{
    committee_flag,
    words::{arguments, words},
};
use crate::{
    chain::{ChainFailed, Context, Done, Names},
    output::{fields, list, Failure},
};

/// Seconds of a block.
const BLOCK_SECONDS: u64 = 2;

/// How a motion is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MotionRef {
    /// As it was written.
    text: String,
    /// Its index, if it can be one.
    index: Option<u32>,
    /// The digits that its hash begins with, if it can be that.
    prefix: Option<String>,
}

/// Fewest digits that name a motion by its hash.
const SHORTEST: usize = 4;

impl FromStr for MotionRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix("0x");
        let digits = bare.unwrap_or(text).trim_end_matches('…').to_lowercase();
        let hexadecimal = (SHORTEST..=64).contains(&digits.len())
            && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        let index = match bare {
            Some(_) => None,
            None => text.parse().ok(),
        };
        match hexadecimal || index.is_some() {
            true => Ok(Self {
                text: text.to_owned(),
                index,
                prefix: hexadecimal.then_some(digits),
            }),
            false => Err(format!(
                "'{text}' names no motion: write its index, or at least the first {SHORTEST} digits of its hash ('keyward council list')"
            )),
        }
    }
}

/// Why a motion was not shown, voted on or closed.
#[derive(Debug, thiserror::Error)]
pub enum MotionFailed {
    /// The chain could not be asked or changed.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// There is no such motion.
    #[error("the {collective} has no open motion {motion}; 'keyward council list{}' shows those that are open", committee_flag(*collective))]
    NotOpen {
        /// Whose motion it would be.
        collective: Collective,
        /// As it was named.
        motion: String,
    },
    /// Several motions begin so.
    #[error("{motion} names several motions: {}; write more digits", candidates.join(", "))]
    Ambiguous {
        /// As it was named.
        motion: String,
        /// Which.
        candidates: Vec<String>,
    },
    /// It was not closed, or without effect.
    #[error("motion {index}: {source}")]
    NotClosed {
        /// Its index.
        index: u32,
        /// Why.
        source: Box<CloseFailed>,
    },
}

impl From<ReadFailed> for MotionFailed {
    fn from(error: ReadFailed) -> Self {
        Self::Chain(error.into())
    }
}

impl Failure for MotionFailed {
    fn is_usage(&self) -> bool {
        matches!(self, Self::Chain(error) if error.is_usage())
    }
}

fn find(
    motions: Vec<OpenMotion>,
    by: &MotionRef,
    collective: Collective,
) -> Result<OpenMotion, MotionFailed> {
    let (indexed, others): (Vec<_>, Vec<_>) = motions
        .into_iter()
        .partition(|motion| Some(motion.index) == by.index);
    if let Some(motion) = indexed.into_iter().next() {
        return Ok(motion);
    }
    let begins = |motion: &OpenMotion| {
        let hash = motion.hash.to_string();
        by.prefix.as_ref().is_some_and(|prefix| {
            let digits = hash.strip_prefix("0x").unwrap_or(&hash);
            digits.starts_with(prefix.as_str())
        })
    };
    let mut found: Vec<_> = others.into_iter().filter(begins).collect();
    match (found.pop(), found.len()) {
        (Some(motion), 0) => Ok(motion),
        (None, _) => Err(MotionFailed::NotOpen {
            collective,
            motion: by.text.clone(),
        }),
        (last, _) => Err(MotionFailed::Ambiguous {
            motion: by.text.clone(),
            candidates: found
                .iter()
                .chain(&last)
                .map(|motion| format!("{} ({})", motion.index, motion.hash))
                .collect(),
        }),
    }
}

async fn find_open(
    view: &View,
    by: &MotionRef,
    collective: Collective,
) -> Result<OpenMotion, MotionFailed> {
    find(view.motions_of(collective).await?, by, collective)
}

#[derive(Serialize)]
struct Shown {
    index: u32,
    hash: Digest,
    call: String,
    arguments: Value,
    does: String,
    threshold: u32,
    /// Votes with which its call has effect.
    needed: u32,
    members: usize,
    ayes: Vec<AccountId>,
    nays: Vec<AccountId>,
    end: u32,
    next: String,
    #[serde(skip)]
    warning: Option<String>,
}

/// What to type next.
fn next(motion: &OpenMotion, collective: Collective, now: u32) -> String {
    let over = now.saturating_add(1) >= motion.end;
    let decided = motion.votes() >= motion.needed(collective) || motion.is_rejected();
    let verb = if over || decided { "close" } else { "vote" };
    let flag = committee_flag(collective);
    format!("keyward council {verb} {}{flag}", motion.index)
}

/// What is wrong with a motion that polkadot.js proposed with half of the members.
fn warning(motion: &OpenMotion, collective: Collective) -> Option<String> {
    let needed = motion.needed(collective);
    (motion.threshold < needed).then(|| {
        format!(
            "proposed with a threshold of {}: polkadot.js lets it be closed then, and its call fails with BadOrigin; \
             close it with {needed} votes",
            motion.threshold
        )
    })
}

fn shown(motion: OpenMotion, collective: Collective, names: &Names, now: u32) -> Shown {
    let decoded = motion.decoded.as_ref();
    Shown {
        does: match decoded {
            Ok(call) => words(call, names),
            Err(unreadable) => format!("{} ({unreadable})", motion.path),
        },
        arguments: decoded.map(arguments).unwrap_or(Value::Null),
        next: next(&motion, collective, now),
        warning: warning(&motion, collective),
        needed: motion.needed(collective),
        members: motion.members,
        index: motion.index,
        hash: motion.hash,
        call: motion.path,
        threshold: motion.threshold,
        ayes: motion.ayes,
        nays: motion.nays,
        end: motion.end,
    }
}

fn motion_text(motion: &Shown, names: &Names, now: u32) -> String {
    let voters = |voters: &[AccountId]| list(voters.iter().map(|voter| names.name(voter)));
    let mut text = format!("motion {}\n", motion.index);
    let rows = fields([
        ("  does", motion.does.clone()),
        ("  call", motion.call.clone()),
        ("  hash", motion.hash.to_string()),
        (
            "  votes",
            format!(
                "{} of {} needed, {} members",
                motion.ayes.len(),
                motion.needed,
                motion.members
            ),
        ),
        ("  for", voters(&motion.ayes)),
        ("  against", voters(&motion.nays)),
        ("  ends", ends(motion.end, now)),
        ("  next", motion.next.clone()),
    ]);
    text += &rows;
    if let Some(warning) = &motion.warning {
        text += &format!("  note     {warning}\n");
    }
    text
}

/// When voting ends.
fn ends(end: u32, now: u32) -> String {
    match end.checked_sub(now) {
        Some(left) if left > 0 => format!("at block {end}, in {}", about(left)),
        _ => format!("ended at block {end}"),
    }
}

/// How long some blocks take.
pub fn about(blocks: u32) -> String {
    let seconds = u64::from(blocks).saturating_mul(BLOCK_SECONDS);
    match seconds {
        0..=119 => format!("about {seconds} seconds"),
        120..=7_199 => format!("about {} minutes", rounded(seconds, 60)),
        7_200..=172_799 => format!("about {} hours", rounded(seconds, 3_600)),
        _ => format!("about {} days", rounded(seconds, 86_400)),
    }
}

fn rounded(seconds: u64, unit: u64) -> u64 {
    seconds.saturating_add(unit / 2) / unit
}

/// Lists the open motions.
pub async fn list_open(collective: Collective, context: &Context) -> Result<(), MotionFailed> {
    let client = context.connect().await?;
    let at = client.finalized().await.map_err(ChainFailed::from)?;
    let view = client.at(at.hash);
    let names = Names::of(&view).await?;
    let motions = view.motions_of(collective).await?;
    let motions: Vec<Shown> = motions
        .into_iter()
        .map(|motion| shown(motion, collective, &names, at.number))
        .collect();
    let others = match collective {
        Collective::Council => view.motions_of(Collective::TechnicalCommittee).await?.len(),
        Collective::TechnicalCommittee => 0,
    };
    context.output.show(&motions, |motions| {
        let text = |motion| motion_text(motion, &names, at.number);
        let mut shown: Vec<String> = motions.iter().map(text).collect();
        if shown.is_empty() {
            shown.push(format!("the {collective} has no open motions\n"));
        }
        if others > 0 {
            shown.push(format!(
                "the technical committee has {others}: keyward council list --committee\n"
            ));
        }
        shown.join("\n")
    });
    Ok(())
}

/// Votes on a motion.
pub async fn vote(
    motion: &MotionRef,
    collective: Collective,
    approve: bool,
    context: &Context,
) -> Result<(), MotionFailed> {
    let signer = context.signer()?;
    let (client, view) = context.view().await?;
    let motion = find_open(&view, motion, collective).await?;
    let names = Names::of(&view).await?;
    if let Ok(call) = &motion.decoded {
        let does = words(call, &names);
        let index = motion.index;
        context
            .output
            .progress(&format!("motion {index}: {does}  [{}]", motion.path));
    }
    let call = collective.vote(motion.hash, motion.index, approve);
    let done = context.submit(&client, &signer, call).await?;
    let after = client.at(done.block.hash).motions_of(collective).await?;
    let after = after.into_iter().find(|open| open.hash == motion.hash);
    context.output.show(&done, |done: &Done| {
        let how = if approve { "for" } else { "against" };
        let (index, block) = (motion.index, done.block.number);
        let settled = context.settled();
        let voted = format!("voted {how} motion {index} in block {block} ({settled})");
        match after {
            None => voted,
            Some(motion) => {
                let (votes, needed) = (motion.votes(), motion.needed(collective));
                let next = next(&motion, collective, block);
                format!("{voted}: {votes} of {needed} needed votes are for it\nnext: {next}")
            }
        }
    });
    Ok(())
}

#[derive(Serialize)]
struct ClosedShown {
    result: &'static str,
    #[serde(flatten)]
    done: Done,
}

/// Closes a motion, which executes its call if it was approved.
pub async fn close(
    motion: &MotionRef,
    collective: Collective,
    context: &Context,
) -> Result<(), MotionFailed> {
    let signer = context.signer()?;
    let (client, view) = context.view().await?;
    let motion = find_open(&view, motion, collective).await?;
    let report = |progress| context.report(&progress);
    let closed = client.close_motion_of(collective, &signer, motion.hash, report);
    let closed = closed.await.map_err(|source| MotionFailed::NotClosed {
        index: motion.index,
        source: Box::new(source),
    })?;
    let names = Names::of(&view).await?;
    let does = motion.decoded.as_ref().map(|call| words(call, &names));
    let does = does.unwrap_or_else(|_| motion.path.clone());
    let (ayes, nays) = (motion.ayes.len(), motion.nays.len());
    let result = match closed.approved {
        true => "executed",
        false => "rejected",
    };
    let done = closed.finalized.into();
    let settled = context.settled();
    context.output.show(&ClosedShown { result, done }, |shown| {
        let (index, block) = (motion.index, shown.done.block.number);
        match closed.approved {
            true => format!("motion {index} was approved, and executed in block {block} ({settled}): {does}"),
            false => format!("motion {index} was rejected ({ayes} for, {nays} against) in block {block} ({settled}); nothing else changed: {does}"),
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_chain_client::DecodedCall;

    fn motion(index: u32, hash: [u8; 2]) -> OpenMotion {
        let mut full = [0xab; 32];
        full[..2].copy_from_slice(&hash);
        OpenMotion {
            hash: Digest(full),
            index,
            threshold: 3,
            members: 4,
            ayes: vec![AccountId([1; 32])],
            nays: Vec::new(),
            end: 1_000,
            path: "Fleet.rotate".into(),
            call: Vec::new(),
            decoded: Ok(DecodedCall {
                pallet: "Fleet".into(),
                name: "rotate".into(),
                args: Vec::new(),
            }),
        }
    }

    fn found(text: &str) -> Result<u32, String> {
        let motions = vec![
            motion(3, [0x12, 0x34]),
            motion(12, [0x3f, 0x1c]),
            motion(13, [0x3f, 0x1d]),
        ];
        let by: MotionRef = text.parse()?;
        let motion = find(motions, &by, Collective::Council);
        motion
            .map(|motion| motion.index)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_motion_is_named_by_its_index_its_hash_or_the_beginning_of_it() {
        assert_eq!(found("3"), Ok(3));
        assert_eq!(found("12"), Ok(12));
        assert_eq!(found("1234"), Ok(3));
        assert_eq!(found("0x1234"), Ok(3));
        assert_eq!(found("3F1C"), Ok(12));
        assert_eq!(found("3f1c…"), Ok(12));
        assert_eq!(found(&format!("3f1d{}", "ab".repeat(30))), Ok(13));
    }

    #[test]
    fn a_name_that_fits_none_or_several_is_refused() {
        assert!(found("4").unwrap_err().contains("no open motion 4"));
        assert!(found("0x3f1a").unwrap_err().contains("no open motion"));
        let several = vec![motion(1, [0x3f, 0x1c]), motion(2, [0x3f, 0x1c])];
        let by: MotionRef = "3f1c".parse().unwrap();
        let refused = find(several, &by, Collective::Council).unwrap_err();
        assert!(refused.to_string().contains("names several"), "{refused}");
        for text in ["", "3f", "ca", "motion", "0x12", &"a".repeat(65)] {
            assert!(text.parse::<MotionRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_says_what_to_type_next() {
        let council = Collective::Council;
        let mut open = motion(3, [1, 2]);
        assert_eq!(next(&open, council, 10), "keyward council vote 3");
        assert_eq!(next(&open, council, 1_000), "keyward council close 3");
        open.ayes = (0..3).map(|n| AccountId([n; 32])).collect();
        assert_eq!(next(&open, council, 10), "keyward council close 3");
        open.ayes.clear();
        open.nays = (0..2).map(|n| AccountId([n; 32])).collect();
        let committee = Collective::TechnicalCommittee;
        let expected = "keyward council close 3 --committee";
        assert_eq!(next(&open, committee, 10), expected);
    }

    #[test]
    fn a_motion_that_was_proposed_at_half_is_marked() {
        let mut half = motion(3, [1, 2]);
        assert_eq!(warning(&half, Collective::Council), None);
        half.threshold = 2;
        let warned = warning(&half, Collective::Council).unwrap();
        assert!(
            warned.contains("BadOrigin") && warned.contains("3 votes"),
            "{warned}"
        );
        let shown = shown(half, Collective::Council, &Names::from_iter([]), 10);
        let text = motion_text(&shown, &Names::from_iter([]), 10);
        assert!(text.contains("1 of 3 needed, 4 members"), "{text}");
        assert!(
            text.contains("at block 1000, in about 33 minutes"),
            "{text}"
        );
    }

    #[test]
    fn times_are_told_in_units_that_people_use() {
        let told = [10, 100, 1_800, 10_000, 215_990].map(about);
        let expected = [
            "about 20 seconds",
            "about 3 minutes",
            "about 60 minutes",
            "about 6 hours",
            "about 5 days",
        ];
        assert_eq!(told, expected);
    }
}
