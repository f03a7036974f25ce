//! Two of four validators stop: nothing is final any more, no removal takes effect, and publishers stop sealing. When the two
//! come back, all of it heals by itself; when they are gone for good, the council lets the others go on alone.

use std::{path::Path, time::Duration};

use anyhow::{ensure, Context, Result};
use keyward_chain_client::{Call, Client, OperatorStatus, Signer, Validators};
use keyward_protocol::{
    policy::Policy,
    topic::{Filters, TopicFilter},
    DeviceId, GroupId, Role,
};
use keyward_tests::{
    agent::{Agent, Subscriber},
    consortium::{Consortium, Plan},
    height::{self, Height},
    operator::Operator,
    wait::{eventually, seconds, throughout},
};

const TOPIC: &str = "acme/valves";
const GROUP: &str = "acme.valves";
/// Seconds.
const MAX_SILENCE: u32 = 15;
/// What `keyward-agent` says when a publisher is stale (its exit code).
const STALE: i32 = 3;
/// Seconds for whatever takes a few blocks, on a machine that runs other suites beside.
const PATIENCE: u64 = 150;
/// Seconds for two sessions of ten blocks when half of the slots are empty, and for motions between.
const SESSIONS: u64 = 240;

#[tokio::test(flavor = "multi_thread")]
async fn two_of_four_stop_and_come_back_and_later_are_gone_for_good() -> Result<()> {
    let plan = Plan {
        gateways: 1,
        ..Plan::default()
    };
    let mut network = Consortium::started("stall", plan).await?;
    let site = Site::set_up(&mut network).await?;
    publishers_stop_while_nothing_is_final(&mut network, &site).await?;
    the_council_lets_two_go_on_alone(&mut network).await?;
    site.publishes("two alone").await
}

/// A gateway with two devices in one group.
struct Site {
    publisher: Agent,
    reader: Subscriber,
    group: GroupId,
    chain: Client,
    gateway: Signer,
    removed: DeviceId,
}

impl Site {
    async fn set_up(network: &mut Consortium) -> Result<Self> {
        network.machines[0].start_gateway().await?;
        let chain = network.machines[0].connect().await?;
        let keys = network.machines[0].directory.join("bridge/keys");
        let gateway = Signer::from_file(&keys.join("account.key"))?;
        let publisher = enrolled(network, "acme.1").await?;
        let reader = enrolled(network, "acme.2").await?;
        let group: GroupId = GROUP.parse()?;
        let policy = Policy {
            max_silence: MAX_SILENCE,
            ..Policy::default()
        };
        let filters = Filters::new([TopicFilter::new(TOPIC)?]).context("one filter")?;
        let create = Call::create_group(&group, &filters, &policy, &[gateway.account()]);
        let removed = reader.id.clone();
        let members = [
            (publisher.id.clone(), Role::Publish),
            (removed.clone(), Role::Subscribe),
        ];
        let calls = vec![create, Call::add_members(&group, &members)];
        chain.submit(&gateway, Call::batch_all(calls)).await?;
        let mut reader = reader.subscribe(&[TOPIC])?;
        reader.ready().await?;
        let site = Self {
            publisher,
            reader,
            group,
            chain,
            gateway,
            removed,
        };
        site.publishes("while it moves").await?;
        site.reader
            .reads("while it moves", seconds(PATIENCE))
            .await?;
        Ok(site)
    }

    /// Waits until the publisher seals.
    async fn publishes(&self, message: &str) -> Result<()> {
        eventually(seconds(PATIENCE), "the publisher to seal", || async {
            let ran = self.publisher.try_to_publish(TOPIC, message, 20).await?;
            ran.success()
        })
        .await
        .map(drop)
    }

    /// Waits until the publisher refuses, for the reason that it hears nothing new.
    async fn is_stale(&self) -> Result<()> {
        eventually(seconds(PATIENCE), "the publisher to be stale", || async {
            let ran = self.publisher.try_to_publish(TOPIC, "too late", 5).await?;
            ensure!(ran.code == Some(STALE), "it ended with {:?}", ran.code);
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Whether the device is a member, as finalized state has it.
    async fn is_member(&self) -> Result<bool> {
        let view = self.chain.at(self.chain.finalized().await?.hash);
        let members = view.members(&self.group).await?;
        Ok(members.iter().any(|member| member.device == self.removed))
    }
}

/// Enrols a device of the first organisation through its gateway, over TLS.
async fn enrolled(network: &Consortium, id: &str) -> Result<Agent> {
    let machine = &network.machines[0];
    let gateway = machine.gateway.as_ref().context("no gateway")?;
    let ca_file = machine.directory.join("bridge/ca.pem");
    let id: DeviceId = id.parse()?;
    let agent = Agent::init_encrypted(&network.place, &id, gateway.mqtt, &ca_file).await?;
    let authority = network
        .directory
        .join("organisations/acme/authorities/acme.ca");
    let text = |path: &Path| path.display().to_string();
    let (ca, request, out) = (
        text(&authority),
        text(&agent.request()),
        text(&agent.provisioning()),
    );
    let operator = Operator::new(&network.place, machine.url())?;
    let issue = [
        "ca",
        "issue",
        "--ca",
        &ca,
        "--request",
        &request,
        "--gateway",
        "acme.gw1",
        "--topic",
        "acme/#",
        "--out",
        &out,
    ];
    operator.must(&issue).await?;
    agent.enrol().await?;
    Ok(agent)
}

async fn publishers_stop_while_nothing_is_final(
    network: &mut Consortium,
    site: &Site,
) -> Result<()> {
    freeze(network, true)?;
    let stands = stands(network).await?;
    // A finality stall is a revocation stall: the removal is in a block, and has no effect.
    let remove = Call::remove_members(&site.group, std::slice::from_ref(&site.removed));
    let removal = tokio::spawn({
        let (chain, gateway) = (site.chain.clone(), site.gateway.clone());
        async move { chain.submit(&gateway, remove).await }
    });
    site.is_stale().await?;
    ensure!(site.is_member().await?, "the removal is in force");
    ensure!(!removal.is_finished(), "the removal is final");
    let now = network.machines[0].height().await?;
    ensure!(
        now.finalized == stands.finalized,
        "finality went on: {now:?}"
    );
    ensure!(now.best > stands.best, "no blocks are made: {now:?}");

    freeze(network, false)?;
    network.goes_on(5, PATIENCE).await?;
    removal.await?.context("the removal did not become final")?;
    ensure!(!site.is_member().await?, "the removal is not in force");
    site.publishes("it moves again").await
}

fn freeze(network: &mut Consortium, freeze: bool) -> Result<()> {
    for machine in &mut network.machines[2..] {
        let process = machine.node.process().context("it does not run")?;
        match freeze {
            true => process.freeze(),
            false => process.thaw(),
        }
    }
    Ok(())
}

/// Waits until what was on its way is final, and checks that nothing is for a while after that.
async fn stands(network: &Consortium) -> Result<Height> {
    let port = network.machines[0].rpc();
    let last = eventually(seconds(PATIENCE), "finality to stop", || async {
        let before = height::height(port).await?;
        tokio::time::sleep(Duration::from_secs(6)).await;
        let now = height::height(port).await?;
        ensure!(now.finalized == before.finalized, "it goes on, at {now:?}");
        Ok::<_, anyhow::Error>(now)
    })
    .await?;
    throughout(seconds(10), "no finality", || async {
        let now = height::height(port).await?;
        ensure!(now.finalized == last.finalized, "it is at {now:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    Ok(last)
}

/// The runbook of docs/operations.md for validators that do not come back.
async fn the_council_lets_two_go_on_alone(network: &mut Consortium) -> Result<()> {
    network.machines[2].node.kill();
    network.machines[3].node.kill();
    let stands = stands(network).await?;
    let chain = network.machines[0].connect_in_a_stall().await?;
    let gone = [network.operator(2)?, network.operator(3)?];
    let calls = vec![
        Call::set_minimum_validators(2),
        Call::remove_validator(gone[0]),
        Call::remove_validator(gone[1]),
    ];
    network.decide(&chain, calls).await?;
    // The new voters are those of the next session: noted before the two are out, it would be the same four again.
    let out = |now: &Validators| gone.iter().all(|it| now.operator(it).is_none());
    network
        .validators_become(&chain, SESSIONS, "the two to be out", out)
        .await?;
    note_stalled(network, stands.finalized).await?;
    let port = network.machines[0].rpc();
    height::finalizes(port, stands.best + 1, seconds(SESSIONS)).await?;
    network.machines.truncate(2);
    network.goes_on(5, PATIENCE).await?;

    let chain = network.machines[0].connect().await?;
    let now = chain.validators(chain.finalized().await?).await?;
    let validating = |it: &&keyward_chain_client::Operator| it.status == OperatorStatus::Validating;
    let count = now.operators.iter().filter(validating).count();
    ensure!(count == 2 && now.planned == 2, "{now:?}");
    Ok(())
}

/// Two of the three members of the council are enough.
async fn note_stalled(network: &Consortium, best_finalized: u32) -> Result<()> {
    let keyward = Operator::new(&network.place, network.machines[0].url())?;
    let member = |organisation: &str, name: &str| {
        let file = format!("organisations/{organisation}/council/{name}.key");
        keyward.signing_with(&network.directory.join(file))
    };
    let (anna, henrik) = (member("acme", "anna"), member("hydro", "henrik"));
    let best = best_finalized.to_string();
    let proposal = [
        "council",
        "--unfinalized",
        "propose",
        "--vote",
        "note-stalled",
        "--best-finalized",
        &best,
        "--delay",
        "2",
        "--confirm-stall",
    ];
    anna.must(&proposal).await?;
    let motions = anna.json(&["council", "--unfinalized", "list"]).await?;
    let index = find_index(&motions).with_context(|| format!("no open motion: {motions}"))?;
    let index = index.to_string();
    henrik
        .must(&["council", "--unfinalized", "vote", &index])
        .await?;
    anna.must(&["council", "--unfinalized", "close", &index])
        .await
        .map(drop)
}

/// The index of the only open motion, however deep it stands in what `keyward council list --json` prints.
fn find_index(printed: &serde_json::Value) -> Option<u64> {
    match printed {
        serde_json::Value::Object(fields) => fields
            .get("index")
            .and_then(serde_json::Value::as_u64)
            .or_else(|| fields.values().find_map(find_index)),
        serde_json::Value::Array(items) => items.iter().find_map(find_index),
        _ => None,
    }
}
