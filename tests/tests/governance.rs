//! The operator's commands for the council, the technical committee and validators, on a real chain: what they change, what they
//! refuse before anything is lost, and what they say.

use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use keyward_chain_client::{account_to_ss58, Call, Client, Signer};
use keyward_tests::{
    node::Node,
    operator::Operator,
    place::{write_secret, Place},
    process::Ran,
};
use serde_json::Value;

/// A development chain: `//Alice` is its validator, its council and its technical committee.
struct Scene {
    _node: Node,
    chain: Client,
    operator: Operator,
    place: Place,
}

impl Scene {
    async fn set() -> Result<Self> {
        let place = Place::new("governance")?;
        let node = Node::start(&place).await?;
        let chain = node.connect().await?;
        let operator = Operator::new(&place, node.url())?;
        Ok(Self {
            _node: node,
            chain,
            operator,
            place,
        })
    }

    fn key(&self, name: &str) -> Result<PathBuf> {
        let path = self.place.path(format!("{name}.key"));
        write_secret(&path, &format!("//{name}"))?;
        Ok(path)
    }

    /// The operator's command, signing as a development account.
    fn signing(&self, name: &str) -> Result<Operator> {
        Ok(self.operator.signing_with(&self.key(name)?))
    }

    /// Runs a command that must succeed and say these words.
    async fn says(&self, name: &str, line: &str, words: &[&str]) -> Result<String> {
        let args: Vec<&str> = line.split(' ').collect();
        let said = self.signing(name)?.must(&args).await?;
        for word in words {
            ensure!(
                said.contains(word),
                "'{line}' does not say '{word}': {said}"
            );
        }
        Ok(said)
    }

    /// Runs a command that must fail with exit code 1 and these words.
    async fn refuses(&self, name: &str, line: &str, words: &[&str]) -> Result<()> {
        let args: Vec<&str> = line.split(' ').collect();
        let ran: Ran = self.signing(name)?.run(&args).await?;
        ensure!(ran.code == Some(1), "'{line}' ends with {:?}", ran.code);
        for word in words {
            ensure!(
                ran.stderr.contains(word),
                "'{line}': no '{word}' in: {}",
                ran.stderr
            );
        }
        Ok(())
    }

    async fn json(&self, line: &str) -> Result<Value> {
        let args: Vec<&str> = line.split(' ').collect();
        self.operator.json(&args).await
    }

    async fn council(&self) -> Result<usize> {
        let at = self.chain.finalized().await?.hash;
        Ok(self.chain.at(at).council().await?.len())
    }
}

fn address(name: &str) -> Result<String> {
    let signer = Signer::from_suri(&format!("//{name}"))?;
    Ok(account_to_ss58(&signer.account()))
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_join_and_leave_as_their_operators_say() -> Result<()> {
    let scene = Scene::set().await?;
    let eve = address("Eve")?;
    scene
        .refuses(
            "Eve",
            "validator join",
            &["no approved operator", "approve-validator"],
        )
        .await?;
    let approve = format!("council propose approve-validator {eve}");
    let words = [
        "done in block",
        "as operator of a validator",
        "keyward validator join",
    ];
    scene.says("Alice", &approve, &words).await?;
    scene
        .refuses("Alice", &approve, &["ValidatorSet.AlreadyApproved"])
        .await?;
    an_approved_operator_may_join_and_nothing_else(&scene).await?;
    its_node_joins(&scene, &eve).await?;
    it_leaves_and_the_last_one_stays(&scene, &eve).await
}

async fn an_approved_operator_may_join_and_nothing_else(scene: &Scene) -> Result<()> {
    scene
        .refuses("Eve", "group rotate valves", &["none of its roles", "78"])
        .await?;
    let propose = "council propose set-minimum-validators 1";
    let words = ["not a member of the council"];
    scene.refuses("Eve", propose, &words).await?;
    scene
        .refuses("Ferdie", "group rotate valves", &["not admitted", "77"])
        .await
}

async fn state_of(scene: &Scene, account: &str) -> Result<Value> {
    let status = scene.json("validator status").await?;
    let lines = status["validators"].as_array().context("no validators")?;
    let line = lines.iter().find(|line| line["account"] == account);
    line.cloned()
        .with_context(|| format!("{account} is not shown in {status}"))
}

async fn its_node_joins(scene: &Scene, eve: &str) -> Result<()> {
    ensure!(state_of(scene, eve).await?["state"] == "approved");
    let words = ["joined the validators", "in force from session 2"];
    scene.says("Eve", "validator join", &words).await?;
    let line = state_of(scene, eve).await?;
    ensure!(
        line["state"] == "joining" && line["from_session"] == 2 && line["session_keys"].is_string(),
        "{line}"
    );
    let keys = line["session_keys"].clone();
    scene
        .refuses(
            "Eve",
            "validator join",
            &["in the set of validators already", "--keys-only"],
        )
        .await?;
    let words = ["new session keys are set", "old keys are in force"];
    scene
        .says("Eve", "validator join --keys-only", &words)
        .await?;
    ensure!(state_of(scene, eve).await?["session_keys"] != keys);
    let alice = address("Alice")?;
    let line = state_of(scene, &alice).await?;
    ensure!(
        line["state"] == "validating" && line["authored"].as_u64() > Some(0),
        "{line}"
    );
    let status = scene.operator.must(&["validator", "status"]).await?;
    for word in [
        "validating",
        "joining, from session 2",
        "never fewer than 1",
    ] {
        ensure!(status.contains(word), "no '{word}' in: {status}");
    }
    Ok(())
}

async fn it_leaves_and_the_last_one_stays(scene: &Scene, eve: &str) -> Result<()> {
    let words = ["leaves the validators", "Keep the node running"];
    scene.says("Eve", "validator leave", &words).await?;
    ensure!(state_of(scene, eve).await?["state"] == "left");
    scene
        .refuses("Eve", "validator leave", &["not in the set of validators"])
        .await?;
    scene
        .refuses("Eve", "validator join", &["may join again from block"])
        .await?;
    let words = ["has 1 validators", "fewer than 1"];
    scene.refuses("Alice", "validator leave", &words).await?;
    let remove = format!("council propose remove-validator {}", address("Alice")?);
    scene
        .refuses("Alice", &remove, &["ValidatorSet.TooFewValidators"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_council_decides_by_two_thirds_whoever_counts() -> Result<()> {
    let scene = Scene::set().await?;
    what_makes_no_sense_is_not_proposed(&scene).await?;
    the_committee_pauses_and_does_nothing_else(&scene).await?;
    a_council_of_four_needs_three(&scene).await?;
    a_failed_call_is_a_failed_close(&scene).await?;
    a_motion_proposed_at_half_is_not_wasted(&scene).await?;
    a_rejected_motion_changes_nothing(&scene).await
}

async fn what_makes_no_sense_is_not_proposed(scene: &Scene) -> Result<()> {
    let list = scene.operator.must(&["council", "list"]).await?;
    ensure!(list.contains("no open motions"), "{list}");
    let last = format!("council propose remove-member {}", address("Alice")?);
    for (line, words) in [
        (last.as_str(), ["last member", "never be governed"]),
        (
            "council propose pause Fleet.nothing",
            ["no call Fleet.nothing", "spelled"],
        ),
        (
            "council propose note-stalled --confirm-stall",
            ["nothing is stalled", "is finalized"],
        ),
        (
            "council propose call 0xffff",
            ["not proposed", "no call of this chain"],
        ),
        (
            "council vote 7",
            ["no open motion 7", "keyward council list"],
        ),
    ] {
        scene.refuses("Alice", line, &words).await?;
    }
    let script = scene.place.path("runtime.wasm");
    std::fs::write(&script, "#!/bin/sh")?;
    for command in ["propose upgrade", "apply-upgrade"] {
        let line = format!("council {command} {}", script.display());
        scene.refuses("Alice", &line, &["no WebAssembly"]).await?;
    }
    // Shown decoded, and dispatched as it is: ValidatorSet.set_minimum(1).
    let words = ["never have fewer than 1 validators"];
    scene
        .says("Alice", "council propose call 0x040401000000", &words)
        .await?;
    Ok(())
}

async fn the_committee_pauses_and_does_nothing_else(scene: &Scene) -> Result<()> {
    let pause = "council propose pause Fleet.register_device --committee";
    scene
        .says(
            "Alice",
            pause,
            &["done in block", "pause calls of Fleet.register_device"],
        )
        .await?;
    let unpause = "council propose unpause Fleet.register_device --committee";
    scene.says("Alice", unpause, &["go on"]).await?;
    let vital = "council propose pause Fleet.remove_members --committee";
    scene
        .refuses("Alice", vital, &["TxPause.Unpausable"])
        .await?;
    // ValidatorSet.set_minimum(1): not one of its powers.
    let other = "council propose call 0x040401000000 --committee";
    scene.refuses("Alice", other, &["BadOrigin"]).await
}

async fn a_council_of_four_needs_three(scene: &Scene) -> Result<()> {
    let add = format!("council propose add-member {}", address("Bob")?);
    scene.says("Alice", &add, &["done in block"]).await?;
    for (name, voter) in [("Charlie", "Bob"), ("Dave", "Bob")] {
        let add = format!("council propose add-member {} --vote", address(name)?);
        let said = scene.says("Alice", &add, &["not executed yet"]).await?;
        let index = index_of(&said)?;
        scene
            .refuses("Alice", &add, &["open already as motion"])
            .await?;
        scene
            .refuses(
                "Alice",
                &format!("council close {index}"),
                &["voting goes on"],
            )
            .await?;
        let next = format!("keyward council close {index}");
        let vote = format!("council vote {index}");
        scene.says(voter, &vote, &[next.as_str()]).await?;
        // By the beginning of its hash.
        let motions = scene.json("council list").await?;
        let hash = motions[0]["hash"].as_str().context("no hash")?;
        let digits = hash
            .trim_start_matches("0x")
            .get(..8)
            .context("no digits")?;
        let close = format!("council close {digits}");
        scene
            .says(
                voter,
                &close,
                &["executed in block", "a member of the council"],
            )
            .await?;
    }
    ensure!(scene.council().await? == 4);
    Ok(())
}

/// The number behind "motion".
fn index_of(said: &str) -> Result<u32> {
    let (_, rest) = said.split_once("motion ").context("no motion")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits
        .parse()
        .with_context(|| format!("no index in: {said}"))
}

async fn a_failed_call_is_a_failed_close(scene: &Scene) -> Result<()> {
    // There is one validator.
    let propose = "council propose set-minimum-validators 9 --vote";
    let said = scene.says("Alice", propose, &["3 of 4 votes"]).await?;
    let index = index_of(&said)?;
    for voter in ["Bob", "Charlie"] {
        scene
            .says(voter, &format!("council vote {index}"), &["voted for"])
            .await?;
    }
    let list = scene.operator.must(&["council", "list"]).await?;
    for word in [
        "never have fewer than 9 validators",
        "3 of 3 needed, 4 members",
        &format!("keyward council close {index}"),
    ] {
        ensure!(list.contains(word), "no '{word}' in: {list}");
    }
    let words = [
        "approved and is closed",
        "its call failed",
        "ValidatorSet.BadMinimum",
    ];
    scene
        .refuses("Dave", &format!("council close {index}"), &words)
        .await?;
    let list = scene.operator.must(&["council", "list"]).await?;
    ensure!(list.contains("no open motions"), "{list}");
    Ok(())
}

/// As polkadot.js proposes it: half of four members.
async fn a_motion_proposed_at_half_is_not_wasted(scene: &Scene) -> Result<()> {
    let alice = Signer::from_suri("//Alice")?;
    let propose = Call::propose(2, Call::set_minimum_validators(1));
    scene.chain.submit(&alice, propose).await?;
    let motions = scene.json("council list").await?;
    ensure!(
        motions[0]["threshold"] == 2 && motions[0]["needed"] == 3,
        "{motions}"
    );
    let index = motions[0]["index"].as_u64().context("no index")?;
    let (vote, close) = (
        format!("council vote {index}"),
        format!("council close {index}"),
    );
    for voter in ["Alice", "Bob"] {
        scene.says(voter, &vote, &["of 3 needed"]).await?;
    }
    let list = scene.operator.must(&["council", "list"]).await?;
    ensure!(list.contains("BadOrigin"), "{list}");
    let words = ["BadOrigin", "Let 1 more vote"];
    scene.refuses("Alice", &close, &words).await?;
    scene.says("Charlie", &vote, &[close.as_str()]).await?;
    scene.says("Alice", &close, &["was approved"]).await?;
    Ok(())
}

async fn a_rejected_motion_changes_nothing(scene: &Scene) -> Result<()> {
    let remove = format!("council propose remove-member {}", address("Dave")?);
    let said = scene.says("Alice", &remove, &["not executed yet"]).await?;
    let index = index_of(&said)?;
    for voter in ["Dave", "Charlie"] {
        let vote = format!("council vote {index} --against");
        scene.says(voter, &vote, &["voted against"]).await?;
    }
    let words = ["was rejected (0 for, 2 against)", "nothing else changed"];
    scene
        .says("Bob", &format!("council close {index}"), &words)
        .await?;
    ensure!(scene.council().await? == 4);
    Ok(())
}
