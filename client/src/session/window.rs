//! What was received already: per sender and stream the last four boots, per boot a window of counters (MSG-10, MSG-17).
//!
//! Counters are kept in blocks of 64, so that a message makes only its block durable, each with the first four bytes of its
//! tag: the same counter with another tag is evidence of a clone.

use alloc::{collections::BTreeMap, vec::Vec};

use codec::{Decode, Encode};
use keyward_protocol::{limits, message::TAG};

const BLOCK: u64 = 64;

/// The first bytes of a message's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TagPrefix(pub [u8; 4]);

impl From<[u8; TAG]> for TagPrefix {
    fn from(tag: [u8; TAG]) -> Self {
        Self(tag.first_chunk().copied().unwrap_or_default())
    }
}

/// Up to 64 counters that were received: their offsets, rising, with their tags. A vector, since it is copied for each message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Block(pub Vec<(u8, TagPrefix)>);

impl Block {
    fn find(&self, offset: u8) -> Result<usize, usize> {
        self.0.binary_search_by_key(&offset, |(offset, _)| *offset)
    }

    fn tag(&self, offset: u8) -> Option<TagPrefix> {
        let at = self.find(offset).ok()?;
        self.0.get(at).map(|(_, tag)| *tag)
    }

    /// With one more.
    fn with(&self, offset: u8, tag: TagPrefix) -> Self {
        let mut more = Vec::with_capacity(self.0.len().saturating_add(1));
        let (Ok(at) | Err(at)) = self.find(offset);
        let (before, after) = self.0.split_at_checked(at).unwrap_or((&self.0, &[]));
        more.extend_from_slice(before);
        more.push((offset, tag));
        more.extend(after.iter().filter(|(other, _)| *other != offset));
        Self(more)
    }
}

/// The counters of one boot that were received, by block: block `n` holds `64 n` to `64 n + 63`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window(pub BTreeMap<u64, Block>);

/// The windows of one sender and stream, by boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boots(pub BTreeMap<u32, Window>);

/// What is known of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It did not come yet.
    New,
    /// It came, with this tag.
    Same,
    /// It came, with another tag.
    Other,
    /// It is too far behind the newest one to tell.
    Behind,
    /// Its boot is older than the last four.
    OldBoot,
}

/// One durable step of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A block has this content now.
    Put(u32, u64, Block),
    /// A block is forgotten: it is behind the window, or its boot is too old.
    Drop(u32, u64),
}

fn split(counter: u64) -> (u64, u8) {
    let offset = counter.checked_rem(BLOCK).unwrap_or_default();
    (counter / BLOCK, u8::try_from(offset).unwrap_or_default())
}

impl Window {
    fn newest(&self) -> Option<u64> {
        let (block, content) = self.0.last_key_value()?;
        let (offset, _) = content.0.last()?;
        Some(block.saturating_mul(BLOCK).saturating_add((*offset).into()))
    }

    fn tag(&self, counter: u64) -> Option<TagPrefix> {
        let (block, offset) = split(counter);
        self.0.get(&block)?.tag(offset)
    }

    fn look(&self, counter: u64, tag: TagPrefix, size: u64) -> Look {
        match (self.tag(counter), self.newest()) {
            (Some(known), _) if known == tag => Look::Same,
            (Some(_), _) => Look::Other,
            (None, Some(newest)) if newest.saturating_sub(counter) >= size => Look::Behind,
            _ => Look::New,
        }
    }

    /// Whether a block ends before the window begins.
    fn is_behind(block: u64, newest: u64, size: u64) -> bool {
        let last = block
            .saturating_mul(BLOCK)
            .saturating_add(BLOCK.saturating_sub(1));
        newest.saturating_sub(last) >= size && last < newest
    }
}

impl Boots {
    /// What is known of a counter of a boot; `size` counters are remembered behind the newest one.
    pub fn look(&self, boot: u32, counter: u64, tag: TagPrefix, size: u64) -> Look {
        match self.0.get(&boot) {
            Some(window) => window.look(counter, tag, size),
            None if self.is_too_old(boot) => Look::OldBoot,
            None => Look::New,
        }
    }

    /// The same for wills, of which a boot has one (MSG-17).
    pub fn look_at_will(&self, boot: u32, counter: u64, tag: TagPrefix) -> Look {
        let known = self.0.get(&boot).and_then(Window::newest);
        match known {
            Some(_) => match self.look(boot, counter, tag, u64::MAX) {
                Look::Other => Look::Other,
                _ => Look::Same,
            },
            None if self.is_too_old(boot) => Look::OldBoot,
            None => Look::New,
        }
    }

    fn is_too_old(&self, boot: u32) -> bool {
        let oldest = self.0.keys().next();
        self.0.len() >= limits::BOOTS && oldest.is_some_and(|oldest| boot < *oldest)
    }

    /// The steps that remember a counter that is new. To be applied in order, durably, before its message is handed up.
    pub fn mark(&self, boot: u32, counter: u64, tag: TagPrefix, size: u64) -> Vec<Step> {
        let (at, offset) = split(counter);
        let window = self.0.get(&boot);
        let known = window.and_then(|window| window.0.get(&at));
        let block = known.unwrap_or(&Block::default()).with(offset, tag);
        let mut steps = alloc::vec![Step::Put(boot, at, block)];
        let newest = window
            .and_then(Window::newest)
            .unwrap_or_default()
            .max(counter);
        let blocks = window.into_iter().flat_map(|window| window.0.keys());
        // They rise: where one is not behind, none after it is.
        let behind = blocks.take_while(|block| Window::is_behind(**block, newest, size));
        steps.extend(behind.map(|block| Step::Drop(boot, *block)));
        if window.is_none() {
            steps.extend(self.boots_to_drop());
        }
        steps
    }

    /// One boot is added: those beyond the last four go.
    fn boots_to_drop(&self) -> Vec<Step> {
        let excess = self.0.len().saturating_add(1).saturating_sub(limits::BOOTS);
        let oldest = self.0.iter().take(excess);
        oldest
            .flat_map(|(boot, window)| window.0.keys().map(|block| Step::Drop(*boot, *block)))
            .collect()
    }

    /// Applies a step.
    pub fn apply(&mut self, step: Step) {
        match step {
            Step::Put(boot, at, block) => {
                self.0.entry(boot).or_default().0.insert(at, block);
            }
            Step::Drop(boot, at) => {
                let emptied = self.0.get_mut(&boot).is_some_and(|window| {
                    window.0.remove(&at);
                    window.0.is_empty()
                });
                if emptied {
                    self.0.remove(&boot);
                }
            }
        }
    }
}
