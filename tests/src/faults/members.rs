//! Members come and go, by transactions of the group's administrator; and a new device asks to be enrolled.

use std::time::Duration;

use anyhow::{Context, Result};
use keyward_chain_client::{Call, Client as Chain, Signer};
use keyward_crypto::{hash, sign::sign_message};
use keyward_protocol::{
    bytes::Nonce,
    request::{Ask, Request},
    topic::{ControlTopic, PREFIX},
    DeviceId, GroupId, Role,
};
use rand_core::{OsRng, RngCore};
use tokio::time::{sleep_until, timeout, Instant};

use super::schedule::{Act, Change, Step};
use crate::{
    device::{authority_key, vouch, Device},
    judge::evidence::{Log, What},
    mqtt::{Address, Client},
    network::Network,
};

/// Longest that a transaction is waited for; it may land later all the same.
const PATIENCE: Duration = Duration::from_secs(40);
/// Pause before a request is given to the broker again.
const AGAIN: Duration = Duration::from_millis(500);

/// A request for enrolment that is ready to be sent.
pub struct Enrolment {
    device: DeviceId,
    address: Address,
    topic: String,
    payload: Vec<u8>,
}

impl Enrolment {
    /// Of a device that its authority vouches for.
    pub fn prepare(network: &Network, device: &Device) -> Result<Self> {
        let genesis = network.genesis();
        let authority = authority_key(&network.authority)?;
        let vouched = vouch(&authority, genesis, device.voucher(network)?)?;
        let registration = hash::registration(&genesis, &vouched.voucher);
        let mut nonce = [0; 16];
        OsRng.fill_bytes(&mut nonce);
        let request = Request {
            device: device.id.clone(),
            key_version: 1,
            gateway: vouched.voucher.gateway,
            ask: Ask::Enrol {
                voucher: vouched.voucher.clone(),
                voucher_signature: vouched.signature,
                proof: device.signing.sign_registration(&genesis, &registration),
            },
            counter: 1,
            nonce: Nonce(nonce),
        };
        let topic = ControlTopic::Request(device.id.clone(), network.gateway.name.clone());
        Ok(Self {
            device: device.id.clone(),
            address: network.broker.device(device.id.as_str()),
            topic: topic.to_topic(PREFIX),
            payload: sign_message(genesis, request, &device.signing)?.to_wire(),
        })
    }

    /// Until the broker has it.
    async fn send(&self) {
        while self.try_to_send().await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn try_to_send(&self) -> Result<()> {
        let (client, _incoming) = Client::connect(&self.address).await?;
        client.publish(&self.topic, &self.payload, false).await
    }
}

/// Who changes members.
pub struct Administrator<'a> {
    /// The chain.
    pub chain: &'a Chain,
    /// Signs.
    pub signer: &'a Signer,
    /// A device that asks to be enrolled.
    pub enrolment: Enrolment,
    /// Where it is noted.
    pub log: Log,
}

impl Administrator<'_> {
    /// Carries the changes out, one after the other; what fails is noted and the next one is tried.
    ///
    /// # Errors
    /// When a change makes no sense.
    pub async fn run(&self, steps: &[Step], began: Instant) -> Result<()> {
        for step in steps {
            sleep_until(began + Duration::from_millis(step.at)).await;
            let Act::Change(change) = step.act else {
                continue;
            };
            let done = match change {
                Change::Enrol => timeout(PATIENCE, self.enrolment.send())
                    .await
                    .map(|()| format!("the broker has the request of {}", self.enrolment.device)),
                change => timeout(PATIENCE, self.submit(call(change)?)).await,
            };
            self.log.note(What::Call {
                call: format!("{change:?}"),
                outcome: done.unwrap_or_else(|_| "not finalized in time; it may be later".into()),
            });
        }
        Ok(())
    }

    async fn submit(&self, call: Call) -> String {
        match self.chain.submit(self.signer, call).await {
            Ok(finalized) => format!("finalized in block {}", finalized.block.number),
            Err(error) => format!("failed: {error}"),
        }
    }
}

/// The group that a device comes to and leaves.
pub fn group_of(device: &str) -> &'static str {
    match device {
        "9002" => "pumps",
        _ => "valves",
    }
}

fn call(change: Change) -> Result<Call> {
    let group = |device: &str| -> Result<GroupId> { group_of(device).parse().context("a group") };
    let id = |device: &str| -> Result<DeviceId> { device.parse().context("a device") };
    Ok(match change {
        Change::Remove(device) => Call::remove_members(&group(device)?, &[id(device)?]),
        Change::Add(device) => {
            Call::add_members(&group(device)?, &[(id(device)?, Role::Subscribe)])
        }
        Change::Suspend(device) => Call::suspend_device(&id(device)?),
        Change::Reinstate(device) => Call::reinstate_device(&id(device)?),
        Change::Rotate(group) => Call::rotate(&group.parse()?),
        Change::Enrol => anyhow::bail!("an enrolment is no transaction of the administrator"),
    })
}
