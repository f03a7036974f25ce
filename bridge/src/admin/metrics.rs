//! Metrics, in OpenMetrics text. Gauges and counters are taken from the report at each scrape.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::text,
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::Registry,
};

use super::Report;
use crate::relay::RelayStatus;

/// The content type.
pub const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Buckets around what DESIGN section 10 promises: half of the epochs within 3 s, nearly all within 5 s.
pub fn rekey_seconds() -> Histogram {
    Histogram::new([0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0, 60.0, 300.0])
}

type Labels = Vec<(String, String)>;

/// The text of a scrape.
pub fn encode(report: &Report, rekey: &Histogram) -> String {
    let mut registry = Registry::with_prefix("keyward_bridge");
    let ready = i64::from(report.not_ready.is_none());
    registry.register(
        "ready",
        "1 while chain and broker are followed",
        ConstGauge::new(ready),
    );
    if let Some(seconds) = report.seconds_since_block {
        registry.register(
            "seconds_since_block",
            "Time since the newest finalized block was seen",
            ConstGauge::new(seconds),
        );
    }
    registry.register(
        "rekey_seconds",
        "Time from the block that began an epoch (e.g. by a removal) to the acknowledgement of its last member",
        rekey.clone(),
    );
    if let Some(relay) = &report.relay {
        gauges(&mut registry, relay);
        counters(&mut registry, relay);
        groups(&mut registry, relay);
    }
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = text::encode(&mut text, &registry);
    text
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn gauges(registry: &mut Registry, relay: &RelayStatus) {
    let all = [
        (
            "finalized_block",
            "Newest finalized block dealt with",
            i64::from(relay.block.unwrap_or(0)),
        ),
        (
            "broker_listening",
            "1 when the broker has told what it holds",
            i64::from(relay.broker),
        ),
        (
            "blocked",
            "1 when nothing may be submitted",
            i64::from(relay.blocked.is_some()),
        ),
        (
            "outbox",
            "Messages that the broker should hold and does not yet",
            number(relay.outbox),
        ),
        (
            "retained",
            "Messages that the broker should hold",
            number(relay.retained),
        ),
        ("devices", "Devices of this gateway", number(relay.devices)),
        (
            "groups",
            "Groups of this gateway",
            number(relay.groups.len()),
        ),
        (
            "requests_pending",
            "Requests on their way to the chain",
            number(relay.requests_pending),
        ),
        (
            "receipts_pending",
            "Receipts on their way to the chain",
            number(relay.receipts_pending),
        ),
        (
            "transactions",
            "Transactions on their way",
            number(relay.transactions),
        ),
    ];
    for (name, help, value) in all {
        registry.register(name, help, ConstGauge::new(value));
    }
}

fn counters(registry: &mut Registry, relay: &RelayStatus) {
    let all = [
        (
            "republished",
            "Messages published again because the broker lost or changed them, or never acknowledged them",
            relay.republished,
        ),
        ("grants_sealed", "Grants sealed", relay.grants_sealed),
        (
            "requests_accepted",
            "Requests accepted",
            relay.requests_accepted,
        ),
        (
            "receipts_accepted",
            "Receipts accepted",
            relay.receipts_accepted,
        ),
    ];
    for (name, help, value) in all {
        registry.register(name, help, ConstCounter::new(value));
    }
    let refused = Family::<Labels, Counter<u64, AtomicU64>>::default();
    for (reason, count) in &relay.refused {
        let labels = vec![("reason".to_owned(), reason.clone())];
        refused.get_or_create(&labels).inc_by(*count);
    }
    registry.register("refused", "Requests and receipts refused", refused);
}

fn groups(registry: &mut Registry, relay: &RelayStatus) {
    let family = Family::<Labels, Gauge>::default;
    let (epoch, revision, staged) = (family(), family(), family());
    let (members, delivered) = (family(), family());
    let (stale, stale_seconds) = (family(), family());
    for (group, status) in &relay.groups {
        let labels = vec![("group".to_owned(), group.clone())];
        let revised = i64::try_from(status.revision).unwrap_or(i64::MAX);
        epoch.get_or_create(&labels).set(status.epoch.into());
        revision.get_or_create(&labels).set(revised);
        staged.get_or_create(&labels).set(number(status.staged));
        members.get_or_create(&labels).set(number(status.members));
        delivered
            .get_or_create(&labels)
            .set(status.delivered.into());
        let seconds = i64::try_from(status.stale_seconds).unwrap_or(i64::MAX);
        stale.get_or_create(&labels).set(number(status.stale));
        stale_seconds.get_or_create(&labels).set(seconds);
    }
    registry.register("group_epoch", "Epoch of the group", epoch);
    registry.register("group_revision", "Revision of the group", revision);
    registry.register("group_staged", "Epochs staged by this gateway", staged);
    registry.register("group_members", "Members that take part", members);
    registry.register(
        "group_delivered",
        "1 when the delivery of the epoch is on record",
        delivered,
    );
    registry.register(
        "group_stale_members",
        "Members that may hold the epoch and have not acknowledged it",
        stale,
    );
    registry.register(
        "group_stale_seconds",
        "Time since the block that began an epoch which some member has not acknowledged; 0 if all have",
        stale_seconds,
    );
}
