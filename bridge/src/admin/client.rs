//! Asks a running bridge: a small HTTP client for its own pages.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Report;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Why a bridge did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing listens there.
    #[error("no bridge answers at {address}: {source}; is 'keyward-bridge run' running with this configuration?")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// It did not answer in time.
    #[error("the bridge at {address} did not answer within {} s", PATIENCE.as_secs())]
    TooLate {
        /// Where.
        address: SocketAddr,
    },
    /// It refused.
    #[error("the bridge at {address} answers with HTTP status {status}: {body}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// The status.
        status: u16,
        /// What it says.
        body: String,
    },
    /// The answer makes no sense.
    #[error("what answers at {address} is no bridge of this version")]
    Malformed {
        /// Where.
        address: SocketAddr,
    },
}

/// How a bridge stands.
///
/// # Errors
/// When it does not answer.
pub async fn status(address: SocketAddr) -> Result<Report, NoAnswer> {
    let body = request(address, "GET", "/status").await?;
    serde_json::from_str(&body).map_err(|_| NoAnswer::Malformed { address })
}

/// Has a bridge compare everything anew.
///
/// # Errors
/// When it does not answer, or is still starting.
pub async fn reconcile(address: SocketAddr) -> Result<(), NoAnswer> {
    request(address, "POST", "/reconcile").await.map(drop)
}

async fn request(address: SocketAddr, method: &str, path: &str) -> Result<String, NoAnswer> {
    let exchange = tokio::time::timeout(PATIENCE, exchange(address, method, path));
    let answer = match exchange.await {
        Ok(answer) => answer.map_err(|source| NoAnswer::Unreachable { address, source })?,
        Err(_) => return Err(NoAnswer::TooLate { address }),
    };
    let (status, body) = split(&answer).ok_or(NoAnswer::Malformed { address })?;
    match status {
        200..=299 => Ok(body),
        status => Err(NoAnswer::Refused {
            address,
            status,
            body: body.trim_end().to_owned(),
        }),
    }
}

/// HTTP/1.0: the answer ends with the connection, and is never cut in pieces.
async fn exchange(address: SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}

fn split(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// A page, for the tests of the pages.
#[cfg(test)]
pub(super) async fn request_for_tests(address: SocketAddr, path: &str) -> Result<String, NoAnswer> {
    request(address, "GET", path).await
}
