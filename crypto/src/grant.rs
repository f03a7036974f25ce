//! Grants: a group's epoch secrets, sealed to one device's agreement key (KEY-4, KEY-6).

use alloc::{collections::BTreeSet, vec::Vec};
use core::fmt;
use keyward_protocol::{
    grant::Grant,
    limits,
    wire::{Canonical as _, WireInvalid},
    AgreementKey, DeviceId, GroupId,
};
use rand_core::CryptoRngCore;
use thiserror::Error;
use zeroize::ZeroizeOnDrop;

use crate::{
    agreement::AgreementSecret,
    sealed_box::{self, NotOpened, NotSealed},
};

/// Why a grant was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GrantNotSealed {
    /// The recipient's key is not acceptable.
    #[error(transparent)]
    Key(#[from] NotSealed),
    /// The grant breaks a rule of its format or is too long.
    #[error("the grant cannot be written: {source}")]
    Format {
        /// Which rule.
        source: WireInvalid,
    },
    /// This pass has sealed to that key already: the nonce would repeat. Begin a new pass for it.
    #[error("this pass has sealed to {recipient} already; begin a new pass for it")]
    Repeated {
        /// The key.
        recipient: AgreementKey,
    },
}

/// Why a grant was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GrantRefused {
    /// More bytes than a grant may have.
    #[error("a grant of {actual} bytes; at most {max}", max = limits::GRANT)]
    TooLong {
        /// Bytes that came.
        actual: usize,
    },
    /// Not a box for our key.
    #[error(transparent)]
    Box(#[from] NotOpened),
    /// The content is not a grant.
    #[error("the sealed box holds no grant: {source}")]
    Format {
        /// Which rule it breaks.
        source: WireInvalid,
    },
    /// For another group.
    #[error("the grant is for group {actual}")]
    Group {
        /// The group that it names.
        actual: GroupId,
    },
    /// For another device.
    #[error("the grant is for device {actual}")]
    Device {
        /// The device that it names.
        actual: DeviceId,
    },
    /// For another version of our keys.
    #[error("the grant is for key version {actual}")]
    KeyVersion {
        /// The version that it names.
        actual: u32,
    },
    /// It has a critical extension that this version does not know (EXT-1).
    #[error("the grant has critical extension {id}, which this version does not know; update it")]
    UnknownExtension {
        /// Its number.
        id: u16,
    },
}

/// Whose grant is expected: what the topic, the device's own keys and its statement say.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The group.
    pub group: &'a GroupId,
    /// This device.
    pub device: &'a DeviceId,
    /// The version of its keys.
    pub key_version: u32,
}

/// Seals one grant, with an ephemeral key of its own.
///
/// # Errors
/// When the key is not acceptable or the grant breaks its format; a retry does not help.
pub fn seal(
    grant: &Grant,
    recipient: &AgreementKey,
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Result<Vec<u8>, GrantNotSealed> {
    seal_from(&AgreementSecret::generate(rng), grant, recipient)
}

/// Opens a grant, and checks that it is the one that is expected. Its secrets are believed only when they open the
/// commitments of the group's statement: [`crate::epoch::opens`] (KEY-5).
///
/// # Errors
/// Says what is wrong; a retry does not help, another grant may come.
pub fn open(
    secret: &AgreementSecret,
    sealed: &[u8],
    expected: Recipient<'_>,
) -> Result<Grant, GrantRefused> {
    if sealed.len() > limits::GRANT {
        return Err(GrantRefused::TooLong {
            actual: sealed.len(),
        });
    }
    let content = secret.open(sealed)?;
    let grant = Grant::from_wire(&content).map_err(|source| GrantRefused::Format { source })?;
    check(&grant, expected)?;
    Ok(grant)
}

fn check(grant: &Grant, expected: Recipient<'_>) -> Result<(), GrantRefused> {
    if grant.group != *expected.group {
        return Err(GrantRefused::Group {
            actual: grant.group.clone(),
        });
    }
    if grant.device != *expected.device {
        return Err(GrantRefused::Device {
            actual: grant.device.clone(),
        });
    }
    if grant.key_version != expected.key_version {
        return Err(GrantRefused::KeyVersion {
            actual: grant.key_version,
        });
    }
    match grant.extensions.unknown_critical(&[]) {
        Some(id) => Err(GrantRefused::UnknownExtension { id }),
        None => Ok(()),
    }
}

/// Seals the grants of one epoch change with one ephemeral key, which saves a fourth of the time (KEY-6).
///
/// A sealed box derives its nonce from the two keys, so each recipient key may occur once: a second one is refused, and
/// its grant needs a new pass. The ephemeral key lives in this value only and is erased with it; a pass is not `Clone`
/// and nothing of it can be stored.
pub struct SealingPass {
    ephemeral: AgreementSecret,
    sealed_to: BTreeSet<AgreementKey>,
}

impl SealingPass {
    /// Begins a pass. Pass the operating system's generator.
    pub fn begin(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        Self {
            ephemeral: AgreementSecret::generate(rng),
            sealed_to: BTreeSet::new(),
        }
    }

    /// Seals one grant. The bytes are a sealed box like any other.
    ///
    /// # Errors
    /// When the key is not acceptable, the grant breaks its format, or the pass has sealed to that key before.
    pub fn seal(
        &mut self,
        grant: &Grant,
        recipient: &AgreementKey,
    ) -> Result<Vec<u8>, GrantNotSealed> {
        // Noted before anything is sealed: also a refused grant uses the key up.
        if !self.sealed_to.insert(*recipient) {
            return Err(GrantNotSealed::Repeated {
                recipient: *recipient,
            });
        }
        seal_from(&self.ephemeral, grant, recipient)
    }
}

impl ZeroizeOnDrop for SealingPass {}

/// Fewer grants than this are not worth a thread.
#[cfg(feature = "std")]
const SHARE: usize = 64;

/// Seals grants on so many threads, with a pass for the share of each (KEY-6): what became of each, in their order.
///
/// In place of a thread that the system refuses the caller's own does the work.
#[cfg(feature = "std")]
pub fn seal_all(
    grants: &[(Grant, AgreementKey)],
    threads: usize,
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Vec<Result<Vec<u8>, GrantNotSealed>> {
    let mut shares = grants.chunks(grants.len().div_ceil(threads.max(1)).max(SHARE));
    let own = shares.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let mut begun = Vec::new();
        for share in shares {
            let pass = SealingPass::begin(rng);
            let thread = std::thread::Builder::new();
            begun.push((
                share,
                thread.spawn_scoped(scope, move || seal_share(share, pass)),
            ));
        }
        let mut sealed = seal_share(own, SealingPass::begin(rng));
        for (share, thread) in begun {
            sealed.extend(match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(_) => seal_share(share, SealingPass::begin(rng)),
            });
        }
        sealed
    })
}

#[cfg(feature = "std")]
fn seal_share(
    share: &[(Grant, AgreementKey)],
    mut pass: SealingPass,
) -> Vec<Result<Vec<u8>, GrantNotSealed>> {
    let grants = share.iter();
    grants.map(|(grant, key)| pass.seal(grant, key)).collect()
}

impl fmt::Debug for SealingPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingPass({} recipients)", self.sealed_to.len())
    }
}

fn seal_from(
    ephemeral: &AgreementSecret,
    grant: &Grant,
    recipient: &AgreementKey,
) -> Result<Vec<u8>, GrantNotSealed> {
    grant
        .check()
        .map_err(|source| GrantNotSealed::Format { source })?;
    let sealed = sealed_box::seal_from(ephemeral, recipient, &grant.to_wire())?;
    match sealed.len() {
        actual if actual > limits::GRANT => Err(GrantNotSealed::Format {
            source: WireInvalid::TooLong {
                max: limits::GRANT,
                actual,
            },
        }),
        _ => Ok(sealed),
    }
}
