//! HTTP and the node's JSON-RPC, as much as the harness needs.

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends one HTTP request to a port of the loopback address; gives status and body.
async fn http(port: u16, request: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .with_context(|| format!("nothing listens on port {port}"))?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).context("no HTTP status")?;
    Ok((status.parse()?, body.into()))
}

/// Fetches a page.
pub async fn get(port: u16, path: &str) -> Result<(u16, String)> {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    http(port, &request).await
}

/// Calls a method of the node.
pub async fn call(port: u16, method: &str, params: Value) -> Result<Value> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, body) = http(port, &request).await?;
    ensure!(
        status == 200,
        "{method}: the node answers with HTTP status {status}"
    );
    let answer: Value = serde_json::from_str(&body)
        .with_context(|| format!("{method}: the node answers '{body}'"))?;
    let result = answer.get("result").cloned();
    result.with_context(|| format!("{method}: the node answers {answer}"))
}

/// All of the chain's storage at a block: keys and values.
pub async fn state(port: u16, block: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    const PAGE: usize = 500;
    let mut pairs = Vec::new();
    let mut after = Value::Null;
    loop {
        let keys = call(
            port,
            "state_getKeysPaged",
            json!(["0x", PAGE, after, block]),
        )
        .await?;
        let keys = keys.as_array().cloned().unwrap_or_default();
        let Some(last) = keys.last() else {
            return Ok(pairs);
        };
        after = last.clone();
        let values = call(port, "state_queryStorageAt", json!([keys, block])).await?;
        for change in values[0]["changes"].as_array().into_iter().flatten() {
            pairs.push((bytes(&change[0])?, bytes(&change[1]).unwrap_or_default()));
        }
    }
}

/// The bytes of a `0x…` value.
pub fn bytes(value: &Value) -> Result<Vec<u8>> {
    let text = value
        .as_str()
        .with_context(|| format!("{value} is no text"))?;
    hex::decode(text.trim_start_matches("0x")).with_context(|| format!("{text} is not hexadecimal"))
}
