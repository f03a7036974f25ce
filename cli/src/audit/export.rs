//! Writes a group's archive from a node that has kept everything.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use keyward_chain_client::{archive::NO_HEAD, Client};
use keyward_protocol::{beacon::BlockRef, Digest, GroupId};
use serde::Serialize;

use super::{
    archive::{Header, Writer},
    AuditFailed,
};
use crate::{
    chain::{ChainFailed, Context},
    output::fields,
};

/// Pause between two lines that tell how far it is.
const TELL_EVERY: Duration = Duration::from_secs(3);

/// An archive that was written.
#[derive(Debug, Serialize)]
struct Exported {
    group: GroupId,
    file: PathBuf,
    entries: u64,
    block: BlockRef,
    head: Digest,
}

/// Tells from time to time how far a long way was gone.
pub struct Pace {
    told: Instant,
}

impl Pace {
    /// Begins now.
    pub fn new() -> Self {
        Self {
            told: Instant::now(),
        }
    }

    /// Tells, if the last time is long ago.
    pub fn tell(&mut self, context: &Context, line: impl FnOnce() -> String) {
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            context.output.progress(&line());
        }
    }
}

/// Writes the archive of a group.
pub async fn run(group: GroupId, file: &Path, context: &Context) -> Result<(), AuditFailed> {
    let client = context.connect().await?;
    let block = client.finalized().await.map_err(ChainFailed::from)?;
    let view = client.at(block.hash);
    let known = view.group(&group).await.map_err(ChainFailed::from)?;
    let head = known.map(|known| known.chain_head);
    let head = head.ok_or_else(|| AuditFailed::Unknown {
        group: group.clone(),
    })?;
    let header = Header::new(group, client.genesis(), block, head);
    let entries = write(&client, &header, file, context).await?;
    let exported = Exported {
        group: header.group,
        file: file.into(),
        entries,
        block,
        head,
    };
    context.output.show(&exported, |it| {
        fields([
            ("group", it.group.to_string()),
            ("file", it.file.display().to_string()),
            ("entries", it.entries.to_string()),
            ("up to block", it.block.number.to_string()),
            ("head", it.head.to_string()),
        ])
    });
    Ok(())
}

async fn write(
    client: &Client,
    header: &Header,
    file: &Path,
    context: &Context,
) -> Result<u64, AuditFailed> {
    let mut archive = client
        .archive(&header.group, 0, NO_HEAD, header.block)
        .await?;
    let mut writer = Writer::create(file, header)?;
    let (mut entries, mut pace) = (0u64, Pace::new());
    while let Some(record) = archive.next().await? {
        writer.record(&record)?;
        entries = entries.saturating_add(1);
        pace.tell(context, || {
            let (reached, last) = (archive.reached(), header.block.number);
            format!("block {reached} of {last}, {entries} entries")
        });
    }
    writer.finish()?;
    Ok(entries)
}
