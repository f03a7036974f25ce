//! Enrolment over MQTT, through the bridge to the chain: a voucher works once, until it expires, on its chain, for its gateway,
//! with its keys and its authority's signature.

use anyhow::{ensure, Result};
use keyward_chain_client::{Call, SubmitFailed};
use keyward_crypto::{hash, SigningKey};
use keyward_protocol::{
    request::{Refusal, Status},
    AccountId, Genesis,
};
use keyward_tests::{
    device::{authority_key, vouch, Device, Vouched},
    network::{Network, Plan},
};
use rand_core::OsRng;

struct Scene {
    network: Network,
    authority: SigningKey,
}

/// REG-1 to REG-4, over REQ-1 to REQ-3.
#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_is_not_in_order_enrols_nobody() -> Result<()> {
    let network = Network::start(Plan::new("vouchers", &["1111"], &[])?).await?;
    let authority = authority_key(&network.authority)?;
    let scene = Scene { network, authority };
    tokio::try_join!(
        used_twice(&scene),
        expired(&scene),
        of_another_chain(&scene),
        by_another_key(&scene),
        an_agent_with_a_used_voucher(&scene),
        a_voucher_for_somebody_else_s_keys(&scene),
    )?;
    of_another_gateway(&scene).await?;
    // Even a bridge that forgets to check changes nothing: the chain refuses for itself.
    the_chain_refuses_by_itself(&scene).await
}

impl Scene {
    fn vouch(&self, voucher: keyward_protocol::registration::Voucher) -> Result<Vouched> {
        vouch(&self.authority, self.network.genesis(), voucher)
    }

    async fn is_enrolled(&self, device: &Device) -> Result<bool> {
        let chain = &self.network.chain;
        let view = chain.at(chain.finalized().await?.hash);
        Ok(view.device(&device.id).await?.is_some())
    }

    /// Through the bridge: refused for its voucher, by the bridge itself or by the chain.
    async fn is_refused(&self, mut device: Device, vouched: Vouched) -> Result<()> {
        let (status, reason) = device.ask_to_enrol(&self.network, &vouched).await?;
        ensure!(
            matches!(
                status,
                Status::Refused(Refusal::Voucher | Refusal::Chain | Refusal::Unknown)
            ),
            "{}: {status:?} {reason}",
            device.id
        );
        ensure!(
            !reason.is_empty(),
            "{}: refused without a reason",
            device.id
        );
        ensure!(
            !self.is_enrolled(&device).await?,
            "{} is enrolled",
            device.id
        );
        Ok(())
    }
}

async fn used_twice(scene: &Scene) -> Result<()> {
    let mut device = Device::new("twice")?;
    let vouched = scene.vouch(device.voucher(&scene.network)?)?;
    let first = device.ask_to_enrol(&scene.network, &vouched).await?;
    ensure!(first.0 == Status::Done, "the first time: {first:?}");
    // With other keys the same voucher is worth nothing, with the same ones the device is there already.
    let before = enrolled_at(scene, &device).await?;
    let second = device.ask_to_enrol(&scene.network, &vouched).await?;
    let after = enrolled_at(scene, &device).await?;
    ensure!(
        before == after,
        "the device was registered again: {second:?}"
    );
    ensure!(
        matches!(second.0, Status::Refused(_)),
        "the second time: {second:?}"
    );
    Ok(())
}

async fn enrolled_at(scene: &Scene, device: &Device) -> Result<Option<(u32, u32)>> {
    let chain = &scene.network.chain;
    let view = chain.at(chain.finalized().await?.hash);
    let device = view.device(&device.id).await?;
    Ok(device.map(|device| (device.enrolled_at, device.key_version)))
}

async fn expired(scene: &Scene) -> Result<()> {
    let device = Device::new("expired")?;
    let mut voucher = device.voucher(&scene.network)?;
    voucher.not_after = 1_700_000_000;
    let vouched = scene.vouch(voucher)?;
    scene.is_refused(device, vouched).await
}

async fn of_another_chain(scene: &Scene) -> Result<()> {
    let device = Device::new("elsewhere")?;
    let voucher = device.voucher(&scene.network)?;
    let vouched = vouch(&scene.authority, Genesis([7; 32]), voucher)?;
    scene.is_refused(device, vouched).await
}

async fn by_another_key(scene: &Scene) -> Result<()> {
    let device = Device::new("selfmade")?;
    let impostor = SigningKey::generate(&mut OsRng);
    let voucher = device.voucher(&scene.network)?;
    let vouched = vouch(&impostor, scene.network.genesis(), voucher)?;
    scene.is_refused(device, vouched).await
}

/// The voucher is stolen: it names keys that the thief does not have, and so cannot sign for. What is not signed with the
/// voucher's key is not even answered.
async fn a_voucher_for_somebody_else_s_keys(scene: &Scene) -> Result<()> {
    let owner = Device::new("stolen")?;
    let thief = Device::new("stolen")?;
    let vouched = scene.vouch(owner.voucher(&scene.network)?)?;
    thief
        .request_without_waiting(&scene.network, &vouched)
        .await?;
    // The gateway answers requests in their order: once this one is done, the thief's was looked at.
    let mut honest = Device::new("honest")?;
    honest.enrol(&scene.network).await?;
    ensure!(!scene.is_enrolled(&owner).await?, "the thief is enrolled");
    Ok(())
}

/// A voucher for another gateway: the bridge that it is shown to is not the one.
async fn of_another_gateway(scene: &Scene) -> Result<()> {
    let device = Device::new("astray")?;
    let mut voucher = device.voucher(&scene.network)?;
    voucher.gateway = AccountId([9; 32]);
    let vouched = scene.vouch(voucher)?;
    device
        .request_without_waiting(&scene.network, &vouched)
        .await?;
    let mut honest = Device::new("afterwards")?;
    honest.enrol(&scene.network).await?;
    ensure!(!scene.is_enrolled(&device).await?, "it is enrolled");
    Ok(())
}

/// The same with the real agent: its store is lost, its provisioning is not, and it starts again with it.
async fn an_agent_with_a_used_voucher(scene: &Scene) -> Result<()> {
    let ran = scene.network.agent("1111")?.try_to_enrol().await?;
    // It may say that it is enrolled, or refuse; it must not have done it again.
    let chain = &scene.network.chain;
    let view = chain.at(chain.finalized().await?.hash);
    let device = view.device(&"1111".parse()?).await?;
    ensure!(
        device
            .as_ref()
            .is_some_and(|device| device.key_version == 1),
        "after a second enrolment ({:?}): {device:?}",
        ran.code
    );
    Ok(())
}

async fn the_chain_refuses_by_itself(scene: &Scene) -> Result<()> {
    let (network, authority) = (&scene.network, &scene.authority);
    let genesis = network.genesis();
    let honest = Device::new("direct")?;
    let voucher = honest.voucher(network)?;
    let expired = keyward_protocol::registration::Voucher {
        not_after: 1_700_000_000,
        ..voucher.clone()
    };
    let astray = keyward_protocol::registration::Voucher {
        gateway: AccountId([9; 32]),
        ..voucher.clone()
    };
    let impostor = SigningKey::generate(&mut OsRng);
    let cases = [
        ("Expired", vouch(authority, genesis, expired)?),
        (
            "VoucherForAnotherGateway",
            vouch(authority, genesis, astray)?,
        ),
        // For another chain.
        (
            "BadVoucherSignature",
            vouch(authority, Genesis([7; 32]), voucher.clone())?,
        ),
        // By another authority.
        (
            "BadVoucherSignature",
            vouch(&impostor, genesis, voucher.clone())?,
        ),
    ];
    for (error, vouched) in cases {
        let call = registration(scene, &honest, &vouched);
        refused_on_chain(scene, call, &[error]).await?;
    }
    let vouched = vouch(authority, genesis, voucher)?;
    // Shown by somebody who does not have the keys that it names.
    let thief = registration(scene, &Device::new("direct")?, &vouched);
    refused_on_chain(scene, thief, &["BadProof"]).await?;
    // Once in order, it works: what was refused above was refused for its fault.
    let call = registration(scene, &honest, &vouched);
    network.submit(call.clone()).await?;
    refused_on_chain(scene, call, &["DeviceExists", "WrongKeyVersion", "KeyUsed"]).await
}

fn registration(scene: &Scene, device: &Device, vouched: &Vouched) -> Call {
    let genesis = scene.network.genesis();
    let registration = hash::registration(&genesis, &vouched.voucher);
    let proof = device.signing.sign_registration(&genesis, &registration);
    Call::register_device(&vouched.voucher, vouched.signature, proof)
}

/// Submits a call as the gateway; the chain must refuse it with one of these errors.
async fn refused_on_chain(scene: &Scene, call: Call, errors: &[&str]) -> Result<()> {
    let signer = &scene.network.gateway.signer;
    match scene.network.chain.submit(signer, call).await {
        Err(SubmitFailed::Dispatch { pallet, error, .. })
            if pallet == "Fleet" && errors.contains(&error.as_str()) =>
        {
            Ok(())
        }
        other => anyhow::bail!("expected {errors:?}: {other:?}"),
    }
}
