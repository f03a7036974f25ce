//! A device in the test's own hands: it has its secret keys and can sign, seal and open whatever it likes. It shares no code
//! with the agent, only the formats.

use std::path::Path;

use anyhow::{bail, Context, Result};
use keyward_crypto::{
    grant::Recipient,
    hash,
    message::{Expected, GroupKey},
    sign::{self, sign_message},
    AgreementSecret, SigningKey, Verifier,
};
use keyward_protocol::{
    bytes::Nonce,
    grant::EpochSecret,
    message::Message,
    provisioning::EnrolmentRequest,
    registration::Voucher,
    request::{Ask, Request, Response, Status},
    signing::Unverified,
    topic::{ControlTopic, PREFIX},
    AuthorityId, DeviceId, Genesis, GroupId, Signature, VerifyingKey,
};
use rand_core::{OsRng, RngCore};

use crate::{
    capture::Captured,
    mqtt::Client,
    network::{Network, AUTHORITY},
    wait::{eventually, seconds},
};

/// How long the bridge has to answer: a transaction until it is finalized, with room to spare.
const PATIENCE: u64 = 60;

/// A device with its secret keys.
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its signing key.
    pub signing: SigningKey,
    /// Its agreement key.
    pub agreement: AgreementSecret,
    counter: u64,
}

/// A signed voucher.
#[derive(Clone)]
pub struct Vouched {
    /// What it says.
    pub voucher: Voucher,
    /// By its authority, or who claims to be it.
    pub signature: Signature,
}

impl Device {
    /// Makes new keys.
    pub fn new(id: &str) -> Result<Self> {
        Ok(Self {
            id: id.parse().context("device")?,
            signing: SigningKey::generate(&mut OsRng),
            agreement: AgreementSecret::generate(&mut OsRng),
            counter: 0,
        })
    }

    /// What it would ask its authority to vouch for.
    pub fn request(&self) -> EnrolmentRequest {
        EnrolmentRequest {
            device: self.id.clone(),
            key_version: 1,
            signing_key: self.signing.verifying_key(),
            agreement_key: self.agreement.public(),
        }
    }

    /// A voucher that says what an honest authority would.
    pub fn voucher(&self, network: &Network) -> Result<Voucher> {
        const DAY: u64 = 24 * 3600;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        Ok(Voucher {
            authority: AUTHORITY.parse::<AuthorityId>()?,
            device: self.id.clone(),
            gateway: network.gateway.account,
            signing_key: self.signing.verifying_key(),
            agreement_key: self.agreement.public(),
            key_version: 1,
            not_after: now.as_secs() + DAY,
        })
    }

    /// Sends an enrolment request with this voucher to the gateway and waits for its last word: what became of it, and why.
    pub async fn ask_to_enrol(
        &mut self,
        network: &Network,
        vouched: &Vouched,
    ) -> Result<(Status, String)> {
        self.counter += 1;
        let nonce = self.send_enrolment(network, vouched).await?;
        self.last_word(network, nonce).await
    }

    /// Sends an enrolment request that need not be answered.
    pub async fn request_without_waiting(
        &self,
        network: &Network,
        vouched: &Vouched,
    ) -> Result<()> {
        self.send_enrolment(network, vouched).await.map(drop)
    }

    async fn send_enrolment(&self, network: &Network, vouched: &Vouched) -> Result<Nonce> {
        let genesis = network.genesis();
        let registration = hash::registration(&genesis, &vouched.voucher);
        let mut nonce = [0; 16];
        OsRng.fill_bytes(&mut nonce);
        let request = Request {
            device: self.id.clone(),
            key_version: 1,
            gateway: vouched.voucher.gateway,
            ask: Ask::Enrol {
                voucher: vouched.voucher.clone(),
                voucher_signature: vouched.signature,
                proof: self.signing.sign_registration(&genesis, &registration),
            },
            counter: self.counter,
            nonce: Nonce(nonce),
        };
        let signed = sign_message(network.genesis(), request, &self.signing)?;
        let topic = ControlTopic::Request(self.id.clone(), network.gateway.name.clone());
        let address = network.broker.device(self.id.as_str());
        let (client, _incoming) = Client::connect(&address).await?;
        client
            .publish(&topic.to_topic(PREFIX), &signed.to_wire(), false)
            .await?;
        Ok(Nonce(nonce))
    }

    async fn last_word(&self, network: &Network, nonce: Nonce) -> Result<(Status, String)> {
        let what = format!("the gateway's answer to {}", self.id);
        eventually(seconds(PATIENCE), &what, || async {
            let responses = self.responses(network, nonce);
            let last = responses
                .into_iter()
                .find(|(status, _)| *status != Status::Accepted);
            last.context("it has not answered, or only that it accepted")
        })
        .await
    }

    /// Answers to a request so far, each verified.
    fn responses(&self, network: &Network, nonce: Nonce) -> Vec<(Status, String)> {
        let topic = ControlTopic::Response(network.gateway.name.clone(), self.id.clone());
        let topic = topic.to_topic(PREFIX);
        let history = network.observer.history();
        let on_topic = history.iter().filter(|publish| publish.topic == topic);
        on_topic
            .filter_map(|publish| {
                let response = Unverified::<Response>::from_wire(&publish.payload).ok()?;
                let key = &network.gateway.statement_key;
                let response = sign::verify(response, &network.genesis(), key)
                    .ok()?
                    .into_body();
                let reason = String::from_utf8_lossy(&response.reason).into_owned();
                (response.nonce == nonce).then_some((response.status, reason))
            })
            .collect()
    }

    /// Enrols with an honest voucher.
    pub async fn enrol(&mut self, network: &Network) -> Result<()> {
        let voucher = self.voucher(network)?;
        let vouched = vouch(
            &authority_key(&network.authority)?,
            network.genesis(),
            voucher,
        )?;
        match self.ask_to_enrol(network, &vouched).await? {
            (Status::Done, _) => Ok(()),
            (status, reason) => bail!("{} was not enrolled: {status:?} {reason}", self.id),
        }
    }

    /// The secrets in a sealed grant.
    pub fn secrets(&self, group: &GroupId, sealed: &[u8]) -> Result<Vec<(u32, EpochSecret)>> {
        let recipient = Recipient {
            group,
            device: &self.id,
            key_version: 1,
        };
        let grant = keyward_crypto::grant::open(&self.agreement, sealed, recipient)?;
        Ok(grant
            .epochs
            .iter()
            .map(|granted| (granted.epoch, granted.secret.clone()))
            .collect())
    }
}

/// Signs a voucher.
pub fn vouch(authority: &SigningKey, genesis: Genesis, voucher: Voucher) -> Result<Vouched> {
    let signed = sign_message(genesis, voucher.clone(), authority)?;
    Ok(Vouched {
        voucher,
        signature: *signed.signature(),
    })
}

/// The secret key of the authority in a directory.
pub fn authority_key(directory: &Path) -> Result<SigningKey> {
    Ok(SigningKey::from_seed(&read_seed(
        &directory.join("authority.key"),
    )?))
}

/// The 32 bytes of a key file.
pub fn read_seed(path: &Path) -> Result<[u8; 32]> {
    let line =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut seed = [0; 32];
    let digits = line.trim().trim_start_matches("0x");
    hex::decode_to_slice(digits, &mut seed)
        .with_context(|| format!("{} holds no seed", path.display()))?;
    Ok(seed)
}

/// Tries to open a message of a sender with each secret, whatever epoch the secret is of: everything that the holder of
/// the secrets could do. The signature is the sender's own and in the way of nothing.
pub fn open_with_any(
    genesis: &Genesis,
    group: &GroupId,
    captured: &Captured,
    sender: &VerifyingKey,
    secrets: &[(u32, EpochSecret)],
) -> Result<Option<Vec<u8>>> {
    let message = Message::from_wire(&captured.payload).context("not a protected message")?;
    let header = message.header;
    let verifier = Verifier::new(sender)?;
    let expected = Expected {
        signed_by: header.signed.then_some(&verifier),
        timed: header.timed,
    };
    Ok(secrets.iter().find_map(|(_, secret)| {
        let key = GroupKey::new(genesis, group, header.epoch, secret);
        let key = key.message_key(header.sender, header.boot, header.stream);
        let opened = key.open(&message, &captured.topic, expected);
        opened.ok().map(|opened| opened.payload)
    }))
}
