//! `keyward device`.

use clap::Subcommand;
use keyward_chain_client::Call;
use keyward_protocol::{view::DeviceView, DeviceId};
use serde::Serialize;

use crate::{
    chain::{find_account, ChainFailed, Context, Done, Names},
    output::{fields, list, name, table, Failure},
};

/// Devices on chain. They register themselves through their gateway; see 'keyward ca issue --help'.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List devices
    #[command(
        after_help = "Examples:\n  keyward device list\n  keyward device list --owner gw1 --json"
    )]
    List {
        /// Only those of this gateway: short name or account
        #[arg(long, value_name = "NAME|ACCOUNT")]
        owner: Option<String>,
    },
    /// Show one device: its keys, its groups and what it acknowledged
    #[command(after_help = "Examples:\n  keyward device show 1111")]
    Show {
        /// Its id
        device: DeviceId,
    },
    /// Take a device out of all its groups for now: each starts a new epoch
    #[command(
        after_help = "Examples:\n  keyward device suspend 1112\n\nSign with the account of the gateway that owns the device (--account-file)."
    )]
    Suspend {
        /// Its id
        device: DeviceId,
    },
    /// Take a device out of everything for ever; its id is never used again
    #[command(
        after_help = "Examples:\n  keyward device revoke 1112\n\nThis cannot be undone. To take a device out for a while, suspend it."
    )]
    Revoke {
        /// Its id
        device: DeviceId,
    },
    /// Let a suspended device take part again: a join, with a new epoch
    #[command(after_help = "Examples:\n  keyward device reinstate 1112")]
    Reinstate {
        /// Its id
        device: DeviceId,
    },
}

/// Why a device was not shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFailed {
    /// The chain could not be asked or changed.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// There is no such device.
    #[error("no device {device} is registered; 'keyward device list' shows those that are")]
    Unknown {
        /// Which.
        device: DeviceId,
    },
}

impl Failure for DeviceFailed {
    fn is_usage(&self) -> bool {
        matches!(self, Self::Chain(error) if error.is_usage())
    }
}

#[derive(Serialize)]
struct Changed {
    device: DeviceView,
    #[serde(flatten)]
    done: Done,
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), DeviceFailed> {
    match command {
        Command::List { owner } => list_devices(owner, context).await,
        Command::Show { device } => show(&device, context).await,
        Command::Suspend { device } => {
            change(&device, Call::suspend_device(&device), context).await
        }
        Command::Revoke { device } => change(&device, Call::revoke_device(&device), context).await,
        Command::Reinstate { device } => {
            change(&device, Call::reinstate_device(&device), context).await
        }
    }
}

async fn list_devices(owner: Option<String>, context: &Context) -> Result<(), DeviceFailed> {
    let (_, view) = context.view().await?;
    let devices = match owner {
        None => view.devices().await,
        Some(owner) => view.devices_of(find_account(&view, &owner).await?).await,
    };
    let devices = devices.map_err(ChainFailed::from)?;
    let names = Names::of(&view).await?;
    context.output.show(&devices, |devices| {
        let row = |device: &DeviceView| {
            [
                device.device.to_string(),
                name(&device.status),
                names.name(&device.owner),
                device.authority.to_string(),
                device.key_version.to_string(),
                device.enrolled_at.to_string(),
                list(
                    device
                        .groups
                        .iter()
                        .map(|m| format!("{} ({})", m.group, name(&m.role))),
                ),
            ]
        };
        let header = [
            "device",
            "status",
            "owner",
            "authority",
            "keys",
            "block",
            "groups",
        ];
        table(header, devices.iter().map(row))
    });
    Ok(())
}

async fn show(device: &DeviceId, context: &Context) -> Result<(), DeviceFailed> {
    let (_, view) = context.view().await?;
    let names = Names::of(&view).await?;
    let found = view.device(device).await.map_err(ChainFailed::from)?;
    let found = found.ok_or_else(|| DeviceFailed::Unknown {
        device: device.clone(),
    })?;
    context.output.show(&found, |device| text(device, &names));
    Ok(())
}

fn text(device: &DeviceView, names: &Names) -> String {
    let head = fields([
        ("device", device.device.to_string()),
        ("status", name(&device.status)),
        ("owner", names.name(&device.owner)),
        ("authority", device.authority.to_string()),
        ("signing key", device.signing_key.to_string()),
        ("agreement key", device.agreement_key.to_string()),
        ("key version", device.key_version.to_string()),
        ("enrolled at", format!("block {}", device.enrolled_at)),
    ]);
    let rows = device.groups.iter().map(|group| {
        [
            group.group.to_string(),
            name(&group.role),
            list(group.filters.iter()),
            list(group.custodians.iter().map(|account| names.name(account))),
        ]
    });
    match device.groups.is_empty() {
        true => format!("{head}groups         -"),
        false => format!(
            "{head}\n{}",
            table(["group", "role", "topics", "custodians"], rows)
        ),
    }
}

async fn change(device: &DeviceId, call: Call, context: &Context) -> Result<(), DeviceFailed> {
    let signer = context.signer()?;
    let client = context.connect().await?;
    let done = context.submit(&client, &signer, call).await?;
    let view = client.at(done.block.hash);
    let changed = view.device(device).await.map_err(ChainFailed::from)?;
    let changed = changed.ok_or_else(|| DeviceFailed::Unknown {
        device: device.clone(),
    })?;
    let changed = Changed {
        device: changed,
        done,
    };
    context.output.show(&changed, |changed| {
        format!(
            "device {} is {} since block {} (finalized); groups: {}",
            changed.device.device,
            name(&changed.device.status),
            changed.done.block.number,
            list(
                changed
                    .device
                    .groups
                    .iter()
                    .map(|membership| &membership.group)
            )
        )
    });
    Ok(())
}
