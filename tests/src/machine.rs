//! A machine of a consortium, from its directory (`keyward network new`): a node, and beside some a broker and a bridge, each
//! run by the command of its unit.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context, Result};
use keyward_chain_client::{Client, Signer};
use keyward_test_ports::free_port;
use serde_json::json;

use crate::{
    height::{self, Height},
    place::{make_directory, new_seed, write_secret, Place},
    rpc,
    unit::Service,
    wait::seconds,
};

/// Longest that a service may take from its start until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine. What is dropped first is stopped first.
#[derive(Debug)]
pub struct Machine {
    /// Broker and bridge, if it has them.
    pub gateway: Option<Gateway>,
    /// The node.
    pub node: Service,
    /// Its name.
    pub name: String,
    /// Where everything of it is.
    pub directory: PathBuf,
    rpc: u16,
}

/// A gateway's services beside the node.
#[derive(Debug)]
pub struct Gateway {
    /// Its bridge.
    pub bridge: Service,
    /// Its broker.
    pub broker: Service,
    /// Its short name.
    pub name: String,
    /// Port of the broker, for MQTT with TLS.
    pub mqtt: u16,
    /// Port of the bridge's admin pages.
    pub admin: u16,
}

/// What a machine's gateway is called, and its ports: name, MQTT, admin.
pub type GatewayPlan = (String, u16, u16);

impl Machine {
    /// Reads a machine's directory. Nothing is started.
    pub fn open(
        place: &Place,
        directory: PathBuf,
        name: &str,
        rpc: u16,
        gateway: Option<GatewayPlan>,
    ) -> Result<Self> {
        let service = |part: &str| {
            let name = format!("{name}-{part}");
            let unit = directory.join(format!("systemd/keyward-{part}.service"));
            Service::read(&unit, &name, place.log(&name))
        };
        let open = |(name, mqtt, admin): GatewayPlan| -> Result<Gateway> {
            Ok(Gateway {
                bridge: service("bridge")?,
                broker: service("mosquitto")?,
                name,
                mqtt,
                admin,
            })
        };
        // What systemd makes (StateDirectory=).
        for part in ["node", "bridge", "mosquitto"] {
            make_directory(&directory.join("data").join(part))?;
        }
        Ok(Self {
            gateway: gateway.map(open).transpose()?,
            node: service("node")?,
            name: name.into(),
            directory,
            rpc,
        })
    }

    /// Another machine with the same node: the same keys and chain, but its own address, ports and data.
    pub fn twin(&self, place: &Place, name: &str) -> Result<Self> {
        let directory = place.path(name);
        let data = directory.join("data/node");
        make_directory(&data)?;
        let key = directory.join("node.key");
        write_secret(&key, &new_seed())?;
        let rpc = free_port()?;
        let address = format!("/ip4/127.0.0.1/tcp/{}", free_port()?);
        let mut node = self.node.like(name, place.log(name));
        node.set("--name", name);
        node.set("--listen-addr", &address);
        node.set("--public-addr", &address);
        node.set("--rpc-port", &rpc.to_string());
        node.set("--prometheus-port", &free_port()?.to_string());
        node.set("--base-path", &data.display().to_string());
        node.set("--node-key-file", &key.display().to_string());
        Ok(Self {
            gateway: None,
            node,
            name: name.into(),
            directory,
            rpc,
        })
    }

    /// Port of the node's RPC.
    pub fn rpc(&self) -> u16 {
        self.rpc
    }

    /// WebSocket address of the node.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.rpc)
    }

    /// How far its node is.
    pub async fn height(&self) -> Result<Height> {
        height::height(self.rpc).await
    }

    /// Starts the node and waits until it answers.
    pub async fn start_node(&mut self) -> Result<()> {
        self.node.start()?;
        self.node_answers().await
    }

    /// Waits until the node answers.
    pub async fn node_answers(&mut self) -> Result<()> {
        let port = self.rpc;
        let health = || rpc::call(port, "system_health", json!([]));
        self.node.until(PATIENCE, "answer", health).await.map(drop)
    }

    /// Nodes that its node is connected to.
    pub async fn peers(&self) -> Result<u64> {
        let health = rpc::call(self.rpc, "system_health", json!([])).await?;
        health["peers"].as_u64().context("no number of peers")
    }

    /// Starts broker and bridge, and waits until the bridge is ready.
    pub async fn start_gateway(&mut self) -> Result<()> {
        let gateway = self.gateway.as_mut().context("it has no gateway")?;
        gateway.broker.start()?;
        let mqtt = gateway.mqtt;
        let listens = || async move {
            tokio::net::TcpStream::connect(("127.0.0.1", mqtt)).await?;
            Ok(())
        };
        gateway.broker.until(PATIENCE, "listen", listens).await?;
        gateway.bridge.start()?;
        gateway.ready().await
    }

    /// Deletes the node's database, as when its disk was lost. Its keys stay. The node must not run.
    pub fn wipe(&self) -> Result<()> {
        let base = self.node.option("--base-path").context("no --base-path")?;
        let chains = Path::new(base).join("chains");
        for chain in std::fs::read_dir(&chains)? {
            for part in std::fs::read_dir(chain?.path())? {
                let part = part?.path();
                let keys = part.file_name().is_some_and(|name| name == "keystore");
                if part.is_dir() && !keys {
                    std::fs::remove_dir_all(&part)?;
                }
            }
        }
        Ok(())
    }

    /// The operator's account of a validator.
    pub fn operator(&self) -> Result<Signer> {
        Ok(Signer::from_file(&self.operator_file())?)
    }

    /// Where the operator's account is.
    pub fn operator_file(&self) -> PathBuf {
        self.directory.join("node/operator.key")
    }

    /// Connects to the node.
    pub async fn connect(&self) -> Result<Client> {
        let client = Client::connect(&self.url()).await;
        client.with_context(|| format!("cannot use {}", self.node.name()))
    }

    /// Connects to the node, taking blocks for final that are not: for a chain that stands.
    pub async fn connect_in_a_stall(&self) -> Result<Client> {
        let client = Client::connect_unfinalized(&self.url(), seconds(20)).await;
        client.with_context(|| format!("cannot use {}", self.node.name()))
    }

    /// Every service of it, in the order in which they stop.
    pub fn services(&mut self) -> impl Iterator<Item = &mut Service> {
        let gateway = self.gateway.as_mut();
        let beside = gateway.map(|it| [&mut it.bridge, &mut it.broker]);
        beside.into_iter().flatten().chain([&mut self.node])
    }
}

impl Gateway {
    /// Waits until the bridge is ready.
    pub async fn ready(&mut self) -> Result<()> {
        let admin = self.admin;
        let ready = || async move {
            let (status, body) = rpc::get(admin, "/readyz").await?;
            ensure!(
                status == 200,
                "it answers with HTTP status {status}: {body}"
            );
            Ok(())
        };
        self.bridge.until(PATIENCE, "be ready", ready).await
    }
}
