//! mls-rs: one member commits to the removal of another.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use mls_rs::{client_builder::MlsConfig, group::ReceivedMessage, Group, MlsMessage};

use super::{too_long, Bytes, Committer, Grown, Side, Tree};
use crate::{
    contest::{timed, Spent},
    mls::{client, found, package},
};

/// Grows a group, and gives the member that removes another and one that is left.
pub fn grow(tree: Tree, members: usize, patience: Duration) -> Result<Grown> {
    match tree {
        Tree::Bare => grow_bare(members).map(Ok),
        Tree::Filled => grow_filled(members, patience),
    }
}

type Pair = (Box<dyn Committer>, Box<dyn Side>);

fn pair<C: MlsConfig + 'static>(
    remover: Group<C>,
    reader: Group<C>,
    members: usize,
) -> Result<Pair> {
    let victim = u32::try_from(members / 2)?;
    let mut remover = Remover {
        group: remover,
        victim,
    };
    let commit = remover.commit()?;
    Ok((
        Box::new(remover),
        Box::new(Reader {
            group: reader,
            commit,
        }),
    ))
}

fn grow_bare(members: usize) -> Result<Pair> {
    let mut group = found(&client(0)?)?;
    let reader = client(1)?;
    let mut adding = group.commit_builder().add_member(package(&reader)?)?;
    for number in 2..members {
        adding = adding.add_member(package(&client(number)?)?)?;
    }
    let commit = adding.build()?;
    group.apply_pending_commit()?;
    let (joined, _) = reader.join_group(None, welcome(&commit.welcome_messages)?, None)?;
    pair(group, joined, members)
}

/// Each member joins, commits, and is gone: only the first and the last go on.
fn grow_filled(members: usize, patience: Duration) -> Result<Grown> {
    let began = Instant::now();
    let mut group = found(&client(0)?)?;
    let mut newest = None;
    for number in 1..members {
        if began.elapsed() > patience {
            return Ok(Err(too_long(number, members, patience)));
        }
        let member = client(number)?;
        let commit = group
            .commit_builder()
            .add_member(package(&member)?)?
            .build()?;
        group.apply_pending_commit()?;
        let (mut joined, _) = member.join_group(None, welcome(&commit.welcome_messages)?, None)?;
        let update = joined.commit(Vec::new())?.commit_message;
        joined.apply_pending_commit()?;
        group.process_incoming_message(update)?;
        newest = Some(joined);
    }
    let newest = newest.context("a group of one")?;
    pair(group, newest, members).map(Ok)
}

fn welcome(messages: &[MlsMessage]) -> Result<&MlsMessage> {
    messages.first().context("no welcome")
}

struct Remover<C: MlsConfig> {
    group: Group<C>,
    victim: u32,
}

impl<C: MlsConfig> Remover<C> {
    /// Makes the commit, and forgets that it did.
    fn commit(&mut self) -> Result<Vec<u8>> {
        let commit = self
            .group
            .commit_builder()
            .remove_member(self.victim)?
            .build()?;
        let bytes = commit.commit_message.to_bytes()?;
        self.group.clear_pending_commit();
        Ok(bytes)
    }
}

impl<C: MlsConfig> Committer for Remover<C> {
    fn remove(&mut self) -> Result<(Spent, Bytes)> {
        let (commit, spent) = timed(|| self.commit());
        let bytes = commit?.len();
        Ok((
            spent,
            Bytes {
                made: bytes,
                received: bytes,
            },
        ))
    }
}

struct Reader<C: MlsConfig> {
    group: Group<C>,
    commit: Vec<u8>,
}

impl<C: MlsConfig> Side for Reader<C> {
    fn follow(&mut self) -> Result<Spent> {
        let mut group = self.group.clone();
        let (processed, spent) = timed(|| {
            let message = MlsMessage::from_bytes(&self.commit)?;
            group.process_incoming_message(message)
        });
        ensure!(
            matches!(processed?, ReceivedMessage::Commit(_)),
            "not a commit"
        );
        Ok(spent)
    }
}
