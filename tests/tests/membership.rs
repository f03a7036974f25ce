//! The set of validators changes by the council and the operators, and by nothing else.

use anyhow::{ensure, Context, Result};
use keyward_chain_client::{Call, Client, OperatorStatus, Signer};
use keyward_protocol::AccountId;
use keyward_tests::{
    consortium::{Consortium, Plan},
    operator::Operator,
    place::{new_seed, write_secret},
    wait::{eventually, seconds},
};

/// Seconds for two sessions of ten blocks, on a machine that runs other suites beside.
const SESSIONS: u64 = 150;
/// Seconds for a few blocks.
const PATIENCE: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn a_fifth_validator_joins_and_authors_and_one_leaves() -> Result<()> {
    let plan = Plan {
        nodes: 1,
        ..Plan::default()
    };
    let mut network = Consortium::started("membership", plan).await?;
    let chain = network.machines[0].connect().await?;
    let fifth = joins(&mut network, &chain).await?;
    authors(&chain, fifth, SESSIONS).await?;
    leaves(&mut network, &chain).await
}

/// An organisation that has run a node so far has the council approve its operator, and joins.
async fn joins(network: &mut Consortium, chain: &Client) -> Result<AccountId> {
    let keys = network.machines[4].directory.join("data/keystore");
    let file = network.machines[4].directory.join("operator.key");
    write_secret(&file, &format!("0x{}", new_seed()))?;
    let account = Signer::from_file(&file)?.account();
    let node = &mut network.machines[4].node;
    node.add("--validator");
    node.set("--keystore-path", &keys.display().to_string());
    network.machines[4].start_node().await?;
    network.goes_on(2, PATIENCE).await?;

    network
        .decide(chain, vec![Call::approve_validator(account)])
        .await?;
    let operator = Operator::new(&network.place, network.machines[4].url())?;
    operator
        .signing_with(&file)
        .must(&["validator", "join"])
        .await?;
    let validates = |now: &keyward_chain_client::Validators| {
        let operator = now.operator(&account);
        operator.is_some_and(|it| it.status == OperatorStatus::Validating)
    };
    let five = network
        .validators_become(chain, SESSIONS, "the fifth to validate", validates)
        .await?;
    ensure!(five.planned == 5, "{five:?}");
    Ok(account)
}

/// Waits until it authored one of the last blocks.
async fn authors(chain: &Client, account: AccountId, patience: u64) -> Result<()> {
    let what = format!("{account} to author");
    eventually(seconds(patience), &what, || async {
        let authored = chain.authored(chain.finalized().await?, 15).await?;
        let count = authored.by.get(&account).copied();
        count.with_context(|| {
            format!(
                "the last {} blocks are of {:?}",
                authored.blocks, authored.by
            )
        })
    })
    .await
    .map(drop)
}

/// Its node may stop when it validates no more, and the others go on: four validators again.
async fn leaves(network: &mut Consortium, chain: &Client) -> Result<()> {
    let account = network.operator(1)?;
    let operator = Operator::new(&network.place, network.machines[1].url())?;
    let file = network.machines[1].operator_file();
    operator
        .signing_with(&file)
        .must(&["validator", "leave"])
        .await?;
    let left = |now: &keyward_chain_client::Validators| {
        let operator = now.operator(&account);
        operator.is_some_and(|it| matches!(it.status, OperatorStatus::Left { .. }))
    };
    network
        .validators_become(chain, SESSIONS, "one to have left", left)
        .await?;
    network.machines[1].node.stop();
    network.goes_on(5, PATIENCE).await?;
    // Three of four are enough; three of five would not be: the one that left does not count any more.
    network.machines[2].node.kill();
    network.goes_on(5, PATIENCE).await.map(drop)
}
