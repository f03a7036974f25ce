//! The connection between bridge and node, which can stall or be cut.

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpListener, TcpStream,
    },
    sync::watch,
    task::JoinHandle,
};

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Everything passes.
    Open,
    /// Connections stand, and nothing passes.
    Stalled,
    /// Connections are cut, and no other can be made.
    Cut,
}

/// A TCP proxy.
pub struct Proxy {
    port: u16,
    passage: watch::Sender<Passage>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and passes everything to another.
    pub async fn before(target: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no free port for the proxy")?;
        let port = listener.local_addr()?.port();
        let (passage, changes) = watch::channel(Passage::Open);
        let task = tokio::spawn(listen(listener, target, changes));
        Ok(Self {
            port,
            passage,
            task,
        })
    }

    /// The WebSocket address that leads through it.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Changes what becomes of connections.
    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, target: u16, changes: watch::Receiver<Passage>) {
    while let Ok((near, _)) = listener.accept().await {
        if *changes.borrow() != Passage::Cut {
            tokio::spawn(pass(near, target, changes.clone()));
        }
    }
}

/// Until one side ends, or connections are cut.
async fn pass(near: TcpStream, target: u16, mut changes: watch::Receiver<Passage>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    tokio::select! {
        () = copy(from_near, to_far, changes.clone()) => {}
        () = copy(from_far, to_near, changes.clone()) => {}
        _ = changes.wait_for(|passage| *passage == Passage::Cut) => {}
    }
}

/// While connections are stalled nothing is read but what is held here: the sender's buffers fill.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut changes: watch::Receiver<Passage>,
) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let is_open = |passage: &Passage| *passage == Passage::Open;
        let gone = changes.wait_for(is_open).await.is_err();
        if gone || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::echo::echo;
    use std::time::Duration;

    async fn answers(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        let asked = stream.write_all(b"x").await.is_ok();
        let answer = tokio::time::timeout(Duration::from_millis(500), stream.read_exact(&mut byte));
        asked && matches!(answer.await, Ok(Ok(_)))
    }

    #[tokio::test]
    async fn a_connection_stalls_and_goes_on() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        assert!(answers(&mut stream).await);
        proxy.set(Passage::Stalled);
        assert!(!answers(&mut stream).await);
        proxy.set(Passage::Open);
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, *b"x");
    }

    #[tokio::test]
    async fn a_connection_is_cut_and_another_can_be_made_later() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        assert!(answers(&mut stream).await);
        proxy.set(Passage::Cut);
        assert!(!answers(&mut stream).await);
        proxy.set(Passage::Open);
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        assert!(answers(&mut stream).await);
    }
}
