//! What a custodian does when a member was removed: it draws the next epoch's secret, commits to it, seals it to every member that
//! is left, computes the root over the grants, and signs statement and beacon.

use anyhow::{ensure, Result};
use keyward_client::session::{Change, Session};
use keyward_crypto::{epoch, grant, hash::blake2b_256};
use keyward_protocol::{policy::Policy, AgreementKey, DeviceId, Digest, Role};
use rand_core::OsRng;

use super::{Bytes, Side};
use crate::{
    contest::{timed, Spent},
    world::{hear, new_identity, World, GENESIS},
};

/// How grants are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// One ephemeral key for each thread's share of the members, as the bridge does it.
    Passes {
        /// Threads.
        threads: usize,
    },
    /// An ephemeral key for every grant, on one thread.
    Apart,
}

/// A group that is left after a removal.
pub struct Custodian {
    world: World,
    members: Vec<(DeviceId, AgreementKey)>,
}

impl Custodian {
    /// Of a group that had so many members before one was removed.
    pub fn new(members: usize) -> Result<Self> {
        let member = |number: usize| {
            let device = format!("acme.meter-{number:05}").parse::<DeviceId>()?;
            let public = new_identity(device.clone()).agreement.public();
            Ok((device, public))
        };
        Ok(Self {
            world: World::new(Policy::default(), 1000)?,
            members: (1..members).map(member).collect::<Result<_>>()?,
        })
    }

    /// Rekeys; gives what it took and what it made.
    pub fn rekey(&mut self, sealing: Sealing) -> Result<(Spent, Bytes)> {
        let (made, spent) = timed(|| self.make(sealing));
        Ok((spent, made?))
    }

    fn make(&mut self, sealing: Sealing) -> Result<Bytes> {
        self.world.rotate()?;
        let (epoch, secret) = self.world.current()?;
        let (group, account) = (self.world.group(), self.world.account());
        // On chain before it is used: the only thing that the members need not take the custodian's word for.
        std::hint::black_box(epoch::commitment(&GENESIS, group, *epoch, &account, secret));
        let grants = self.seal(sealing)?;
        std::hint::black_box(root(self.members.iter().map(|(id, _)| id).zip(&grants)));
        let statement = self.world.statement()?;
        let beacon = self.world.beacon(&statement)?;
        let told = statement.to_wire().len() + beacon.len();
        let sealed: usize = grants.iter().map(Vec::len).sum();
        let longest = grants.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Bytes {
            made: sealed + told,
            received: longest + told,
        })
    }

    fn seal(&self, sealing: Sealing) -> Result<Vec<Vec<u8>>> {
        let mut grants = Vec::with_capacity(self.members.len());
        for (device, key) in &self.members {
            grants.push((self.world.grant(device.clone())?, *key));
        }
        let sealed: Result<_, _> = match sealing {
            Sealing::Apart => grants
                .iter()
                .map(|(grant, key)| grant::seal(grant, key, &mut OsRng))
                .collect(),
            Sealing::Passes { threads } => grant::seal_all(&grants, threads, &mut OsRng)
                .into_iter()
                .collect(),
        };
        Ok(sealed?)
    }
}

/// The root over the grants, as a delivery names it.
fn root<'a>(grants: impl Iterator<Item = (&'a DeviceId, &'a Vec<u8>)>) -> Digest {
    let hash = |parts: &[&[u8]]| blake2b_256(&parts.concat());
    let leaf = |(device, grant): (&DeviceId, &Vec<u8>)| {
        hash(&[&[0], device.as_str().as_bytes(), &blake2b_256(grant).0])
    };
    let mut level: Vec<Digest> = grants.map(leaf).collect();
    while level.len() > 1 {
        let parent = |pair: &[Digest]| match pair {
            [left, right] => hash(&[&[1], &left.0, &right.0]),
            _ => pair.first().copied().unwrap_or(Digest([0; 32])),
        };
        level = level.chunks(2).map(parent).collect();
    }
    level.first().copied().unwrap_or(Digest([0; 32]))
}

/// A member's side: its session hears statement, grant and beacon of the new epoch, believes them, and signs its receipt.
pub struct Member {
    world: World,
    identity: keyward_client::session::Identity,
    session: Session,
}

impl Member {
    /// A member of a group. How many others there are makes no difference to it.
    pub fn new() -> Result<Self> {
        let world = World::new(Policy::default(), 1000)?;
        let identity = new_identity("acme.reader".parse()?);
        let session = world.session(&identity, Role::Subscribe)?;
        Ok(Self {
            world,
            identity,
            session,
        })
    }
}

impl Side for Member {
    fn follow(&mut self) -> Result<Spent> {
        self.world.rotate()?;
        let epoch = self.world.current()?.0;
        let packets = self.world.rekeyed(&self.identity)?;
        let (effects, spent) = timed(|| {
            let heard = packets
                .into_iter()
                .map(|packet| hear(&mut self.session, packet));
            heard.collect::<Vec<_>>()
        });
        let changes = effects.iter().flat_map(|effects| &effects.changes);
        let mut held = changes.filter_map(|change| match change {
            Change::Secret(_, epoch, _) => Some(*epoch),
            _ => None,
        });
        ensure!(
            held.any(|held| held == epoch),
            "the member did not take the new secret"
        );
        Ok(spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_sealing_makes_the_same_number_of_bytes() {
        let mut custodian = Custodian::new(21).unwrap();
        let ways = [
            Sealing::Passes { threads: 1 },
            Sealing::Passes { threads: 2 },
            Sealing::Apart,
        ];
        let made = ways.map(|sealing| custodian.rekey(sealing).unwrap().1.made);
        assert!(
            made.iter()
                .all(|bytes| *bytes == made[0] && *bytes > 20 * 100),
            "{made:?}"
        );
    }

    #[test]
    fn a_member_takes_one_epoch_after_the_other() {
        let mut member = Member::new().unwrap();
        for _ in 0..40 {
            member.follow().unwrap();
        }
    }
}
