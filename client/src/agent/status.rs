//! `keyward-agent status`: what the device knows, from its store alone.

use std::path::Path;

use serde::Serialize;

use super::{
    clock::Clock,
    exit::Failed,
    identity,
    output::Output,
    start,
    store::{KeySource, Store},
};
use crate::session::{GroupStatus, Status};

/// What is printed.
#[derive(Debug, Serialize)]
struct Shown {
    device: String,
    key_version: u32,
    signing_key: String,
    agreement_key: String,
    /// Whether the gateway has said that the device is on chain.
    enrolled: bool,
    gateway: Option<String>,
    genesis: Option<String>,
    broker: Option<String>,
    boot: u32,
    revision: Option<u64>,
    groups: Vec<ShownGroup>,
    protected: Vec<String>,
    /// Version of keys that wait for the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_key_version: Option<u32>,
    /// Whether nothing is sealed any more until the keys are replaced.
    copied: bool,
}

#[derive(Debug, Serialize)]
struct ShownGroup {
    group: String,
    role: String,
    filters: Vec<String>,
    state: Option<String>,
    revision: Option<u64>,
    epoch: Option<u32>,
    /// Epochs whose secrets are held.
    epochs_held: Vec<u32>,
    /// The newest epoch whose receipt is on chain.
    acknowledged: Option<u32>,
    publishers: usize,
    /// Seconds since the newest block that was heard of.
    age: Option<u64>,
    stale: bool,
}

/// Runs the command.
pub fn run(directory: &Path, key: &KeySource, output: Output) -> Result<(), Failed> {
    let store = Store::look(directory, key)?;
    let shown = look(&store)?;
    let text = match output.is_json() {
        true => serde_json::to_string_pretty(&shown).map_err(std::io::Error::from)?,
        false => text(&shown),
    };
    Ok(output.print_text(text.trim_end())?)
}

fn look(store: &Store) -> Result<Shown, Failed> {
    let device = identity::load(store)?;
    let request = identity::request(&device);
    let provisioning = identity::provisioning(store)?;
    let durable = start::durable(store)?;
    let status = Status::of(&durable, Clock::start().now().wall_ms);
    let gateway = provisioning
        .as_ref()
        .map(|provisioning| &provisioning.gateway);
    Ok(Shown {
        device: device.device.to_string(),
        key_version: device.key_version,
        signing_key: request.signing_key.to_string(),
        agreement_key: request.agreement_key.to_string(),
        enrolled: status.revision.is_some(),
        gateway: gateway.map(|gateway| gateway.name.to_string()),
        genesis: provisioning
            .as_ref()
            .map(|provisioning| provisioning.genesis.to_string()),
        broker: identity::connection(store)?.map(|connection| connection.broker.to_string()),
        boot: status.boot,
        revision: status.revision,
        groups: status.groups.into_iter().map(group).collect(),
        protected: status.protected.iter().map(ToString::to_string).collect(),
        next_key_version: identity::next(store)?.map(|next| next.key_version),
        copied: status
            .copied
            .is_some_and(|version| version >= device.key_version),
    })
}

fn group(status: GroupStatus) -> ShownGroup {
    let lower = |text: String| text.to_lowercase();
    ShownGroup {
        group: status.group.to_string(),
        role: lower(format!("{:?}", status.role)),
        filters: status.filters.iter().map(ToString::to_string).collect(),
        state: status.state.map(|state| lower(format!("{state:?}"))),
        revision: status.revision,
        epoch: status.epoch,
        epochs_held: status.held,
        acknowledged: status.acknowledged,
        publishers: status.publishers,
        age: status.age_ms.map(|age| age / 1000),
        stale: status.is_stale,
    }
}

fn text(shown: &Shown) -> String {
    let unknown = || "-".to_owned();
    let enrolled = match (shown.enrolled, &shown.gateway) {
        (true, Some(gateway)) => format!("with gateway {gateway}"),
        (false, Some(gateway)) => format!("not yet; run 'keyward-agent enrol' (gateway {gateway})"),
        (_, None) => "no; run 'keyward-agent enrol'".to_owned(),
    };
    let mut text = format!(
        "device         {} (key version {})\nsigning key    {}\nagreement key  {}\nenrolled       {enrolled}\nbroker         {}\n\
         protected      {}\n",
        shown.device,
        shown.key_version,
        shown.signing_key,
        shown.agreement_key,
        shown.broker.clone().unwrap_or_else(unknown),
        list(&shown.protected),
    );
    if let Some(version) = shown.next_key_version {
        text.push_str(&format!(
            "next keys      version {version}, not on the chain yet; run 'keyward-agent replace-keys'\n"
        ));
    }
    if shown.copied {
        text.push_str(
            "COPIED         the store was restored or copied, and nothing is sealed; run 'keyward-agent replace-keys'\n",
        );
    }
    if shown.groups.is_empty() {
        text.push_str("groups         none\n");
    }
    for group in &shown.groups {
        text.push_str(&group_text(group));
    }
    text
}

fn group_text(group: &ShownGroup) -> String {
    let state = group.state.as_deref().unwrap_or("not heard of yet");
    let epoch = group
        .epoch
        .map_or("-".to_owned(), |epoch| epoch.to_string());
    let held = match group
        .epoch
        .is_some_and(|epoch| group.epochs_held.contains(&epoch))
    {
        true => "key held",
        false => "key NOT held",
    };
    let age = match (group.age, group.stale) {
        (None, _) => "never heard of the chain".to_owned(),
        (Some(age), true) => format!("STALE: heard of the chain {age} s ago"),
        (Some(age), false) => format!("heard of the chain {age} s ago"),
    };
    format!(
        "\ngroup          {}: {state}, role {}\n  topics       {}\n  epoch        {epoch}, {held}\n  \
         receipt      {}\n  publishers   {}\n  view         {age}\n",
        group.group,
        group.role,
        list(&group.filters),
        group
            .acknowledged
            .map_or("none on the chain".to_owned(), |epoch| format!("of epoch {epoch} on the chain")),
        group.publishers,
    )
}

fn list(items: &[String]) -> String {
    match items.is_empty() {
        true => "-".to_owned(),
        false => items.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        Shown {
            device: "1111".into(),
            key_version: 1,
            signing_key: "0x01".into(),
            agreement_key: "0x02".into(),
            enrolled: true,
            gateway: Some("gw1".into()),
            genesis: None,
            broker: Some("mqtt://h:1883".into()),
            boot: 3,
            revision: Some(7),
            groups: vec![ShownGroup {
                group: "hsu0001".into(),
                role: "publish".into(),
                filters: vec!["hsu0001".into()],
                state: Some("active".into()),
                revision: Some(2),
                epoch: Some(2),
                epochs_held: vec![1],
                acknowledged: Some(1),
                publishers: 1,
                age: Some(900),
                stale: true,
            }],
            protected: vec!["hsu0001".into()],
            next_key_version: None,
            copied: false,
        }
    }

    #[test]
    fn people_see_at_once_what_is_wrong() {
        let text = text(&shown());
        for expected in [
            "enrolled       with gateway gw1",
            "epoch        2, key NOT held",
            "STALE: heard of the chain 900 s ago",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn people_see_that_the_keys_must_be_replaced() {
        let copied = Shown {
            next_key_version: Some(2),
            copied: true,
            ..shown()
        };
        let text = text(&copied);
        for expected in ["next keys      version 2", "COPIED "] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_device_that_was_not_enrolled_says_how() {
        let fresh = Shown {
            enrolled: false,
            gateway: None,
            groups: Vec::new(),
            ..shown()
        };
        assert!(text(&fresh).contains("no; run 'keyward-agent enrol'"));
    }
}
