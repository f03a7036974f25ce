//! `keyward group`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_chain_client::{Call, Client, Signer, View};
use keyward_protocol::{
    limits,
    policy::Policy,
    topic::{Filters, TopicFilter},
    view::{GroupView, InvitationView, MemberView},
    DeviceId, GroupId, Role,
};
use serde::Serialize;

use crate::{
    chain::{find_account, ChainFailed, Context, Done, Names},
    output::{fields, list, name, table, Failure, UsageInvalid},
    policy_file::{self, PolicyFailed},
};

/// Groups: who may read and write which topics. Changes are signed by the gateway's account (--account-file).
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List groups
    #[command(after_help = "Examples:\n  keyward group list\n  keyward group list --json")]
    List,
    /// Create a group; your gateway administers it and, unless you say otherwise, keeps its keys
    #[command(after_help = "\
Examples:
  keyward group create hsu0001 --topic hsu0001
  keyward group create valves --topic 'plant/+/valve' --policy valves.toml

A policy file is TOML and names only what differs from the default, for example:

  commands = true        # messages are commands, so they must have an age limit
  max_age = 30           # seconds
  max_silence = 120      # seconds without news of the chain after which publishers stop")]
    Create(Create),
    /// Add devices; those of another gateway are invited and wait for its consent
    #[command(after_help = "\
Examples:
  keyward group add hsu0001 --member 1111:publish --member 1112:subscribe

Roles: publish, subscribe, both. Unless the policy says otherwise, a new epoch begins, so that the new member cannot
read what was sent before.")]
    Add(Add),
    /// Accept an invitation of one of your devices
    #[command(after_help = "Examples:\n  keyward group accept hsu0001 1113")]
    Accept {
        /// The group
        group: GroupId,
        /// Your device
        device: DeviceId,
        /// Topic filter of the group that you agree to; may be repeated (default: all of the group's)
        #[arg(long = "topic", value_name = "FILTER")]
        topics: Vec<TopicFilter>,
    },
    /// List the invitations that wait for your consent
    #[command(
        after_help = "Examples:\n  keyward group invitations gw2\n\nAccept one with 'keyward group accept'."
    )]
    Invitations {
        /// Your gateway: short name or account
        #[arg(value_name = "NAME|ACCOUNT")]
        gateway: String,
    },
    /// Remove devices: from that block on no key goes to them
    #[command(after_help = "Examples:\n  keyward group remove hsu0001 1112")]
    Remove {
        /// The group
        group: GroupId,
        /// The devices
        #[arg(required = true)]
        devices: Vec<DeviceId>,
    },
    /// Start a new epoch: new keys for everybody
    #[command(after_help = "Examples:\n  keyward group rotate hsu0001")]
    Rotate {
        /// The group
        group: GroupId,
    },
    /// Show a group, its members and who acknowledged which epoch
    #[command(after_help = "Examples:\n  keyward group show hsu0001")]
    Show {
        /// The group
        group: GroupId,
    },
}

#[derive(Debug, Args)]
pub struct Create {
    /// Id of the group; in most organisations it begins with the organisation's name and a dot
    group: GroupId,
    /// Topic filter that the group protects; may be repeated, up to 4 times
    #[arg(long = "topic", value_name = "FILTER", required = true)]
    topics: Vec<TopicFilter>,
    /// TOML file with what differs from the default policy
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Gateway that keeps the group's keys: short name or account; may be repeated (default: yours)
    #[arg(long = "custodian", value_name = "NAME|ACCOUNT")]
    custodians: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Add {
    /// The group
    group: GroupId,
    /// Device and role, as DEVICE:publish, DEVICE:subscribe or DEVICE:both; may be repeated
    #[arg(long = "member", value_name = "DEVICE:ROLE", required = true, value_parser = member)]
    members: Vec<(DeviceId, Role)>,
}

fn member(text: &str) -> Result<(DeviceId, Role), String> {
    let (device, role) = text
        .rsplit_once(':')
        .ok_or("write DEVICE:ROLE, e.g. 1111:publish")?;
    let role = match role {
        "publish" => Role::Publish,
        "subscribe" => Role::Subscribe,
        "both" => Role::Both,
        other => {
            return Err(format!(
                "'{other}' is no role; use publish, subscribe or both"
            ))
        }
    };
    let device = device
        .parse::<DeviceId>()
        .map_err(|error| error.to_string())?;
    Ok((device, role))
}

/// Why a group was not shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum GroupFailed {
    /// The chain could not be asked or changed.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// There is no such group.
    #[error("there is no group {group}; 'keyward group list' shows those that are")]
    Unknown {
        /// Which.
        group: GroupId,
    },
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyFailed),
    /// The command line does not make sense.
    #[error(transparent)]
    Usage(#[from] UsageInvalid),
}

impl Failure for GroupFailed {
    fn is_usage(&self) -> bool {
        match self {
            Self::Usage(_) => true,
            Self::Chain(error) => error.is_usage(),
            _ => false,
        }
    }
}

/// A group with its members.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    group: GroupView,
    member_list: Vec<MemberView>,
}

#[derive(Serialize)]
struct Changed {
    group: GroupView,
    /// Transactions, in order.
    done: Vec<Done>,
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), GroupFailed> {
    match command {
        Command::List => list_groups(context).await,
        Command::Show { group } => show(&group, context).await,
        Command::Invitations { gateway } => invitations(&gateway, context).await,
        Command::Create(create) => create_group(create, context).await,
        Command::Add(add) => {
            let calls = chunks(&add.members, |members| {
                Call::add_members(&add.group, members)
            });
            change(&add.group, calls, "members added", context).await
        }
        Command::Accept {
            group,
            device,
            topics,
        } => accept(&group, &device, topics, context).await,
        Command::Remove { group, devices } => {
            let calls = chunks(&devices, |devices| Call::remove_members(&group, devices));
            change(&group, calls, "members removed", context).await
        }
        Command::Rotate { group } => {
            change(&group, vec![Call::rotate(&group)], "rotated", context).await
        }
    }
}

/// One call for every 256 items.
fn chunks<T>(items: &[T], call: impl Fn(&[T]) -> Call) -> Vec<Call> {
    items.chunks(limits::BATCH as usize).map(call).collect()
}

async fn list_groups(context: &Context) -> Result<(), GroupFailed> {
    let (_, view) = context.view().await?;
    let mut groups = Vec::new();
    for id in view.groups().await.map_err(ChainFailed::from)? {
        groups.push(find(&view, &id).await?);
    }
    let names = Names::of(&view).await?;
    context.output.show(&groups, |groups| {
        let row = |group: &GroupView| {
            [
                group.group.to_string(),
                name(&group.state),
                group.epoch.to_string(),
                group.members.to_string(),
                list(group.filters.iter()),
                names.name(&group.admin),
                list(group.custodians.iter().map(|account| names.name(account))),
            ]
        };
        let header = [
            "group",
            "state",
            "epoch",
            "members",
            "topics",
            "admin",
            "custodians",
        ];
        table(header, groups.iter().map(row))
    });
    Ok(())
}

async fn find(view: &View, group: &GroupId) -> Result<GroupView, GroupFailed> {
    let found = view.group(group).await.map_err(ChainFailed::from)?;
    found.ok_or_else(|| GroupFailed::Unknown {
        group: group.clone(),
    })
}

async fn show(group: &GroupId, context: &Context) -> Result<(), GroupFailed> {
    let (_, view) = context.view().await?;
    let names = Names::of(&view).await?;
    let mut member_list = view.members(group).await.map_err(ChainFailed::from)?;
    member_list.sort_by_key(|member| member.index);
    let shown = Shown {
        group: find(&view, group).await?,
        member_list,
    };
    context.output.show(&shown, |shown| text(shown, &names));
    Ok(())
}

fn text(shown: &Shown, names: &Names) -> String {
    let group = &shown.group;
    let head = fields([
        ("group", group.group.to_string()),
        ("state", name(&group.state)),
        (
            "epoch",
            format!("{} ({} staged ahead)", group.epoch, group.staged.len()),
        ),
        (
            "revision",
            format!("{} of block {}", group.revision, group.revised_at),
        ),
        ("topics", list(group.filters.iter())),
        ("admin", names.name(&group.admin)),
        (
            "custodians",
            list(group.custodians.iter().map(|account| names.name(account))),
        ),
        ("signed", yes(group.policy.signed)),
        ("new epoch on join", yes(group.policy.rekey_on_join)),
        ("max silence", format!("{} s", group.policy.max_silence)),
    ]);
    let rows = shown.member_list.iter().map(|member| {
        [
            member.index.to_string(),
            member.device.to_string(),
            name(&member.role),
            if member.active { "active" } else { "suspended" }.to_owned(),
            names.name(&member.owner),
            member.joined_epoch.to_string(),
            acknowledged(member),
        ]
    });
    let header = [
        "index",
        "device",
        "role",
        "status",
        "owner",
        "since epoch",
        "acknowledged",
    ];
    format!("{head}\n{}", table(header, rows))
}

fn acknowledged(member: &MemberView) -> String {
    match member.acknowledged {
        Some((epoch, block)) => format!("epoch {epoch} in block {block}"),
        None => "-".to_owned(),
    }
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

async fn invitations(gateway: &str, context: &Context) -> Result<(), GroupFailed> {
    let (_, view) = context.view().await?;
    let owner = find_account(&view, gateway).await?;
    let invitations = view.invitations(owner).await.map_err(ChainFailed::from)?;
    context.output.show(&invitations, |invitations| {
        let row = |invitation: &InvitationView| {
            [
                invitation.group.to_string(),
                invitation.device.to_string(),
                name(&invitation.role),
            ]
        };
        table(["group", "device", "role"], invitations.iter().map(row))
    });
    Ok(())
}

async fn create_group(create: Create, context: &Context) -> Result<(), GroupFailed> {
    let filters = filters(create.topics)?;
    let policy = match &create.policy {
        Some(path) => policy_file::read(path)?,
        None => Policy::default(),
    };
    let signer = context.signer()?;
    let (client, view) = context.view().await?;
    let mut custodians = Vec::new();
    for custodian in &create.custodians {
        custodians.push(find_account(&view, custodian).await?);
    }
    if custodians.is_empty() {
        custodians.push(signer.account());
    }
    let call = Call::create_group(&create.group, &filters, &policy, &custodians);
    submit(
        &client,
        &signer,
        &create.group,
        vec![call],
        "created",
        context,
    )
    .await
}

fn filters(topics: Vec<TopicFilter>) -> Result<Filters, UsageInvalid> {
    Filters::new(topics).ok_or_else(|| UsageInvalid {
        problem: format!("a group has at most {} topic filters", limits::FILTERS),
    })
}

async fn accept(
    group: &GroupId,
    device: &DeviceId,
    topics: Vec<TopicFilter>,
    context: &Context,
) -> Result<(), GroupFailed> {
    let chosen = filters(topics)?;
    let signer = context.signer()?;
    let (client, view) = context.view().await?;
    let all = find(&view, group).await?.filters;
    let filters = if chosen.is_empty() { all } else { chosen };
    let call = Call::accept_membership(group, device, &filters);
    submit(
        &client,
        &signer,
        group,
        vec![call],
        "invitation accepted",
        context,
    )
    .await
}

async fn change(
    group: &GroupId,
    calls: Vec<Call>,
    what: &str,
    context: &Context,
) -> Result<(), GroupFailed> {
    let signer = context.signer()?;
    let client = context.connect().await?;
    submit(&client, &signer, group, calls, what, context).await
}

/// Submits calls one after the other, and shows the group as the last one left it.
async fn submit(
    client: &Client,
    signer: &Signer,
    group: &GroupId,
    calls: Vec<Call>,
    what: &str,
    context: &Context,
) -> Result<(), GroupFailed> {
    let mut done = Vec::new();
    for call in calls {
        done.push(context.submit(client, signer, call).await?);
    }
    let Some(block) = done.last().map(|done: &Done| done.block) else {
        return Ok(());
    };
    let changed = Changed {
        group: find(&client.at(block.hash), group).await?,
        done,
    };
    context.output.show(&changed, |changed| {
        format!(
            "group {}: {what} in block {} (finalized); epoch {}, {}, {} members",
            changed.group.group,
            block.number,
            changed.group.epoch,
            name(&changed.group.state),
            changed.group.members
        )
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_a_device_and_a_role() {
        assert_eq!(
            member("1111:publish"),
            Ok(("1111".parse().unwrap(), Role::Publish))
        );
        assert_eq!(
            member("acme.a-b_1:both"),
            Ok(("acme.a-b_1".parse().unwrap(), Role::Both))
        );
        assert!(member("1111").is_err());
        assert!(member("11/11:both").is_err());
    }

    #[test]
    fn more_members_than_a_call_takes_are_split() {
        let group: GroupId = "g".parse().unwrap();
        let members: Vec<_> = (0..600)
            .map(|n| (format!("d{n}").parse().unwrap(), Role::Both))
            .collect();
        assert_eq!(
            chunks(&members, |members| Call::add_members(&group, members)).len(),
            3
        );
    }
}
