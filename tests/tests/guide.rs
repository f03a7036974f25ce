//! The guide from nothing to a running network (docs/first-network.md), typed as it stands there: on one machine, so that hosts and
//! ports are others, and so that what would change this machine is done otherwise. That is all that differs, and it is listed here.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{bail, ensure, Context, Result};
use keyward_test_ports::free_port;
use keyward_tests::{
    alerts::{self, MetricsPage},
    height,
    machine::Machine,
    page::{self, Block},
    place::{copy_directory, make_directory, Place},
    process::{binary, find, Process},
    rpc,
    shell::Shell,
    wait::{eventually, seconds},
};

const PAGE: &str = "docs/first-network.md";
/// The page for whoever is called at night.
const NIGHT: &str = "docs/operations.md";
/// Pages whose links to each other must lead somewhere.
const PAGES: [&str; 3] = [PAGE, "docs/backup.md", NIGHT];
const ALERTS: &str = "docs/alerts.yml";
/// The variables that the page sets, and the test otherwise.
const SETTINGS: [&str; 4] = ["ETC", "DATA", "BIN", "BROKER"];
/// What the removed device must not read.
const SECRET: &str = "shut valve 7";

/// What would change this machine, or needs others; `less README.md` stands for what that file says, see [`Guide::installs`].
const ON_THE_MACHINE: [&str; 12] = [
    "make build",
    "sudo install -m 0755 ~/.cache/keyward/target/release/keyward{,-node,-bridge,-agent} /usr/local/bin/",
    "sudo apt-get install --no-install-recommends mosquitto mosquitto-clients",
    "scp -rp valley/machines/acme-1 root@acme-1.valley.example:",
    "scp -rp valley/machines/hydro-1 root@hydro-1.valley.example:",
    "scp -rp valley/machines/metro-1 root@metro-1.valley.example:",
    "scp -rp valley/machines/roads-1 root@roads-1.valley.example:",
    "ssh root@acme-1.valley.example",
    "cd acme-1",
    "less README.md",
    "timedatectl set-ntp true",
    "rm -r ~/acme-1",
];

/// The same of a machine's README.md.
fn on_the_machine(gateway: bool, etc: &str, data: &str) -> Vec<String> {
    let user = "useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin";
    let own =
        |user: &str, part: &str| format!("install -d -m 0700 -o {user} -g {user} {data}/{part}");
    let node = [
        format!("{user} keyward-node"),
        format!("chown -R keyward-node: {etc}/node"),
        own("keyward-node", "node"),
        "install -m 0644 systemd/*.service /etc/systemd/system/".into(),
        "systemctl daemon-reload".into(),
        "systemctl enable --now keyward-node".into(),
        "systemctl --no-pager status keyward-node".into(),
    ];
    if !gateway {
        return node.into();
    }
    let all = "keyward-node keyward-mosquitto keyward-bridge";
    vec![
        "apt-get install --no-install-recommends mosquitto mosquitto-clients".into(),
        "systemctl disable --now mosquitto".into(),
        format!("{user} keyward-node"),
        format!("{user} keyward-bridge"),
        format!("chown -R keyward-node: {etc}/node"),
        format!("chown -R keyward-bridge: {etc}/bridge"),
        format!("chown -R mosquitto: {etc}/mosquitto {etc}/tls"),
        own("keyward-node", "node"),
        own("keyward-bridge", "bridge"),
        own("mosquitto", "mosquitto"),
        "install -m 0644 systemd/*.service /etc/systemd/system/".into(),
        "systemctl daemon-reload".into(),
        format!("systemctl enable --now {all}"),
        format!("systemctl --no-pager status {all}"),
    ]
}

/// Whether a line of a README.md would change this machine, or needs a user that it does not have.
fn needs_a_machine(line: &str) -> bool {
    let program = line.split(' ').next().unwrap_or_default();
    let foreign = line.contains(" -o ") || line.contains("/etc/systemd/");
    ["apt-get", "useradd", "chown", "systemctl"].contains(&program)
        || program == "install" && foreign
}

/// What the others are told of a machine.
#[derive(Clone, Copy)]
struct Ports {
    rpc: u16,
    prometheus: u16,
}

struct Guide {
    terminal: Option<(Process, PathBuf)>,
    machines: Vec<Machine>,
    ports: BTreeMap<String, Ports>,
    /// Port of the first gateway's broker.
    broker: u16,
    /// What the last block printed.
    printed: String,
    skipped: Vec<String>,
    shell: Shell,
    /// Where commands are typed.
    home: PathBuf,
    place: Place,
}

impl Guide {
    fn open() -> Result<Self> {
        let place = Place::new("guide")?;
        let home = place.path("home");
        make_directory(&home)?;
        Ok(Self {
            terminal: None,
            machines: Vec::new(),
            ports: BTreeMap::new(),
            broker: 0,
            printed: String::new(),
            skipped: Vec::new(),
            shell: Shell::new(&home, place.log("typed"))?,
            home,
            place,
        })
    }

    async fn follow(&mut self, block: &Block) -> Result<()> {
        let words: Vec<&str> = block.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["sh", "settings"] => sets_what_is_set_here(block),
            ["sh", "on-the-machine"] => self.skip(block).await,
            ["sh", at] => {
                self.printed = self.shell_at(at)?.types_block(block).await?;
                Ok(())
            }
            ["sh", at, "another-terminal"] => {
                let output = self.place.path("another-terminal");
                let process = self.shell_at(at)?.starts(block, &output)?;
                self.terminal = Some((process, output));
                Ok(())
            }
            ["text"] => page::says(&block.text, &self.printed),
            ["text", "another-terminal"] => self.is_shown(block).await,
            ["toml"] => self.writes_the_consortium(block),
            other => bail!("nobody knows what to do with a block of {other:?}"),
        }
    }

    /// A shell on a machine, or on the computer of a person; `{machine}` stands for all machines.
    fn shell_at(&self, at: &str) -> Result<Shell> {
        let machine = self.ports.get(at);
        let etc = self.etc(if machine.is_some() { at } else { "{machine}" });
        let bin = find(binary::NODE)?;
        let bin = bin.parent().context("the node is in no directory")?;
        let broker = format!("mqtts://127.0.0.1:{}", self.broker);
        let url = machine.map(|ports| format!("ws://127.0.0.1:{}", ports.rpc));
        let shell = self.shell.with(&[
            ("ETC", &etc),
            ("DATA", &format!("{etc}/data")),
            ("BIN", &bin.display().to_string()),
            ("BROKER", &broker),
        ]);
        Ok(match url {
            Some(url) => shell.with(&[("KEYWARD_URL", &url)]),
            // Nobody else has a node.
            None => shell,
        })
    }

    /// In place of /etc/keyward of a machine.
    fn etc(&self, machine: &str) -> String {
        let etc = self.place.path("etc").join(machine);
        etc.display().to_string()
    }

    /// The page's file, with one host and free ports for all.
    fn writes_the_consortium(&mut self, block: &Block) -> Result<()> {
        let mut file: toml::Table = toml::from_str(&block.text)?;
        for machine in tables(&mut file, "validators")? {
            let ports = [free_port()?, free_port()?, free_port()?];
            let [p2p, rpc, prometheus] = ports;
            let name = machine["name"].as_str().context("no name")?.to_owned();
            self.ports.insert(name, Ports { rpc, prometheus });
            machine.insert("host".into(), "127.0.0.1".into());
            let ports = format!("p2p = {p2p}\nrpc = {rpc}\nprometheus = {prometheus}");
            machine.insert("ports".into(), toml::from_str(&ports)?);
        }
        for gateway in tables(&mut file, "gateways")? {
            let (mqtt, admin) = (free_port()?, free_port()?);
            if self.broker == 0 {
                self.broker = mqtt;
            }
            let ports = format!("mqtt = {mqtt}\nadmin = {admin}");
            gateway.insert("ports".into(), toml::from_str(&ports)?);
        }
        let text = toml::to_string(&file)?;
        Ok(std::fs::write(self.home.join("consortium.toml"), text)?)
    }

    async fn skip(&mut self, block: &Block) -> Result<()> {
        for command in block.commands() {
            if command == "less README.md" {
                self.installs().await?;
            }
            self.skipped.push(command);
        }
        Ok(())
    }

    /// What each machine's README.md says, with the units' commands run without systemd, as whoever runs the test.
    async fn installs(&mut self) -> Result<()> {
        let network = std::fs::read_to_string(self.home.join("valley/network.toml"))?;
        let network = keyward_consortium::Network::parse(&network).into_result();
        let network = network.map_err(anyhow::Error::msg)?;
        let mut later = Vec::new();
        for machine in &network.plan.machines {
            let name = machine.name.as_str();
            let gateway = network.plan.gateway_on(&machine.name);
            let directory = self.home.join("valley/machines").join(name);
            let readme = std::fs::read_to_string(directory.join("README.md"))?;
            let [install, see] = first_two(page::blocks(&readme)?)?;
            let shell = self.shell_at(name)?.at(&directory);
            let mut skipped = types_what_it_can(&shell, &install).await?;
            let etc = PathBuf::from(self.etc(name));
            copy_directory(&directory.join("systemd"), &etc.join("systemd"))?;
            let ports = gateway.map(|it| (it.name.to_string(), it.ports.mqtt, it.ports.admin));
            let opened = Machine::open(&self.place, etc.clone(), name, machine.ports.rpc, ports)?;
            self.machines.push(opened);
            let checks = see.commands();
            let (checked_by, typed): (Vec<_>, Vec<_>) =
                checks.into_iter().partition(|line| needs_a_machine(line));
            skipped.extend(checked_by);
            let data = etc.join("data");
            let (etc, data) = (etc.display().to_string(), data.display().to_string());
            let expected = on_the_machine(gateway.is_some(), &etc, &data);
            ensure!(
                skipped == expected,
                "{name}: it says {skipped:#?}, and the test knows {expected:#?}"
            );
            users_are_those_of_the_units(&PathBuf::from(etc).join("systemd"), &skipped)?;
            later.push((shell, typed));
        }
        self.starts().await?;
        for (shell, typed) in later {
            for line in typed {
                // As the user of the unit; whoever runs the test is nobody else.
                let line = line.replace("runuser -u keyward-bridge -- ", "");
                shell.types(&line).await?;
            }
        }
        Ok(())
    }

    /// `systemctl enable --now` of all.
    async fn starts(&mut self) -> Result<()> {
        for machine in &mut self.machines {
            machine.node.start()?;
        }
        for machine in &mut self.machines {
            machine.node_answers().await?;
            height::finalizes(machine.rpc(), 2, seconds(90)).await?;
        }
        let gateways = self.machines.iter_mut();
        for machine in gateways.filter(|machine| machine.gateway.is_some()) {
            machine.start_gateway().await?;
        }
        Ok(())
    }

    async fn is_shown(&mut self, block: &Block) -> Result<()> {
        let (process, output) = self.terminal.as_mut().context("no other terminal")?;
        eventually(seconds(60), "the other terminal to show it", || {
            let ended = process.check();
            let shown = std::fs::read_to_string(&*output).unwrap_or_default();
            async move {
                ended?;
                page::says(&block.text, &shown)
            }
        })
        .await
    }

    /// The page can only say what is shown.
    fn the_removed_device_read_nothing(&self) -> Result<()> {
        let (_, output) = self.terminal.as_ref().context("no other terminal")?;
        let shown = std::fs::read_to_string(output)?;
        ensure!(!shown.contains(SECRET), "it reads on: {shown}");
        Ok(())
    }

    async fn metrics(&self) -> Result<MetricsPage> {
        let mut all = MetricsPage::default();
        for (name, ports) in &self.ports {
            let (status, text) = rpc::get(ports.prometheus, "/metrics").await?;
            ensure!(status == 200, "{name} answers with {status}");
            all.add(&text);
        }
        for gateway in self.machines.iter().filter_map(|it| it.gateway.as_ref()) {
            let (status, text) = rpc::get(gateway.admin, "/metrics").await?;
            ensure!(status == 200, "{} answers with {status}", gateway.name);
            all.add(&text);
        }
        Ok(all)
    }
}

impl Drop for Guide {
    fn drop(&mut self) {
        // All at once, so that stopping takes as long as the slowest.
        for machine in &mut self.machines {
            machine.services().for_each(|service| service.ask_to_stop());
        }
    }
}

fn sets_what_is_set_here(block: &Block) -> Result<()> {
    let words = block.text.split_whitespace();
    let names: Vec<&str> = words.filter_map(|it| Some(it.split_once('=')?.0)).collect();
    ensure!(names == SETTINGS, "the page sets {names:?}");
    Ok(())
}

fn tables<'a>(
    file: &'a mut toml::Table,
    name: &str,
) -> Result<impl Iterator<Item = &'a mut toml::Table>> {
    let all = file.get_mut(name).and_then(toml::Value::as_array_mut);
    let all = all.with_context(|| format!("no {name}"))?;
    Ok(all.iter_mut().filter_map(toml::Value::as_table_mut))
}

fn first_two(blocks: Vec<Block>) -> Result<[Block; 2]> {
    let shell = blocks.into_iter().filter(|block| block.is("sh")).take(2);
    let two: Vec<Block> = shell.collect();
    let two: Result<[Block; 2], _> = two.try_into();
    two.map_err(|found| anyhow::anyhow!("a README.md has only {} blocks", found.len()))
}

/// Types each line that can be typed here, and gives the others.
async fn types_what_it_can(shell: &Shell, block: &Block) -> Result<Vec<String>> {
    let (skipped, typed): (Vec<_>, Vec<_>) = block
        .commands()
        .into_iter()
        .partition(|line| needs_a_machine(line));
    shell.types(&typed.join("\n")).await?;
    Ok(skipped)
}

/// Every user that a unit names is made, or comes with Debian's Mosquitto.
fn users_are_those_of_the_units(units: &std::path::Path, commands: &[String]) -> Result<()> {
    for unit in std::fs::read_dir(units)? {
        let unit = std::fs::read_to_string(unit?.path())?;
        let user = unit.lines().find_map(|line| line.strip_prefix("User="));
        let user = user.context("a unit without User=")?;
        let made = |line: &String| line.starts_with("useradd ") && line.ends_with(user);
        ensure!(
            user == "mosquitto" || commands.iter().any(made),
            "nobody makes the user {user}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_leads_from_nothing_to_a_message_that_only_members_read() -> Result<()> {
    let mut guide = Guide::open()?;
    for block in page::placed_blocks(PAGE)? {
        let followed = guide.follow(&block).await;
        followed.with_context(|| format!("{PAGE}, line {}", block.line))?;
    }
    guide.the_removed_device_read_nothing()?;
    ensure!(
        guide.skipped == ON_THE_MACHINE,
        "it says {:#?}",
        guide.skipped
    );
    // What the page for the night has to type on a machine as it is now.
    let night = page::blocks(&page::read(NIGHT)?)?;
    let mut placed = night.iter().filter(|it| it.words.len() == 2).peekable();
    ensure!(placed.peek().is_some(), "{NIGHT} has nothing to type");
    for block in placed {
        let followed = guide.follow(block).await;
        followed.with_context(|| format!("{NIGHT}, line {}", block.line))?;
    }
    // Whatever wakes somebody up, or is told to look at, exists.
    let metrics = guide.metrics().await?;
    let alerts = alerts::read(&page::read(ALERTS)?)?;
    for alert in &alerts {
        let names = metrics.has_all(&alert.expression);
        names.with_context(|| format!("{ALERTS}: {}", alert.name))?;
    }
    metrics.has_all_named_in(&page::read(NIGHT)?)
}

#[test]
fn every_alert_says_what_is_wrong_and_where_it_stands_what_to_do() -> Result<()> {
    let alerts = alerts::read(&page::read(ALERTS)?)?;
    ensure!(alerts.len() >= 15, "only {} were found", alerts.len());
    for alert in &alerts {
        ensure!(!alert.summary.is_empty(), "{} has no summary", alert.name);
        leads_somewhere("", &alert.runbook).with_context(|| alert.name.clone())?;
    }
    Ok(())
}

#[test]
fn links_of_the_operators_pages_lead_somewhere() -> Result<()> {
    for name in PAGES {
        let page = page::read(name)?;
        let links = page
            .split("](")
            .skip(1)
            .filter_map(|it| it.split(')').next());
        let links: Vec<&str> = links.filter(|it| !it.contains("://")).collect();
        ensure!(links.len() >= 3, "{name}: only {} links", links.len());
        for link in links {
            leads_somewhere(name, link).with_context(|| name.to_owned())?;
        }
    }
    Ok(())
}

/// `link` stands on a page, or on none, when it begins at the top of the repository.
fn leads_somewhere(from: &str, link: &str) -> Result<()> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let from = page::path(from);
    let target = match (file.is_empty(), from.is_dir()) {
        (true, _) => from,
        (false, true) => from.join(file),
        (false, false) => from.parent().context("no directory")?.join(file),
    };
    ensure!(target.exists(), "{link}: there is no {}", target.display());
    if anchor.is_empty() {
        return Ok(());
    }
    let anchors = page::anchors(&std::fs::read_to_string(&target)?);
    ensure!(
        anchors.contains(anchor),
        "{link}: no such heading; there are {anchors:?}"
    );
    Ok(())
}
