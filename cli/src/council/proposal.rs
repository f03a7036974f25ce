//! What can be proposed, and the call that each proposal is.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_chain_client::{account_from_text, Call, Client, Collective, View};
use keyward_protocol::{AccountId, AuthorityId, GroupId};

use super::{
    admit::{self, AdmitAuthority, AdmitGateway, AdmitOrganisation},
    upgrade, CouncilFailed,
};
use crate::{
    chain::{find_gateway, ChainFailed, Context},
    output::UsageInvalid,
};

const NOTE_STALLED: &str = "\
Only for a stall that does not heal: more than a third of the validators are gone for good, so GRANDPA finalizes nothing.
If they can be brought back, bring them back instead. As long as nothing is finalized no removal takes effect, and
publishers stop sealing. In this order:

  1. Take the validators that are gone out of the set (remove-validator; set-minimum-validators if it stands against it), and
     wait until the next session has begun ('keyward validator status --unfinalized'): the new voters are those that are planned then.
  2. Find the highest finalized block of all validators that are left: 'keyward validator status' at each (--url).
  3. Propose this with that block, vote for it and close it, each time with --unfinalized: these commands then do not
     wait for finality, which does not come.
  4. At the beginning of the next session the chain announces a new set of voters; --delay blocks later they vote, on top of
     that block. The delay must be longer than any fork that may still win.

  keyward council propose note-stalled --best-finalized 81234 --confirm-stall --unfinalized
  keyward council vote 5 --unfinalized
  keyward council close 5 --unfinalized";

const CALL: &str = "\
For what has no command of its own. polkadot.js shows the encoding of a call under Developer, Extrinsics ('encoded call
data'). It is decoded with the chain's metadata and shown before it is proposed.

  keyward council propose call 0x1e0501deadbeef…
  keyward council propose call 0x1e0501deadbeef… --as-root";

/// What to propose. Each is put to the council with a threshold of two thirds of its members, or, with --committee, to the
/// technical committee with more than half.
#[derive(Debug, Subcommand)]
pub enum Proposal {
    /// Admit an organisation
    #[command(
        after_help = "Examples:\n  keyward council propose admit-organisation acme --label 'Acme Valves' --devices 5000"
    )]
    AdmitOrganisation(AdmitOrganisation),
    /// Admit a gateway of an organisation
    #[command(
        after_help = "Examples:\n  keyward council propose admit-gateway gw1 --organisation acme --public gw1/public.json"
    )]
    AdmitGateway(AdmitGateway),
    /// Admit a certificate authority of an organisation
    #[command(
        after_help = "Examples:\n  keyward council propose admit-authority --organisation acme --authority ca/authority.json"
    )]
    AdmitAuthority(AdmitAuthority),
    /// Stop a gateway for now: it submits nothing, and its groups await another custodian
    #[command(
        after_help = "Examples:\n  keyward council propose suspend-gateway gw1\n  keyward council propose suspend-gateway gw1 --committee"
    )]
    SuspendGateway(EmergencyGateway),
    /// Let a suspended gateway act again
    #[command(after_help = "Examples:\n  keyward council propose reinstate-gateway gw1")]
    ReinstateGateway(OneGateway),
    /// Expel a gateway for ever
    #[command(after_help = "Examples:\n  keyward council propose expel-gateway gw1")]
    ExpelGateway(OneGateway),
    /// Revoke a certificate authority for ever: none of its vouchers is accepted any more
    #[command(after_help = "Examples:\n  keyward council propose revoke-authority demo-ca")]
    RevokeAuthority {
        /// The authority
        id: AuthorityId,
    },
    /// Stop a group: its publishers seal nothing until it is thawed
    #[command(
        after_help = "Examples:\n  keyward council propose freeze-group acme.valves\n  keyward council propose freeze-group acme.valves --committee"
    )]
    FreezeGroup {
        /// The group
        group: GroupId,
        /// Put it to the technical committee
        #[arg(long)]
        committee: bool,
    },
    /// Let a frozen group go on
    #[command(after_help = "Examples:\n  keyward council propose thaw-group acme.valves")]
    ThawGroup {
        /// The group
        group: GroupId,
    },
    /// Approve an account as operator of a validator: its node may then join ('keyward validator join')
    #[command(after_help = "Examples:\n  keyward council propose approve-validator 5Grwva…")]
    ApproveValidator(OneAccount),
    /// Take a validator out of the set, and its approval back
    #[command(
        after_help = "In force two sessions later. Refused where there would be fewer validators than the minimum.\n\n  keyward council propose remove-validator 5Grwva…"
    )]
    RemoveValidator(OneAccount),
    /// Set the fewest validators that the chain may have
    #[command(
        after_help = "At least 1, at most as many as there are.\n\n  keyward council propose set-minimum-validators 4"
    )]
    SetMinimumValidators {
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        minimum: u32,
    },
    /// Mark the offences of a validator as dealt with ('keyward validator status' shows them)
    #[command(after_help = "Examples:\n  keyward council propose clear-offences 5Grwva…")]
    ClearOffences(OneAccount),
    /// Make an account a member of the council, or of the technical committee
    #[command(
        after_help = "The council decides on both. The account is admitted to the chain by it.\n\n  keyward council propose add-member 5Grwva…\n  keyward council propose add-member 5Grwva… --committee"
    )]
    AddMember(OneMember),
    /// Take a member out of the council, or of the technical committee
    #[command(
        after_help = "The council decides on both.\n\n  keyward council propose remove-member 5Grwva…\n  keyward council propose remove-member 5Grwva… --committee"
    )]
    RemoveMember(OneMember),
    /// Authorize an upgrade to a runtime, which 'keyward council apply-upgrade' then applies
    #[command(
        after_help = "Name and version must follow those that the chain runs. Compressed code is accepted, and smaller.\n\n  keyward council propose upgrade keyward_runtime.compact.compressed.wasm"
    )]
    Upgrade {
        /// The runtime, compressed or not
        #[arg(value_name = "RUNTIME.wasm")]
        runtime: PathBuf,
    },
    /// Pause a call for everybody
    #[command(
        after_help = "What keeps the chain alive or takes access away cannot be paused.\n\n  keyward council propose pause Fleet.register_device\n  keyward council propose pause Fleet.register_device --committee"
    )]
    Pause(OneCall),
    /// Let a paused call go on
    #[command(after_help = "Examples:\n  keyward council propose unpause Fleet.register_device")]
    Unpause(OneCall),
    /// Start a new set of GRANDPA voters: the way out of a stall that does not heal
    #[command(after_help = NOTE_STALLED)]
    NoteStalled(NoteStalled),
    /// Any call, as its encoding
    #[command(after_help = CALL)]
    Call {
        /// The encoded call
        #[arg(value_name = "HEX", value_parser = call_bytes)]
        call: Bytes,
        /// Dispatch it as root: for what only root may do
        #[arg(long, conflicts_with = "committee")]
        as_root: bool,
        /// Put it to the technical committee
        #[arg(long)]
        committee: bool,
    },
}

/// A gateway, which the technical committee may stop, too.
#[derive(Debug, Args)]
pub struct EmergencyGateway {
    /// The gateway: short name or account
    #[arg(value_name = "NAME|ACCOUNT")]
    gateway: String,
    /// Put it to the technical committee
    #[arg(long)]
    committee: bool,
}

/// A gateway.
#[derive(Debug, Args)]
pub struct OneGateway {
    /// The gateway: short name or account
    #[arg(value_name = "NAME|ACCOUNT")]
    gateway: String,
}

/// An operator's account.
#[derive(Debug, Args)]
pub struct OneAccount {
    /// The operator's account
    #[arg(value_parser = account_from_text)]
    account: AccountId,
}

/// A member, and of what.
#[derive(Debug, Args)]
pub struct OneMember {
    /// The account
    #[arg(value_parser = account_from_text)]
    account: AccountId,
    /// Of the technical committee, not of the council
    #[arg(long)]
    committee: bool,
}

/// A call, by its name.
#[derive(Debug, Args)]
pub struct OneCall {
    /// Pallet and call, as the runtime spells them
    #[arg(value_name = "Pallet.call", value_parser = call_name)]
    call: CallName,
    /// Put it to the technical committee
    #[arg(long)]
    committee: bool,
}

/// A stall.
#[derive(Debug, Args)]
pub struct NoteStalled {
    /// The highest finalized block of all validators that are left (default: this node's)
    #[arg(long, value_name = "BLOCK")]
    best_finalized: Option<u32>,
    /// Blocks between the announcement of the new voters and their first vote
    #[arg(long, default_value_t = 100, value_name = "BLOCKS")]
    delay: u32,
    /// Say that the stall does not heal by itself
    #[arg(long)]
    confirm_stall: bool,
}

/// The bytes of a call.
#[derive(Clone, Debug)]
pub struct Bytes(Vec<u8>);

fn call_bytes(text: &str) -> Result<Bytes, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes = hex::decode(digits).map_err(|_| format!("'{text}' is not hexadecimal"))?;
    Ok(Bytes(bytes))
}

/// `Pallet.call`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallName {
    pallet: String,
    call: String,
}

fn call_name(text: &str) -> Result<CallName, String> {
    let split = text.split_once('.');
    let (pallet, call) =
        split.ok_or_else(|| format!("'{text}' is no call; write Fleet.register_device"))?;
    Ok(CallName {
        pallet: pallet.to_owned(),
        call: call.to_owned(),
    })
}

/// Fewer unfinalized blocks than these are no stall.
const STALLED: u32 = 10;

/// What is put to whom.
#[derive(Debug)]
pub struct Decision {
    /// The call.
    pub call: Call,
    /// Who decides.
    pub by: Collective,
    /// What to do when it was decided, if anything.
    pub then: Option<String>,
}

fn council(call: Call) -> Decision {
    by(false, call)
}

fn by(committee: bool, call: Call) -> Decision {
    Decision {
        call,
        by: super::collective(committee),
        then: None,
    }
}

impl Proposal {
    /// What it says to this chain; refused if it makes no sense there.
    pub async fn decision(
        self,
        client: &Client,
        view: &View,
        context: &Context,
    ) -> Result<Decision, CouncilFailed> {
        let gateway =
            async |gateway: &str| Ok::<_, ChainFailed>(find_gateway(view, gateway).await?.account);
        Ok(match self {
            Self::AdmitOrganisation(admit) => council(admit::organisation(&admit)?),
            Self::AdmitGateway(admit) => council(admit::gateway(&admit)?),
            Self::AdmitAuthority(admit) => council(admit::authority(&admit)?),
            Self::SuspendGateway(suspend) => {
                let account = gateway(&suspend.gateway).await?;
                by(suspend.committee, Call::suspend_gateway(account))
            }
            Self::ReinstateGateway(reinstate) => {
                council(Call::reinstate_gateway(gateway(&reinstate.gateway).await?))
            }
            Self::ExpelGateway(expel) => {
                council(Call::expel_gateway(gateway(&expel.gateway).await?))
            }
            Self::RevokeAuthority { id } => council(Call::revoke_authority(&id)),
            Self::FreezeGroup { group, committee } => by(committee, Call::freeze_group(&group)),
            Self::ThawGroup { group } => council(Call::thaw_group(&group)),
            Self::ApproveValidator(one) => Decision {
                then: Some("the operator runs 'keyward validator join' beside its node".into()),
                ..council(Call::approve_validator(one.account))
            },
            Self::RemoveValidator(one) => council(Call::remove_validator(one.account)),
            Self::SetMinimumValidators { minimum } => {
                council(Call::set_minimum_validators(minimum))
            }
            Self::ClearOffences(one) => council(Call::clear_offences(one.account)),
            Self::AddMember(add) => council(add_member(&add, view).await?),
            Self::RemoveMember(remove) => council(remove_member(&remove, view).await?),
            Self::Upgrade { runtime } => upgrade::decision(&runtime, client, context).await?,
            Self::Pause(one) => by(one.committee, pausing(&one, view, Call::pause).await?),
            Self::Unpause(one) => by(one.committee, pausing(&one, view, Call::unpause).await?),
            Self::NoteStalled(stall) => council(note_stalled(&stall, client).await?),
            Self::Call {
                call,
                as_root,
                committee,
            } => by(committee, any_call(&call, as_root, view).await?),
        })
    }

    /// Mistakes that can be told without a chain.
    pub fn check(&self) -> Result<(), UsageInvalid> {
        match self {
            Self::NoteStalled(stall) if !stall.confirm_stall => Err(UsageInvalid {
                problem: format!("a new set of voters can finalize another fork than the old one, should that come back. Read this, and add --confirm-stall:\n\n{NOTE_STALLED}"),
            }),
            _ => Ok(()),
        }
    }
}

fn senseless(reason: String) -> CouncilFailed {
    CouncilFailed::Senseless { reason }
}

async fn add_member(add: &OneMember, view: &View) -> Result<Call, CouncilFailed> {
    let to = super::collective(add.committee);
    let members = view.members_of(to).await.map_err(ChainFailed::from)?;
    match members.contains(&add.account) {
        true => Err(senseless(format!("it is a member of the {to} already"))),
        false => Ok(Call::add_member(to, add.account)),
    }
}

async fn remove_member(remove: &OneMember, view: &View) -> Result<Call, CouncilFailed> {
    let from = super::collective(remove.committee);
    let members = view.members_of(from).await.map_err(ChainFailed::from)?;
    if !members.contains(&remove.account) {
        return Err(senseless(format!("it is no member of the {from}")));
    }
    if from == Collective::Council && members.len() == 1 {
        return Err(senseless(
            "it is the last member of the council, and a chain without a council can never be governed again; add another first"
                .into(),
        ));
    }
    Ok(Call::remove_member(from, remove.account))
}

async fn pausing(
    one: &OneCall,
    view: &View,
    make: impl FnOnce(&str, &str) -> Call,
) -> Result<Call, CouncilFailed> {
    let CallName { pallet, call } = &one.call;
    let known = view.has_call(pallet, call).await;
    match known.map_err(ChainFailed::from)? {
        true => Ok(make(pallet, call)),
        false => Err(senseless(format!(
            "the chain has no call {pallet}.{call}; names are spelled as the runtime spells them: Fleet.register_device"
        ))),
    }
}

async fn note_stalled(stall: &NoteStalled, client: &Client) -> Result<Call, CouncilFailed> {
    let node = client.node_state().await.map_err(ChainFailed::from)?;
    if node.lag() < STALLED {
        return Err(senseless(format!(
            "nothing is stalled: block {} is finalized and {} is the newest",
            node.finalized, node.best
        )));
    }
    let best = stall.best_finalized.unwrap_or(node.finalized);
    if best < node.finalized || best > node.best {
        return Err(senseless(format!(
            "block {best} is not the highest that is finalized: this node has finalized {}, and its newest block is {}",
            node.finalized, node.best
        )));
    }
    Ok(Call::as_root(Call::note_stalled(stall.delay, best)))
}

async fn any_call(bytes: &Bytes, as_root: bool, view: &View) -> Result<Call, CouncilFailed> {
    let read = view.read_call(&bytes.0).await.map_err(ChainFailed::from)?;
    let (call, _) = read.map_err(|unreadable| senseless(unreadable.to_string()))?;
    Ok(match as_root {
        true => Call::as_root(call),
        false => call,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_by_pallet_and_call() {
        let name = call_name("Fleet.register_device").unwrap();
        assert_eq!(
            (&name.pallet[..], &name.call[..]),
            ("Fleet", "register_device")
        );
        assert!(call_name("register_device").is_err());
    }

    #[test]
    fn the_bytes_of_a_call_are_hexadecimal_with_or_without_0x() {
        assert_eq!(
            call_bytes("0x1e05").unwrap().0,
            call_bytes("1e05").unwrap().0
        );
        assert!(call_bytes("0x1e0").is_err() && call_bytes("Fleet.rotate").is_err());
    }
}
