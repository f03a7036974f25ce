//! What it takes to shut one member out: the next key for everybody else, at the one who makes it and at one who receives it.

mod keyward;
mod mls_rs;
mod openmls;

use std::{cell::Cell, time::Duration};

use anyhow::Result;
use openmls_rust_crypto::OpenMlsRustCrypto;
use serde::Serialize;

use self::keyward::{Custodian, Sealing};
use crate::{
    contest::{contest, Contender, Length, Series, Spent},
    sample::Sample,
};

/// Bytes of one rekey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// That one party makes and sends.
    pub made: usize,
    /// That one member receives.
    pub received: usize,
}

/// Who makes the new key.
trait Committer {
    /// Removes the member, and takes it back.
    fn remove(&mut self) -> Result<(Spent, Bytes)>;
}

/// A member that is left.
trait Side {
    /// Takes the new key.
    fn follow(&mut self) -> Result<Spent>;
}

/// How a tree of MLS was grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tree {
    /// One commit added everybody: no inner node has a key yet.
    Bare,
    /// Each member committed once after it joined: every inner node has a key.
    Filled,
}

impl Tree {
    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare tree",
            Self::Filled => "filled tree",
        }
    }
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Numbers of members.
    pub sizes: Vec<usize>,
    /// Rounds at least, and time of the contest of one size.
    pub length: Length,
    /// Longest that growing one tree may take.
    pub patience: Duration,
}

/// One contender in a group of one size.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Members before the removal.
    pub members: usize,
    /// Who.
    pub who: String,
    /// What it took.
    pub result: Outcome,
}

/// What was measured, or why nothing was.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was measured.
    Measured(Measured),
    /// It was not: why.
    NotMeasured(String),
}

/// Seconds and bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Processor time of the one who makes the key, all threads together.
    pub cpu: Sample,
    /// Its wall time.
    pub wall: Sample,
    /// Processor time over that of the first contender of the size.
    pub cpu_over_first: Sample,
    /// Bytes.
    pub bytes: Bytes,
    /// Processor time of a member that takes it.
    pub member_cpu: Sample,
}

struct Entry {
    who: String,
    committer: Box<dyn Committer>,
    side: Box<dyn Side>,
}

/// Measures all sizes; `tell` is told how it goes.
pub fn measure(extent: &Extent, tell: &dyn Fn(&str)) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for members in &extent.sizes {
        rows.extend(measure_size(*members, extent, tell)?);
    }
    Ok(rows)
}

fn measure_size(members: usize, extent: &Extent, tell: &dyn Fn(&str)) -> Result<Vec<Row>> {
    let mut entries = ours(members)?;
    let mut missing = Vec::new();
    for (who, grow) in contenders() {
        tell(&format!("{members} members: {who} grows its group"));
        match grow(members, extent.patience)? {
            Ok((committer, side)) => entries.push(Entry {
                who,
                committer,
                side,
            }),
            Err(reason) => missing.push((who, reason)),
        }
    }
    tell(&format!("{members} members: measuring"));
    let (made, followed, bytes) = compete(&mut entries, extent.length)?;
    let mut rows = Vec::new();
    for ((made_by, follower), bytes) in made.iter().zip(&followed).zip(bytes) {
        let measured = Measured {
            cpu: made_by.cpu()?,
            wall: made_by.wall()?,
            cpu_over_first: made_by.cpu_over(&made[0])?,
            bytes,
            member_cpu: follower.cpu()?,
        };
        rows.push(row(members, &made_by.name, Outcome::Measured(measured)));
    }
    let missing = missing.into_iter();
    rows.extend(missing.map(|(who, reason)| row(members, &who, Outcome::NotMeasured(reason))));
    Ok(rows)
}

fn row(members: usize, who: &str, result: Outcome) -> Row {
    Row {
        members,
        who: who.into(),
        result,
    }
}

fn ours(members: usize) -> Result<Vec<Entry>> {
    let ways = [
        (
            "Keyward, shared ephemeral key, 1 thread",
            Sealing::Passes { threads: 1 },
        ),
        (
            "Keyward, shared ephemeral key, 2 threads",
            Sealing::Passes { threads: 2 },
        ),
        ("Keyward, an ephemeral key each, 1 thread", Sealing::Apart),
    ];
    let entry = |(who, sealing): (&str, Sealing)| {
        Ok(Entry {
            who: who.into(),
            committer: Box::new(Sealer {
                custodian: Custodian::new(members)?,
                sealing,
            }),
            side: Box::new(keyward::Member::new()?),
        })
    };
    ways.into_iter().map(entry).collect()
}

struct Sealer {
    custodian: Custodian,
    sealing: Sealing,
}

impl Committer for Sealer {
    fn remove(&mut self) -> Result<(Spent, Bytes)> {
        self.custodian.rekey(self.sealing)
    }
}

/// Both sides of a group, or why there is none.
type Grown = Result<(Box<dyn Committer>, Box<dyn Side>), String>;
type Grow = fn(usize, Duration) -> Result<Grown>;

fn contenders() -> Vec<(String, Grow)> {
    let name = |who: &str, tree: Tree| format!("{who}, {}", tree.name());
    vec![
        (name("mls-rs (AWS-LC)", Tree::Bare), |members, patience| {
            mls_rs::grow(Tree::Bare, members, patience)
        }),
        (
            name("mls-rs (AWS-LC)", Tree::Filled),
            |members, patience| mls_rs::grow(Tree::Filled, members, patience),
        ),
        (
            name("OpenMLS (RustCrypto)", Tree::Bare),
            |members, patience| openmls::grow::<OpenMlsRustCrypto>(Tree::Bare, members, patience),
        ),
        (
            name("OpenMLS (RustCrypto)", Tree::Filled),
            |members, patience| openmls::grow::<OpenMlsRustCrypto>(Tree::Filled, members, patience),
        ),
        (
            name("OpenMLS (libcrux)", Tree::Bare),
            |members, patience| {
                openmls::grow::<openmls_libcrux_crypto::Provider>(Tree::Bare, members, patience)
            },
        ),
        (
            name("OpenMLS (libcrux)", Tree::Filled),
            |members, patience| {
                openmls::grow::<openmls_libcrux_crypto::Provider>(Tree::Filled, members, patience)
            },
        ),
    ]
}

/// Why a filled tree was given up.
fn too_long(committed: usize, members: usize, patience: Duration) -> String {
    format!(
        "after {} s only {committed} of {members} members had joined and committed; each join verifies every leaf before it, \
         so that the work grows with the square of the members",
        patience.as_secs()
    )
}

/// The work of makers, the work of members, and bytes, each in the order of the entries.
type Competed = (Vec<Series>, Vec<Series>, Vec<Bytes>);

fn compete(entries: &mut [Entry], length: Length) -> Result<Competed> {
    let bytes: Vec<Cell<Bytes>> = entries.iter().map(|_| Cell::default()).collect();
    let mut making = Vec::new();
    let mut following = Vec::new();
    for (entry, bytes) in entries.iter_mut().zip(&bytes) {
        let (committer, side) = (&mut entry.committer, &mut entry.side);
        making.push(Contender::new(&entry.who, move || {
            let (spent, made) = committer.remove()?;
            bytes.set(made);
            Ok(spent)
        }));
        following.push(Contender::new(&entry.who, move || side.follow()));
    }
    let made = contest(making, length)?;
    let followed = contest(following, length)?;
    Ok((made, followed, bytes.iter().map(Cell::get).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contender_removes_one_of_nine() {
        let extent = Extent {
            sizes: vec![9],
            length: Length {
                least: 1,
                most: 1,
                time: Duration::ZERO,
            },
            patience: Duration::from_secs(60),
        };
        let rows = measure(&extent, &|_| {}).unwrap();
        assert_eq!(rows.len(), 9);
        for row in rows {
            let Outcome::Measured(measured) = &row.result else {
                panic!("{row:?}");
            };
            assert!(measured.bytes.received > 100, "{row:?}");
        }
    }

    #[test]
    fn a_tree_that_takes_too_long_to_fill_is_not_measured() {
        let grown = mls_rs::grow(Tree::Filled, 50, Duration::ZERO).unwrap();
        assert!(grown.err().unwrap().contains("only 1 of 50"));
    }
}
