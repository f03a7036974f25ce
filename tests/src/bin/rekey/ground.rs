//! What the measurement stands on: four validators, a gateway on the first one's machine with Mosquitto and bridge as their units
//! run them, and devices that are registered with real calls.

use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use keyward_chain_client::{Call, Client, Signer};
use keyward_client::{
    agent::address::{Address, Connection},
    session::{Identity, Owner, Provisioned},
};
use keyward_crypto::{hash, AgreementSecret, SigningKey};
use keyward_protocol::{
    policy::Policy,
    registration::Voucher,
    topic::{Filters, TopicFilter, PREFIX},
    view::GroupView,
    AccountId, AuthorityId, DeviceId, GatewayName, Genesis, GroupId, Role, VerifyingKey,
};
use keyward_tests::{
    consortium::{Consortium, Plan},
    device::{authority_key, vouch},
    place::Place,
    screen::Screen,
    wait::{eventually, seconds},
};
use rand_core::OsRng;

/// The gateway of the network's first organisation.
const GATEWAY: &str = "acme.gw1";
/// Its authority.
const AUTHORITY: &str = "acme.ca";
/// Registrations and additions in one transaction: below the budget of an account in a block, and 64 KiB.
const BATCH: usize = 100;
/// Blocks of a session, as a network has them by default: no change of session disturbs.
const SESSION: &str = "session_blocks = 1800";

/// Everything that runs.
pub struct Ground {
    /// The validators; the first has the gateway.
    pub consortium: Consortium,
    /// Its node.
    pub chain: Client,
    /// The gateway's account.
    pub signer: Signer,
    account: AccountId,
    authority: SigningKey,
    statement_key: VerifyingKey,
}

impl Ground {
    /// Starts everything but the gateway's bridge and broker.
    pub async fn start(keep: bool, screen: &Screen) -> Result<Self> {
        let mut place = Place::new("bench")?;
        if keep {
            place.keep();
        }
        let plan = Plan {
            gateways: 1,
            ..Plan::default()
        };
        let file = place.path("consortium.toml");
        let text = plan.to_toml()?.replace("session_blocks = 10", SESSION);
        ensure!(text.contains(SESSION), "the plan has no session to replace");
        std::fs::write(&file, text)?;
        let mut consortium = Consortium::from_file(place, &file).await?;
        screen.told("files", &consortium.place.root().display().to_string());
        consortium.start().await?;
        screen.told("nodes", "four validators finalize blocks");
        let chain = consortium.machines[0].connect().await?;
        let keys = consortium.machines[0].directory.join("bridge/keys");
        let signer = Signer::from_file(&keys.join("account.key"))?;
        let account = signer.account();
        let view = chain.at(chain.finalized().await?.hash);
        let gateway = view.gateway(account).await?;
        let authority = "organisations/acme/authorities";
        let authority = consortium.directory.join(authority).join(AUTHORITY);
        Ok(Self {
            authority: authority_key(&authority)?,
            statement_key: gateway
                .context("the gateway is not admitted")?
                .statement_key,
            consortium,
            chain,
            signer,
            account,
        })
    }

    /// Starts broker and bridge.
    pub async fn start_gateway(&mut self) -> Result<()> {
        self.consortium.machines[0].start_gateway().await
    }

    /// Port of the bridge's admin pages.
    pub fn admin(&self) -> Result<u16> {
        let gateway = self.consortium.machines[0].gateway.as_ref();
        Ok(gateway.context("no gateway")?.admin)
    }

    /// How a device gets to the broker.
    pub fn connection(&self) -> Result<Connection> {
        let gateway = self.consortium.machines[0].gateway.as_ref();
        let port = gateway.context("no gateway")?.mqtt;
        Ok(Connection {
            broker: Address {
                tls: true,
                host: "127.0.0.1".into(),
                port,
            },
            ca_file: Some(self.ca_file()),
            cert_file: None,
            cert_key_file: None,
            username: None,
            password_file: None,
            prefix: PREFIX.into(),
        })
    }

    fn ca_file(&self) -> PathBuf {
        self.consortium.directory.join("tls/ca.pem")
    }

    fn genesis(&self) -> Genesis {
        self.chain.genesis()
    }

    /// What a device is provisioned with.
    pub fn provisioned(&self) -> Result<Provisioned> {
        Ok(Provisioned {
            genesis: self.genesis(),
            authority_key: self.authority.verifying_key(),
            owner: Owner {
                account: self.account,
                name: GATEWAY.parse::<GatewayName>()?,
                statement_key: self.statement_key,
                anchor_serial: None,
            },
            protected_topics: Vec::new(),
        })
    }

    /// Registers devices with new keys, named by a prefix and their number.
    pub async fn register(
        &self,
        prefix: &str,
        count: usize,
        screen: &Screen,
    ) -> Result<Vec<Identity>> {
        let mut devices = Vec::new();
        for number in 0..count {
            devices.push(new_identity(&format!("acme.{prefix}-{number:05}"))?);
        }
        for (done, some) in devices.chunks(BATCH).enumerate() {
            let calls = some.iter().map(|device| self.registration(device));
            let call = Call::batch_all(calls.collect::<Result<_>>()?);
            self.chain.submit(&self.signer, call).await?;
            let registered = (done * BATCH + some.len()).min(count);
            screen.told("devices", &format!("{registered} of {count} registered"));
        }
        Ok(devices)
    }

    fn registration(&self, device: &Identity) -> Result<Call> {
        const YEAR: u64 = 365 * 24 * 3600;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let voucher = Voucher {
            authority: AUTHORITY.parse::<AuthorityId>()?,
            device: device.device.clone(),
            gateway: self.account,
            signing_key: device.signing.verifying_key(),
            agreement_key: device.agreement.public(),
            key_version: device.key_version,
            not_after: now.as_secs() + YEAR,
        };
        let vouched = vouch(&self.authority, self.genesis(), voucher)?;
        let registration = hash::registration(&self.genesis(), &vouched.voucher);
        let proof = device
            .signing
            .sign_registration(&self.genesis(), &registration);
        Ok(Call::register_device(
            &vouched.voucher,
            vouched.signature,
            proof,
        ))
    }

    /// Makes a group with a filter.
    pub async fn create(&self, group: &GroupId, filter: &str) -> Result<()> {
        let filters = Filters::new([TopicFilter::new(filter)?]).context("one filter")?;
        let call = Call::create_group(group, &filters, &Policy::default(), &[self.account]);
        self.chain.submit(&self.signer, call).await?;
        Ok(())
    }

    /// Adds members.
    pub async fn add(&self, group: &GroupId, members: &[(DeviceId, Role)]) -> Result<()> {
        for some in members.chunks(BATCH) {
            let call = Call::add_members(group, some);
            self.chain.submit(&self.signer, call).await?;
        }
        Ok(())
    }

    /// A group at the newest finalized block.
    pub async fn group(&self, group: &GroupId) -> Result<GroupView> {
        let view = self.chain.at(self.chain.finalized().await?.hash);
        let found = view.group(group).await?;
        found.with_context(|| format!("there is no group {group}"))
    }

    /// Waits until the group's epoch was delivered and the next ones are staged.
    pub async fn settled(&self, group: &GroupId) -> Result<GroupView> {
        /// As many as the bridge keeps ahead.
        const STAGED: usize = 4;
        let what = format!("the delivery of {group}, and its next epochs");
        eventually(seconds(180), &what, || async {
            let view = self.group(group).await?;
            let current = view
                .exchanges
                .iter()
                .find(|(epoch, _)| *epoch == view.epoch);
            let delivered = current.is_some_and(|(_, exchange)| exchange.delivery.is_some());
            let staged = view.staged.len();
            ensure!(
                delivered && staged >= STAGED,
                "delivered: {delivered}, {staged} staged"
            );
            Ok::<_, anyhow::Error>(view)
        })
        .await
    }
}

fn new_identity(device: &str) -> Result<Identity> {
    Ok(Identity {
        device: device.parse()?,
        key_version: 1,
        signing: SigningKey::generate(&mut OsRng),
        agreement: AgreementSecret::generate(&mut OsRng),
    })
}
