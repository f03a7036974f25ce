//! Two machines with the keys of one validator: a mistake when a machine was replaced, or theft. It is reported by the others,
//! shown to the council, and nobody is removed by it.

use anyhow::{ensure, Context, Result};
use keyward_chain_client::{Equivocation, OperatorStatus};
use keyward_tests::{
    consortium::{Consortium, Plan},
    operator::Operator,
    wait::{eventually, seconds},
};

/// Seconds for a few blocks, on a machine that runs other suites beside.
const PATIENCE: u64 = 180;

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_on_two_machines_is_reported_and_stays_until_the_council_decides() -> Result<()>
{
    let mut network = Consortium::started("twins", Plan::default()).await?;
    let chain = network.machines[0].connect().await?;
    let account = network.operator(3)?;
    let twin = network.machines[3].twin(&network.place, "twin")?;
    network.machines.push(twin);
    network.machines[4].start_node().await?;

    let what = "two blocks of one slot to be on record";
    let offence = eventually(seconds(PATIENCE), what, || async {
        let now = chain.validators(chain.finalized().await?).await?;
        let offender = now.operator(&account).context("it is no operator")?;
        let blocks = |equivocation| matches!(equivocation, Equivocation::Blocks { .. });
        let mut offences = offender.offences.iter();
        let found = offences.find(|offence| blocks(offence.equivocation));
        found
            .copied()
            .with_context(|| format!("its record is {:?}", offender.offences))
    })
    .await?;
    ensure!(!offence.cleared && offence.block > 0, "{offence:?}");
    let now = chain.validators(chain.finalized().await?).await?;
    for operator in &now.operators {
        let innocent = operator.account != account;
        ensure!(
            operator.status == OperatorStatus::Validating,
            "{operator:?}"
        );
        ensure!(operator.offences.is_empty() == innocent, "{operator:?}");
    }
    let status = Operator::new(&network.place, network.machines[0].url())?
        .must(&["validator", "status"])
        .await?;
    ensure!(status.contains("two blocks"), "{status}");

    // The twins agree on nothing, and the other three are enough.
    network.machines.truncate(4);
    network.goes_on(5, PATIENCE).await.map(drop)
}
