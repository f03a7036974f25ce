//! Backup and restore (docs/backup.md), typed as it stands there on a running network: a validator that was moved, one that has nothing
//! but its keys, and one that has not even those author and vote again, and nobody signs twice; a gateway without its journal, or
//! with an old one, gives every member a key.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context, Result};
use futures::future::try_join;
use keyward_chain_client::{Call, Client, OperatorStatus, Signer};
use keyward_protocol::{
    policy::Policy,
    topic::{Filters, TopicFilter},
    AccountId, DeviceId, GroupId, Role,
};
use keyward_tests::{
    agent::{Agent, Subscriber},
    consortium::{Consortium, Plan},
    height,
    machine::Machine,
    operator::Operator,
    page::{self, Block},
    place::make_directory,
    shell::Shell,
    wait::{eventually, seconds},
};

const PAGE: &str = "docs/backup.md";
const GROUP: &str = "acme.valves";
const TOPIC: &str = "acme/valves";
const PUBLISHER: &str = "acme.1";
const READERS: [&str; 2] = ["acme.2", "acme.3"];
/// Seconds for whatever takes a few blocks, on a machine that runs other suites beside.
const PATIENCE: u64 = 150;
/// Blocks that the others finalize before a validator comes back with nothing but its keys.
const ROUNDS: u32 = 10;

/// A machine, as the page's commands know it.
struct Spot {
    name: String,
    etc: PathBuf,
    data: PathBuf,
    url: String,
}

/// Whoever types what the page says.
struct Typist {
    spots: Vec<Spot>,
    shell: Shell,
    /// Where copies are.
    home: PathBuf,
}

/// What is to be done otherwise, and for which machine.
type Otherwise = (String, Vec<String>);

impl Typist {
    fn new(network: &Consortium) -> Result<Self> {
        let home = network.place.path("copies");
        make_directory(&home.join("operators"))?;
        let spot = |machine: &Machine| Spot {
            name: machine.name.clone(),
            etc: machine.directory.clone(),
            data: machine.directory.join("data"),
            url: machine.url(),
        };
        for machine in &network.machines {
            let key = home.join(format!("operators/{}.key", machine.name));
            std::fs::rename(machine.operator_file(), key)?;
        }
        Ok(Self {
            spots: network.machines.iter().map(spot).collect(),
            shell: Shell::new(&home, network.place.log("typed"))?,
            home,
        })
    }

    fn spot(&self, name: &str) -> Result<&Spot> {
        let spot = self.spots.iter().find(|spot| spot.name == name);
        spot.with_context(|| format!("there is no machine {name}"))
    }

    /// Types a block, or looks for what was printed; or says what is to be done otherwise.
    async fn follow(&self, block: &Block, printed: &mut String) -> Result<Option<Otherwise>> {
        let words: Vec<&str> = block.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["sh", "on-the-machine", at] => return Ok(Some(((*at).to_owned(), block.commands()))),
            ["sh", at] => {
                let Spot { etc, data, url, .. } = self.spot(at)?;
                let (etc, data) = (etc.display().to_string(), data.display().to_string());
                let variables = [("ETC", &*etc), ("DATA", &*data), ("KEYWARD_URL", url)];
                *printed = self.shell.with(&variables).types_block(block).await?;
            }
            ["text"] => page::says(&block.text, printed)?,
            other => bail!("nobody knows what to do with a block of {other:?}"),
        }
        Ok(None)
    }
}

/// The page's blocks: before its section on validators, in that, and in the one on gateways.
fn parts() -> Result<[Vec<Block>; 3]> {
    let text = page::read(PAGE)?;
    let line = |heading: &str| {
        let at = text.lines().position(|line| line == heading);
        at.with_context(|| format!("no heading {heading}"))
    };
    let (validator, gateway) = (line("## A validator")?, line("## A gateway")?);
    let mut blocks = page::placed_blocks(PAGE)?;
    ensure!(
        blocks.remove(0).is("sh settings"),
        "what is set comes first"
    );
    let (before, rest): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|it| it.line < validator);
    let (validator, gateway) = rest.into_iter().partition(|it| it.line < gateway);
    Ok([before, validator, gateway])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_is_restored_as_the_page_says() -> Result<()> {
    let plan = Plan {
        gateways: 1,
        ..Plan::default()
    };
    let mut network = Consortium::started("backup", plan).await?;
    network.machines[0].start_gateway().await?;
    let typist = Typist::new(&network)?;
    let mut site = Site::set_up(&network).await?;
    let accounts = [network.operator(2)?, network.operator(3)?];
    let lost = network.machines.split_off(2);
    let mut validators = Validators::new(&network.machines, lost, accounts, &typist).await?;
    let mut gateway = GatewayPart {
        machine: &mut network.machines[0],
        site: &mut site,
    };

    let [before, validator, after] = parts()?;
    gateway.follow(&typist, &before, false).await?;
    let restored = gateway.follow(&typist, &after, true);
    try_join(validators.follow(&validator), restored).await?;
    validators.nobody_signed_twice().await
}

/// The validators that are lost, and how the others see it.
struct Validators<'a> {
    typist: &'a Typist,
    lost: Vec<Machine>,
    accounts: [AccountId; 2],
    chain: Client,
    /// RPC port of one that is not lost.
    port: u16,
    /// How far finality was when one was stopped.
    stopped: u32,
}

impl<'a> Validators<'a> {
    async fn new(
        others: &[Machine],
        lost: Vec<Machine>,
        accounts: [AccountId; 2],
        typist: &'a Typist,
    ) -> Result<Self> {
        let other = others.first().context("nobody is left")?;
        Ok(Self {
            typist,
            lost,
            accounts,
            chain: other.connect().await?,
            port: other.rpc(),
            stopped: 0,
        })
    }

    async fn follow(&mut self, blocks: &[Block]) -> Result<()> {
        let mut printed = String::new();
        for block in blocks {
            let followed = self.typist.follow(block, &mut printed).await;
            let otherwise = followed.with_context(|| format!("{PAGE}, line {}", block.line))?;
            let (at, commands) = otherwise.unwrap_or_default();
            for command in &commands {
                self.does(&at, command)
                    .await
                    .with_context(|| command.clone())?;
            }
        }
        // The last of the section has new keys.
        let validators = self.chain.validators(self.chain.finalized().await?).await?;
        let from = validators.begins_at(validators.in_force_from());
        self.authors("metro-1", from).await
    }

    fn index(&self, name: &str) -> Result<usize> {
        let index = self.lost.iter().position(|machine| machine.name == name);
        index.with_context(|| format!("{name} is not to be lost"))
    }

    /// What stands for a command that is not for this machine.
    async fn does(&mut self, at: &str, command: &str) -> Result<()> {
        let index = self.index(at)?;
        match command {
            "systemctl disable --now keyward-node" => {
                self.lost[index].node.stop();
                self.stopped = height::height(self.port).await?.finalized;
                Ok(())
            }
            "scp root@roads-1.valley.example:roads-1-*.tar ." => self.is_another_machine(at),
            "scp backup:roads-1-node.tar ." => {
                let patience = seconds(PATIENCE);
                height::finalizes(self.port, self.stopped + ROUNDS, patience).await?;
                self.is_another_machine(at)
            }
            "scp -r root@acme-1.valley.example:/etc/keyward/node/chain-raw.json ." => {
                self.lost[index].node.kill();
                // One of four is missing: the one that was restored before votes.
                height::goes_on(self.port, ROUNDS, seconds(PATIENCE)).await?;
                let specification = self.typist.spot("acme-1")?.etc.join("node/chain-raw.json");
                std::fs::copy(specification, self.typist.home.join("chain-raw.json"))?;
                self.is_another_machine(at)
            }
            "chown -R keyward-node: /etc/keyward/node /var/lib/keyward/node"
            | "chown -R keyward-node: /etc/keyward/node" => Ok(()),
            "systemctl enable --now keyward-node" => self.starts(at, index).await,
            other => bail!("nobody knows what to do instead of '{other}'"),
        }
    }

    /// Nothing of the old one is there.
    fn is_another_machine(&self, name: &str) -> Result<()> {
        let spot = self.typist.spot(name)?;
        std::fs::remove_dir_all(spot.etc.join("node"))?;
        std::fs::remove_dir_all(spot.data.join("node"))?;
        Ok(())
    }

    async fn starts(&mut self, name: &str, index: usize) -> Result<()> {
        // StateDirectory=
        make_directory(&self.typist.spot(name)?.data.join("node"))?;
        let began = height::height(self.port).await?;
        let machine = &mut self.lost[index];
        machine.start_node().await?;
        height::finalizes(machine.rpc(), began.best, seconds(PATIENCE)).await?;
        match name {
            "metro-1" => Ok(()),
            name => self.authors(name, began.best).await,
        }
    }

    /// Waits until it authored one of the blocks after the one of a number.
    async fn authors(&self, name: &str, after: u32) -> Result<()> {
        let account = self.accounts[self.index(name)?];
        eventually(seconds(PATIENCE), &format!("{name} to author"), || async {
            let now = self.chain.finalized().await?;
            let blocks = now.number.saturating_sub(after);
            ensure!(blocks > 0, "block {} is final", now.number);
            let authored = self.chain.authored(now, blocks).await?;
            let its = authored.by.get(&account).copied();
            its.map(drop)
                .with_context(|| format!("the last {blocks} blocks are of {:?}", authored.by))
        })
        .await
    }

    async fn nobody_signed_twice(&self) -> Result<()> {
        let now = self.chain.validators(self.chain.finalized().await?).await?;
        for operator in &now.operators {
            ensure!(
                operator.status == OperatorStatus::Validating && operator.offences.is_empty(),
                "{operator:?}"
            );
        }
        Ok(())
    }
}

/// The machine with the gateway, and those whom it serves.
struct GatewayPart<'a> {
    machine: &'a mut Machine,
    site: &'a mut Site,
}

impl GatewayPart<'_> {
    /// Types these blocks; when something was restored, everybody must have a key of a new epoch after each start.
    async fn follow(&mut self, typist: &Typist, blocks: &[Block], restores: bool) -> Result<()> {
        let mut printed = String::new();
        for block in blocks {
            let followed = typist.follow(block, &mut printed).await;
            let otherwise = followed.with_context(|| format!("{PAGE}, line {}", block.line))?;
            let (at, commands) = otherwise.unwrap_or_default();
            ensure!(commands.is_empty() || at == "acme-1", "{at} is no gateway");
            for command in &commands {
                let before = self.site.epoch().await?;
                let started = self.does(typist, command).await;
                if started.with_context(|| command.clone())? && restores {
                    self.site.everybody_has_a_key_after(before).await?;
                }
            }
        }
        Ok(())
    }

    /// What stands for a command that is not for this machine; whether it started the bridge.
    async fn does(&mut self, typist: &Typist, command: &str) -> Result<bool> {
        let gateway = self.machine.gateway.as_mut().context("no gateway")?;
        match command {
            "systemctl disable --now keyward-bridge keyward-mosquitto" => {
                gateway.bridge.stop();
                gateway.broker.stop();
            }
            "systemctl stop keyward-bridge" => gateway.bridge.stop(),
            "scp backup:acme-1-gateway.tar ." => is_another_machine(typist.spot("acme-1")?)?,
            "chown -R keyward-bridge: /etc/keyward/bridge"
            | "chown -R mosquitto: /etc/keyward/mosquitto /etc/keyward/tls"
            | "chown -R keyward-bridge: /var/lib/keyward/bridge" => {}
            "systemctl enable --now keyward-mosquitto keyward-bridge" => {
                self.machine.start_gateway().await?;
                return Ok(true);
            }
            "systemctl start keyward-bridge" => {
                gateway.bridge.start()?;
                gateway.ready().await?;
                return Ok(true);
            }
            other => bail!("nobody knows what to do instead of '{other}'"),
        }
        Ok(false)
    }
}

/// Nothing of the old gateway is there, and systemd has made the directories of the new one.
fn is_another_machine(spot: &Spot) -> Result<()> {
    for part in ["bridge", "mosquitto", "tls"] {
        std::fs::remove_dir_all(spot.etc.join(part))?;
    }
    for part in ["bridge", "mosquitto"] {
        std::fs::remove_dir_all(spot.data.join(part))?;
        make_directory(&spot.data.join(part))?;
    }
    Ok(())
}

/// A group whose members are there all the time.
struct Site {
    readers: Vec<Subscriber>,
    publisher: Agent,
    chain: Client,
    group: GroupId,
}

impl Site {
    async fn set_up(network: &Consortium) -> Result<Self> {
        let machine = &network.machines[0];
        let chain = machine.connect().await?;
        let gateway = Signer::from_file(&machine.directory.join("bridge/keys/account.key"))?;
        let group: GroupId = GROUP.parse()?;
        let filters = Filters::new([TopicFilter::new(TOPIC)?]).context("one filter")?;
        let custodians = [gateway.account()];
        let create = Call::create_group(&group, &filters, &Policy::default(), &custodians);
        let publisher = enrolled(network, PUBLISHER).await?;
        let mut members = vec![(publisher.id.clone(), Role::Publish)];
        let mut agents = Vec::new();
        for id in READERS {
            let agent = enrolled(network, id).await?;
            members.push((agent.id.clone(), Role::Subscribe));
            agents.push(agent);
        }
        let calls = vec![create, Call::add_members(&group, &members)];
        chain.submit(&gateway, Call::batch_all(calls)).await?;
        let mut readers = Vec::new();
        for agent in &agents {
            let mut reader = agent.subscribe(&[TOPIC])?;
            reader.ready().await?;
            readers.push(reader);
        }
        let site = Self {
            readers,
            publisher,
            chain,
            group,
        };
        site.everybody_has_a_key_after(0).await?;
        Ok(site)
    }

    async fn epoch(&self) -> Result<u32> {
        let view = self.chain.at(self.chain.finalized().await?.hash);
        let group = view.group(&self.group).await?;
        Ok(group.context("there is no group")?.epoch)
    }

    /// Waits until a later epoch than this one is there, each member has acknowledged it, and each reader reads what is sent in it.
    async fn everybody_has_a_key_after(&self, before: u32) -> Result<()> {
        let what = format!("everybody to have a key after that of epoch {before}");
        let message = format!("after epoch {before}");
        let epoch = eventually(seconds(PATIENCE), &what, || async {
            // A publisher acknowledges what it gets while it publishes.
            let published = self.publisher.try_to_publish(TOPIC, &message, 20).await?;
            published.success()?;
            let view = self.chain.at(self.chain.finalized().await?.hash);
            let epoch = self.epoch().await?;
            ensure!(epoch > before, "it is epoch {epoch}");
            let members = view.members(&self.group).await?;
            let has =
                |it: &Option<(u32, u32)>| it.is_some_and(|(acknowledged, _)| acknowledged == epoch);
            let lacking: Vec<_> = members.iter().filter(|it| !has(&it.acknowledged)).collect();
            ensure!(lacking.is_empty() && members.len() == 3, "{lacking:?}");
            Ok::<_, anyhow::Error>(epoch)
        })
        .await?;
        let message = format!("in epoch {epoch}");
        self.publisher.publish(TOPIC, &message).await?;
        for reader in &self.readers {
            reader.reads(&message, seconds(PATIENCE)).await?;
        }
        Ok(())
    }
}

/// Enrols a device of the first organisation through its gateway, over TLS.
async fn enrolled(network: &Consortium, id: &str) -> Result<Agent> {
    let machine = &network.machines[0];
    let gateway = machine.gateway.as_ref().context("no gateway")?;
    let tls = machine.directory.join("tls/ca.pem");
    // The device keeps its own copy: that of the gateway is lost on the way.
    let authority = network.place.path("devices-ca.pem");
    std::fs::copy(tls, &authority)?;
    let id: DeviceId = id.parse()?;
    let agent = Agent::init_encrypted(&network.place, &id, gateway.mqtt, &authority).await?;
    let ca = network
        .directory
        .join("organisations/acme/authorities/acme.ca");
    let text = |path: &Path| path.display().to_string();
    let (ca, request, out) = (
        text(&ca),
        text(&agent.request()),
        text(&agent.provisioning()),
    );
    let operator = Operator::new(&network.place, machine.url())?;
    let gateway = ["--gateway", "acme.gw1", "--topic", "acme/#"];
    let issue = [
        "ca",
        "issue",
        "--ca",
        &ca,
        "--request",
        &request,
        "--out",
        &out,
    ];
    let issue: Vec<&str> = issue.into_iter().chain(gateway).collect();
    operator.must(&issue).await?;
    agent.enrol().await?;
    Ok(agent)
}
