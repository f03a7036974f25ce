//! OpenMLS: one member commits to the removal of another.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use openmls::prelude::{
    tls_codec::DeserializeBytes, LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsMessageIn,
    OpenMlsProvider, ProcessedMessage, ProcessedMessageContent, ProtocolMessage,
};

use super::{too_long, Bytes, Committer, Grown, Side, Tree};
use crate::{
    contest::{timed, Spent},
    mls::{done, Party},
};

/// Grows a group, and gives the member that removes another and one that is left.
pub fn grow<P>(tree: Tree, members: usize, patience: Duration) -> Result<Grown>
where
    P: OpenMlsProvider + Default + 'static,
{
    match tree {
        Tree::Bare => grow_bare::<P>(members).map(Ok),
        Tree::Filled => grow_filled::<P>(members, patience),
    }
}

type Pair = (Box<dyn Committer>, Box<dyn Side>);

fn pair<P>(remover: Joined<P>, reader: Joined<P>, members: usize) -> Result<Pair>
where
    P: OpenMlsProvider + Default + 'static,
{
    let victim = LeafNodeIndex::new(u32::try_from(members / 2)?);
    let mut remover = Remover {
        member: remover,
        victim,
    };
    let commit = remover.commit()?;
    remover.forget()?;
    Ok((
        Box::new(remover),
        Box::new(Reader {
            member: reader,
            commit,
        }),
    ))
}

fn grow_bare<P>(members: usize) -> Result<Pair>
where
    P: OpenMlsProvider + Default + 'static,
{
    let (creator, reader) = (Party::<P>::new(0)?, Party::<P>::new(1)?);
    let mut group = creator.found()?;
    let mut packages = vec![reader.package()?];
    for number in 2..members {
        packages.push(Party::<P>::new(number)?.package()?);
    }
    let welcome = creator.add(&mut group, &packages)?;
    let joined = reader.join(welcome, &group)?;
    let creator = Joined {
        party: creator,
        group,
    };
    let reader = Joined {
        party: reader,
        group: joined,
    };
    pair(creator, reader, members)
}

/// Each member joins, commits, and is gone: only the first and the last go on.
fn grow_filled<P>(members: usize, patience: Duration) -> Result<Grown>
where
    P: OpenMlsProvider + Default + 'static,
{
    let began = Instant::now();
    let party = Party::<P>::new(0)?;
    let group = party.found()?;
    let mut creator = Joined { party, group };
    let mut newest = None;
    for number in 1..members {
        if began.elapsed() > patience {
            return Ok(Err(too_long(number, members, patience)));
        }
        let party = Party::<P>::new(number)?;
        let welcome = creator.party.add(&mut creator.group, &[party.package()?])?;
        let group = party.join(welcome, &creator.group)?;
        let mut member = Joined { party, group };
        let update = member.update()?;
        creator.merge(&update)?;
        newest = Some(member);
    }
    let newest = newest.context("a group of one")?;
    pair(creator, newest, members).map(Ok)
}

/// A client in its group.
struct Joined<P> {
    party: Party<P>,
    group: MlsGroup,
}

impl<P: OpenMlsProvider + Default> Joined<P> {
    /// Commits to nothing but new keys of its own.
    fn update(&mut self) -> Result<Vec<u8>> {
        let Party {
            provider, signer, ..
        } = &self.party;
        let update = self
            .group
            .self_update(provider, signer, LeafNodeParameters::default());
        let (commit, _, _) = done(update)?.into_contents();
        done(self.group.merge_pending_commit(provider))?;
        done(commit.to_bytes())
    }

    fn process(&mut self, commit: &[u8]) -> Result<ProcessedMessage> {
        let message = done(MlsMessageIn::tls_deserialize_exact_bytes(commit))?;
        let message: ProtocolMessage = done(message.try_into_protocol_message())?;
        done(self.group.process_message(&self.party.provider, message))
    }

    fn merge(&mut self, commit: &[u8]) -> Result<()> {
        let content = self.process(commit)?.into_content();
        let ProcessedMessageContent::StagedCommitMessage(staged) = content else {
            anyhow::bail!("not a commit");
        };
        done(
            self.group
                .merge_staged_commit(&self.party.provider, *staged),
        )
    }
}

struct Remover<P> {
    member: Joined<P>,
    victim: LeafNodeIndex,
}

impl<P: OpenMlsProvider + Default> Remover<P> {
    fn commit(&mut self) -> Result<Vec<u8>> {
        let Party {
            provider, signer, ..
        } = &self.member.party;
        let removed = self
            .member
            .group
            .remove_members(provider, signer, &[self.victim]);
        let (commit, _, _) = done(removed)?;
        done(commit.to_bytes())
    }

    fn forget(&mut self) -> Result<()> {
        let storage = self.member.party.provider.storage();
        done(self.member.group.clear_pending_commit(storage))
    }
}

impl<P: OpenMlsProvider + Default> Committer for Remover<P> {
    fn remove(&mut self) -> Result<(Spent, Bytes)> {
        let (commit, spent) = timed(|| self.commit());
        let bytes = commit?.len();
        self.forget()?;
        Ok((
            spent,
            Bytes {
                made: bytes,
                received: bytes,
            },
        ))
    }
}

struct Reader<P> {
    member: Joined<P>,
    commit: Vec<u8>,
}

impl<P: OpenMlsProvider + Default> Side for Reader<P> {
    /// Not merged, so that it can be done again: what merging adds is left out.
    fn follow(&mut self) -> Result<Spent> {
        let (processed, spent) = timed(|| self.member.process(&self.commit));
        let content = processed?.into_content();
        let staged = matches!(content, ProcessedMessageContent::StagedCommitMessage(_));
        ensure!(staged, "not a commit");
        Ok(spent)
    }
}
