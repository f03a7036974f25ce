//! An archive of a group as a file: JSON, a line for what it is an archive of, then a line for each entry, oldest first.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use keyward_chain_client::archive::Record;
use keyward_protocol::{beacon::BlockRef, Digest, Genesis, GroupId};
use serde::{de::DeserializeOwned, Deserialize, Serialize};

/// Version of the form of the file.
const VERSION: u32 = 1;
/// Bytes of the longest line: a batch of 256 receipts has a third of it.
const LONGEST_LINE: u64 = 256 * 1024;

/// What an archive is of: the first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the form of the file: 1.
    keyward_archive: u32,
    /// The group.
    pub group: GroupId,
    /// The chain.
    pub genesis: Genesis,
    /// The finalized block up to which it goes.
    pub block: BlockRef,
    /// The group's head there.
    pub head: Digest,
}

/// Why an archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileFailed {
    /// The file system refuses.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// Read or write.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is a file already.
    #[error("{} is there already, and nothing is overwritten; name another file, or move it away", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A line is not what stands there in an archive.
    #[error("{}, line {line}: {reason}; this is not an archive as 'keyward audit GROUP --export' writes it", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

impl Header {
    /// Of a group on a chain, up to a block.
    pub fn new(group: GroupId, genesis: Genesis, block: BlockRef, head: Digest) -> Self {
        Self {
            keyward_archive: VERSION,
            group,
            genesis,
            block,
            head,
        }
    }
}

/// Writes an archive. What is not finished is removed.
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    finished: bool,
}

impl Writer {
    /// Makes the file, which must not be there.
    pub fn create(path: &Path, header: &Header) -> Result<Self, FileFailed> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => FileFailed::Exists { path: path.into() },
            _ => failed("write", path, source),
        })?;
        let mut writer = Self {
            path: path.into(),
            file: BufWriter::new(file),
            finished: false,
        };
        writer.line(header)?;
        Ok(writer)
    }

    /// Writes an entry.
    pub fn record(&mut self, record: &Record) -> Result<(), FileFailed> {
        self.line(record)
    }

    /// Makes it durable.
    pub fn finish(mut self) -> Result<(), FileFailed> {
        let flushed = self.file.flush();
        let synced = flushed.and_then(|()| self.file.get_ref().sync_all());
        self.finished = synced.is_ok();
        synced.map_err(|source| failed("write", &self.path, source))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), FileFailed> {
        let written = serde_json::to_writer(&mut self.file, value);
        let written = written.map_err(std::io::Error::from);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|source| failed("write", &self.path, source))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // Half an archive says nothing that a new export would not say.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Reads an archive, line by line.
pub struct Reader<R> {
    path: PathBuf,
    input: R,
    line: u64,
}

impl Reader<BufReader<File>> {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<(Self, Header), FileFailed> {
        let file = File::open(path).map_err(|source| failed("read", path, source))?;
        Reader::new(path, BufReader::new(file))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads what was opened as this path.
    pub fn new(path: &Path, input: R) -> Result<(Self, Header), FileFailed> {
        let mut reader = Self {
            path: path.into(),
            input,
            line: 0,
        };
        let header: Option<Header> = reader.next_line()?;
        match header {
            Some(header) if header.keyward_archive == VERSION => Ok((reader, header)),
            Some(header) => Err(reader.wrong(format!(
                "version {} of the form, and this program knows {VERSION}",
                header.keyward_archive
            ))),
            None => Err(reader.wrong("the file is empty")),
        }
    }

    /// The next entry; none at the end.
    pub fn record(&mut self) -> Result<Option<Record>, FileFailed> {
        self.next_line()
    }

    fn next_line<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FileFailed> {
        let mut line = Vec::new();
        self.line = self.line.saturating_add(1);
        let mut bounded = (&mut self.input).take(LONGEST_LINE);
        let read = bounded.read_until(b'\n', &mut line);
        let read = read.map_err(|source| failed("read", &self.path, source))?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => serde_json::from_slice(&line)
                .map(Some)
                .map_err(|error| self.wrong(error.to_string())),
            Some(_) if read as u64 == LONGEST_LINE => Err(self.wrong("the line is too long")),
            Some(_) => Err(self.wrong("the line breaks off")),
        }
    }

    fn wrong(&self, reason: impl Into<String>) -> FileFailed {
        FileFailed::Line {
            path: self.path.clone(),
            line: self.line,
            reason: reason.into(),
        }
    }
}

fn failed(what: &'static str, path: &Path, source: std::io::Error) -> FileFailed {
    FileFailed::Io {
        what,
        path: path.into(),
        source,
    }
}
