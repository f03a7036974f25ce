//! `keyward-node` with the development chain: one validator, blocks every two seconds.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use keyward_chain_client::Client;
use keyward_test_ports::free_port;
use serde_json::json;

use crate::{
    place::Place,
    process::{binary, command, find, Process},
    rpc,
    wait::{eventually, seconds},
};

/// A running node.
#[derive(Debug)]
pub struct Node {
    process: Process,
    program: PathBuf,
    base: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Node {
    /// Starts a new development chain.
    pub async fn start(place: &Place) -> Result<Self> {
        let (program, base, log, port) = (
            find(binary::NODE)?,
            place.path("node"),
            place.log("node"),
            free_port()?,
        );
        let mut node = Self {
            process: spawn(&program, &base, &log, port)?,
            program,
            base,
            log,
            port,
        };
        node.wait_until_it_answers().await?;
        Ok(node)
    }

    async fn wait_until_it_answers(&mut self) -> Result<()> {
        let port = self.port;
        eventually(seconds(90), "the node to answer", || {
            let ended = self.process.check();
            async move {
                ended?;
                rpc::call(port, "system_health", json!([])).await
            }
        })
        .await?;
        Ok(())
    }

    /// Port of its RPC.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// WebSocket address.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Where polkadot.js shows it.
    pub fn explorer(&self) -> String {
        format!(
            "https://polkadot.js.org/apps/?rpc=ws://127.0.0.1:{}#/explorer",
            self.port
        )
    }

    /// Connects to it, once its first blocks are finalized.
    pub async fn connect(&self) -> Result<Client> {
        let client = Client::connect(&self.url())
            .await
            .context("cannot use the node")?;
        eventually(seconds(90), "the first finalized block", || async {
            let finalized = client.finalized().await.map_err(anyhow::Error::from)?;
            match finalized.number {
                0 => Err(anyhow::anyhow!("only the genesis block is finalized")),
                _ => Ok(()),
            }
        })
        .await?;
        Ok(client)
    }

    /// Its process, to be killed or frozen.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again where it was, after it was stopped or killed.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        self.process = spawn(&self.program, &self.base, &self.log, self.port)?;
        self.wait_until_it_answers().await
    }
}

fn spawn(program: &Path, base: &Path, log: &Path, port: u16) -> Result<Process> {
    let mut node = command(program);
    node.args(["--dev", "--no-prometheus", "--no-telemetry", "--no-mdns"])
        .args(["--state-pruning", "archive", "--rpc-max-connections", "200"])
        .args(["--listen-addr", "/ip4/127.0.0.1/tcp/0"])
        .arg(format!("--rpc-port={port}"))
        .arg("--base-path")
        .arg(base);
    Process::start("keyward-node", node, log)
}
