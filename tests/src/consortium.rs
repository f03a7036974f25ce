//! A network of several organisations on one machine, made by `keyward network new` and run by the commands of the units that
//! it writes.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use futures::future::try_join_all;
use keyward_chain_client::{Call, Client, Signer, Validators};
use keyward_protocol::AccountId;
use keyward_test_ports::free_port;

use crate::{
    council,
    height::{self, Height},
    machine::{GatewayPlan, Machine},
    place::Place,
    process::{self, binary, command, find},
    wait::{eventually, seconds},
};

/// Organisations of a network that tests make; each runs a validator.
const ORGANISATIONS: [&str; 4] = ["acme", "hydro", "metro", "roads"];

/// What a test wants.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Validators, at most four.
    pub validators: usize,
    /// Nodes that do not validate.
    pub nodes: usize,
    /// Gateways, on the first validators' machines.
    pub gateways: usize,
    /// There are never fewer validators.
    pub minimum: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            validators: 4,
            nodes: 0,
            gateways: 0,
            minimum: 3,
        }
    }
}

impl Plan {
    /// As a `consortium.toml` with free ports: sessions of ten blocks, a council of three.
    pub fn to_toml(self) -> Result<String> {
        let mut text = format!(
            "[network]\nname = \"Keyward Test\"\nid = \"keyward-test\"\nsession_blocks = 10\nminimum_validators = {}\n",
            self.minimum
        );
        for id in ORGANISATIONS {
            text += &format!("\n[[organisations]]\nid = \"{id}\"\nlabel = \"{id}\"\n");
        }
        for id in ORGANISATIONS.iter().take(self.validators) {
            text += &machine("validators", &format!("{id}-1"), id)?;
        }
        for number in 0..self.nodes {
            text += &machine("nodes", &format!("extra-{number}"), "acme")?;
        }
        for id in ORGANISATIONS.iter().take(self.gateways) {
            text += &format!(
                "\n[[gateways]]\nname = \"{id}.gw1\"\norganisation = \"{id}\"\nmachine = \"{id}-1\"\n\
                 topics = [\"{id}/#\"]\nports = {{ mqtt = {}, admin = {} }}\n\
                 \n[[authorities]]\nid = \"{id}.ca\"\norganisation = \"{id}\"\n",
                free_port()?,
                free_port()?
            );
        }
        for (name, id) in [("anna", "acme"), ("henrik", "hydro"), ("mei", "metro")] {
            text += &format!("\n[[council]]\nname = \"{name}\"\norganisation = \"{id}\"\n");
        }
        text += "\n[[committee]]\nname = \"rosa\"\norganisation = \"roads\"\n";
        Ok(text)
    }
}

fn machine(kind: &str, name: &str, organisation: &str) -> Result<String> {
    Ok(format!(
        "\n[[{kind}]]\nname = \"{name}\"\norganisation = \"{organisation}\"\nhost = \"127.0.0.1\"\n\
         ports = {{ p2p = {}, rpc = {}, prometheus = {} }}\n",
        free_port()?,
        free_port()?,
        free_port()?
    ))
}

/// A network. What is dropped first is stopped first.
pub struct Consortium {
    /// Its machines: validators first, then the others.
    pub machines: Vec<Machine>,
    /// What `keyward network new` wrote, read again.
    pub network: keyward_consortium::Network,
    /// Where it wrote it.
    pub directory: PathBuf,
    /// Where all of it is.
    pub place: Place,
}

impl Consortium {
    /// Makes a network for a test. Nothing is started.
    pub async fn found(name: &str, plan: Plan) -> Result<Self> {
        let place = Place::new(name)?;
        let file = place.path("consortium.toml");
        std::fs::write(&file, plan.to_toml()?)?;
        Self::from_file(place, &file).await
    }

    /// Makes a network from a consortium's file, as its founders would. Nothing is started.
    pub async fn from_file(place: Place, file: &Path) -> Result<Self> {
        let directory = place.path("network");
        make(&place, file, &directory).await?;
        let text = std::fs::read_to_string(directory.join("network.toml"))?;
        let network = keyward_consortium::Network::parse(&text).into_result();
        let network = network.map_err(anyhow::Error::msg)?;
        let machines = network.plan.machines.iter().map(|machine| {
            let gateway = network.plan.gateway_on(&machine.name);
            let gateway: Option<GatewayPlan> = gateway.map(|gateway| {
                let ports = gateway.ports;
                (gateway.name.to_string(), ports.mqtt, ports.admin)
            });
            let name = machine.name.as_str();
            let home = directory.join("machines").join(name);
            Machine::open(&place, home, name, machine.ports.rpc, gateway)
        });
        Ok(Self {
            machines: machines.collect::<Result<_>>()?,
            network,
            directory,
            place,
        })
    }

    /// Starts every validator, and waits until the first blocks are finalized everywhere.
    pub async fn start(&mut self) -> Result<()> {
        for index in self.validators() {
            self.machines[index].node.start()?;
        }
        for index in self.validators() {
            self.machines[index].node_answers().await?;
        }
        self.finalize(2, 90).await.map(drop)
    }

    /// Makes and starts a network for a test.
    pub async fn started(name: &str, plan: Plan) -> Result<Self> {
        let mut consortium = Self::found(name, plan).await?;
        consortium.start().await?;
        Ok(consortium)
    }

    /// Indices of the machines that validated from the first block.
    pub fn validators(&self) -> std::ops::Range<usize> {
        0..self.network.plan.validators().count()
    }

    /// RPC ports of the machines whose node runs.
    pub fn ports(&mut self) -> Vec<u16> {
        let running = self.machines.iter_mut();
        let port =
            |machine: &mut Machine| machine.node.process().map(|_| ()).map(|()| machine.rpc());
        running.filter_map(port).collect()
    }

    /// Waits until every running node has finalized the block of a number, and gives the smallest of their heights.
    pub async fn finalize(&mut self, number: u32, patience: u64) -> Result<Height> {
        let ports = self.ports();
        let reached = ports
            .iter()
            .map(|port| height::finalizes(*port, number, seconds(patience)));
        let reached = try_join_all(reached).await?;
        reached.into_iter().min().context("no node runs")
    }

    /// Waits until every running node has finalized so many blocks more than the best of them has now.
    pub async fn goes_on(&mut self, blocks: u32, patience: u64) -> Result<Height> {
        let ports = self.ports();
        let heights = try_join_all(ports.iter().map(|port| height::height(*port))).await?;
        let now = heights.iter().map(|height| height.finalized).max();
        self.finalize(now.unwrap_or(0).saturating_add(blocks), patience)
            .await
    }

    /// The council's members, who can decide anything together.
    pub fn council(&self) -> Result<Vec<Signer>> {
        let key = |member: &keyward_consortium::Member| {
            let (organisation, name) = (&member.organisation, &member.name);
            let file = format!("organisations/{organisation}/council/{name}.key");
            Ok(Signer::from_file(&self.directory.join(file))?)
        };
        self.network.plan.council.iter().map(key).collect()
    }

    /// Has the council decide that root dispatches these calls, all or none.
    pub async fn decide(&self, chain: &Client, calls: Vec<Call>) -> Result<u32> {
        council::decide_as(chain, &self.council()?, calls).await
    }

    /// The operator's account of a machine that validated from the first block.
    pub fn operator(&self, index: usize) -> Result<AccountId> {
        let name = &self.network.plan.machines[index].name;
        let session = self
            .network
            .machines
            .get(name)
            .and_then(|keys| keys.session);
        Ok(session.context("it is no validator")?.account)
    }

    /// Waits until the validators, as a client sees them at its newest finalized block, are as they should be.
    pub async fn validators_become(
        &self,
        chain: &Client,
        patience: u64,
        what: &str,
        should: impl Fn(&Validators) -> bool,
    ) -> Result<Validators> {
        eventually(seconds(patience), what, || async {
            let now = chain.validators(chain.finalized().await?).await?;
            ensure!(should(&now), "they are {now:?}");
            Ok::<_, anyhow::Error>(now)
        })
        .await
    }
}

impl Drop for Consortium {
    fn drop(&mut self) {
        // All at once, so that stopping takes as long as the slowest.
        for machine in &mut self.machines {
            machine.services().for_each(|service| service.ask_to_stop());
        }
    }
}

async fn make(place: &Place, file: &Path, directory: &Path) -> Result<()> {
    let node = find(binary::NODE)?;
    let programs = node.parent().context("the node is in no directory")?;
    let machines = directory.join("machines/{machine}");
    let mut new = command(&find(binary::OPERATOR)?);
    new.args(["network", "new"]).arg(file);
    new.arg("--out").arg(directory);
    new.arg("--install-dir").arg(&machines);
    new.arg("--data-dir").arg(machines.join("data"));
    new.arg("--bin-dir").arg(programs);
    new.arg("--node").arg(&node);
    let ran = process::run(new, seconds(120), &place.log("commands")).await?;
    ran.success().map(drop)
}
