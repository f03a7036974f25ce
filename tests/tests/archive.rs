//! A group's archive: written from a real chain, found right, and found wrong whatever was done to one entry (KEX-10).

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use keyward_protocol::{policy::Policy, GroupId, Role};
use keyward_tests::{
    device::Device,
    network::{Network, Plan},
    process::Ran,
};
use serde_json::Value;

const TOPIC: &str = "app/valve";

struct Scene {
    network: Network,
    group: GroupId,
}

impl Scene {
    /// A group with members that come, go and acknowledge.
    async fn set() -> Result<Self> {
        let network = Network::start(Plan::new("archive", &["1111", "1112"], &["app/#"])?).await?;
        let group: GroupId = "valves".parse()?;
        let mut member = Device::new("9001")?;
        member.enrol(&network).await?;
        let members = [
            ("1111".parse()?, Role::Publish),
            ("1112".parse()?, Role::Subscribe),
            (member.id.clone(), Role::Subscribe),
        ];
        let policy = Policy::default();
        network.form(&group, TOPIC, &policy, &members).await?;
        network.delivered(&group).await?;
        let scene = Self { network, group };
        for line in [
            "group rotate valves",
            "device suspend 9001",
            "device reinstate 9001",
            "group remove valves 9001",
        ] {
            scene.run(line).await?.success()?;
            scene.network.settled(&scene.group).await?;
        }
        let mut reader = scene.network.agent("1112")?.subscribe(&[TOPIC])?;
        reader.ready().await?;
        let agent = scene.network.agent("1111")?;
        agent.publish(TOPIC, "a reading").await?;
        let reading = "1112".parse()?;
        scene
            .network
            .acknowledged(&scene.group, &[&reading])
            .await?;
        Ok(scene)
    }

    async fn run(&self, line: &str) -> Result<Ran> {
        let args: Vec<&str> = line.split(' ').collect();
        self.network.operator.run(&args).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.network.place.path(name)
    }

    async fn verified(&self, file: &Path, more: &str) -> Result<Ran> {
        let file = file.display();
        self.run(&format!("audit valves --archive {file} --json{more}"))
            .await
    }

    /// Writes another archive, as somebody changed it; gives what is found wrong with it.
    async fn found(&self, lines: &[String]) -> Result<String> {
        let path = self.path("changed.jsonl");
        std::fs::write(&path, lines.join("\n") + "\n")?;
        let ran = self.verified(&path, "").await?;
        ensure!(ran.code == Some(1), "it is not found: {}", ran.stdout);
        Ok(ran.stderr)
    }
}

fn json(ran: Ran) -> Result<Value> {
    Ok(serde_json::from_str(&ran.success()?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_right_until_somebody_changes_it() -> Result<()> {
    let scene = Scene::set().await?;
    let file = scene.path("valves.jsonl");
    let shown = file.display();
    let export = format!("audit valves --export {shown}");
    scene.run(&export).await?.success()?;
    let again = scene.run(&export).await?;
    ensure!(again.code == Some(1) && again.stderr.contains("nothing is overwritten"));

    let report = json(scene.verified(&file, "").await?)?;
    ensure!(report["right"] == true && report["head"] == report["chain_head"]);
    ensure!(
        report["receipts"].as_u64() >= Some(1) && report["batches_without_receipts"] == 0,
        "{report}"
    );
    let offline = json(scene.verified(&file, " --offline").await?)?;
    ensure!(offline["right"] == true && offline["chain_head"].is_null());
    ensure!(offline["head"] == report["head"]);
    one_entry_is_enough(&scene, &file).await
}

async fn one_entry_is_enough(scene: &Scene, file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for kind in [
        "advanced",
        "activated",
        "delivered",
        "joined",
        "left",
        "suspended",
        "receipts",
    ] {
        let said = format!("\"entry\":{{\"{kind}\"");
        ensure!(text.contains(&said), "no {kind} in the archive");
    }
    let at = lines
        .iter()
        .position(|line| line.contains("\"left\""))
        .context("nobody left")?;
    // Line 1 is the header: entry N is line N + 1.
    let entry = format!("entry {at} ");

    let mut changed = lines.clone();
    changed[at] = changed[at].replacen("9001", "1112", 1);
    let said = scene.found(&changed).await?;
    ensure!(
        said.contains(&entry) && said.contains("was changed"),
        "{said}"
    );

    let mut missing = lines.clone();
    missing.remove(at);
    let said = scene.found(&missing).await?;
    ensure!(said.contains(&entry), "{said}");

    let mut moved = lines.clone();
    moved.swap(at, at - 1);
    let said = scene.found(&moved).await?;
    ensure!(said.contains(&format!("entry {} ", at - 1)), "{said}");

    let mut cut = lines.clone();
    cut.pop();
    let said = scene.found(&cut).await?;
    ensure!(said.contains("missing at the end"), "{said}");
    a_whole_forgery_is_found_on_the_chain(scene, lines, at).await
}

/// Cut off, and its first line changed to match: whole by itself, and not what the chain recorded.
async fn a_whole_forgery_is_found_on_the_chain(
    scene: &Scene,
    mut lines: Vec<String>,
    at: usize,
) -> Result<()> {
    lines.truncate(at);
    let last: Value = serde_json::from_str(lines.last().context("nothing")?)?;
    let mut header: Value = serde_json::from_str(&lines[0])?;
    header["head"] = last["head"].clone();
    lines[0] = header.to_string();
    let path = scene.path("forged.jsonl");
    std::fs::write(&path, lines.join("\n") + "\n")?;
    let offline = json(scene.verified(&path, " --offline").await?)?;
    ensure!(offline["right"] == true, "{offline}");
    let online = scene.verified(&path, "").await?;
    ensure!(online.code == Some(1), "{}", online.stdout);
    let said = &online.stderr;
    ensure!(
        said.contains("is missing")
            && said.contains(&format!("entry {at}"))
            && said.contains("9001"),
        "{said}"
    );
    Ok(())
}
