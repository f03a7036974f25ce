//! Identifiers, topic filters and control topics.

use codec::Encode;
use keyward_protocol::{
    topic::{is_topic_name, ControlTopic, Filters, TopicFilter, PREFIX},
    GroupId,
};
use serde_json::{json, Value};

use super::hexed;
use crate::fixed::{device, gateway_name, group};

const IDS: [&str; 13] = [
    "1111",
    "hsu0001",
    "acme.valve_7-b",
    "A",
    ".",
    "abcdefghijklmnopqrstuvwxyz012345",
    "",
    "abcdefghijklmnopqrstuvwxyz0123456",
    "a/b",
    "a+",
    "#",
    "a b",
    "é",
];

const FILTERS: [&str; 16] = [
    "hsu0001",
    "a/+/c",
    "a/#",
    "#",
    "+",
    "+/+",
    "/",
    "a//b",
    "größe/+",
    "",
    "$share/g/a",
    "a/#/b",
    "a+/b",
    "a#",
    "a\u{7}",
    "abcdefghijklmnopqrstuvwxyz012345/abcdefghijklmnopqrstuvwxyz012345",
];

const TOPICS: [&str; 13] = [
    "hsu0001",
    "hsu0001/x",
    "a",
    "a/b/c",
    "a/b",
    "a//b",
    "/",
    "größe/x",
    "$SYS/broker",
    "",
    "a/+",
    "a/#",
    "a\u{0}",
];

/// Each list of filters decides for one of them, or none.
const DECISIONS: [(&[&str], &str); 5] = [
    (&["#", "a/+", "a/b", "+/b"], "a/b"),
    (&["#", "a/+", "+/b"], "a/b"),
    (&["a", "a/#"], "a"),
    (&["a/#", "+"], "a"),
    (&["b"], "a"),
];

pub fn vectors() -> Value {
    let ids: Vec<Value> = IDS.iter().map(|text| id(text)).collect();
    let filters: Vec<Value> = FILTERS.iter().map(|text| filter(text)).collect();
    let topics = TOPICS.map(|topic| json!({"topic": topic, "valid": is_topic_name(topic)}));
    let decisions = DECISIONS.map(|(filters, topic)| decision(filters, topic));
    json!({
        "cases": ids,
        "filters": filters,
        "topics": topics.to_vec(),
        "decisions": decisions.to_vec(),
        "prefix": PREFIX,
        "control": control(),
    })
}

fn id(text: &str) -> Value {
    let id = GroupId::new(text).ok();
    json!({
        "id": text,
        "valid": id.is_some(),
        "encoded": id.as_ref().map(|id| hexed(id.encode())),
        "organisation": id.as_ref().and_then(|id| id.organisation()),
    })
}

fn filter(text: &str) -> Value {
    let filter = TopicFilter::new(text).ok();
    let matches = |filter: &TopicFilter| {
        let matched = TOPICS
            .iter()
            .filter(|t| is_topic_name(t) && filter.matches(t));
        matched.collect::<Vec<_>>()
    };
    json!({
        "filter": text,
        "valid": filter.is_some(),
        "encoded": filter.as_ref().map(|filter| hexed(filter.encode())),
        "specificity": filter.as_ref().map(|filter| filter.specificity()),
        "matches": filter.as_ref().map(matches),
    })
}

fn decision(texts: &[&str], topic: &str) -> Value {
    let filters = texts.iter().map(|text| TopicFilter::new(text).unwrap());
    let filters = Filters::new(filters).unwrap();
    json!({
        "filters": texts,
        "encoded": hexed(filters.encode()),
        "topic": topic,
        "decides": filters.best(topic).map(TopicFilter::as_str),
    })
}

fn control() -> Value {
    let (gw, device, group) = (gateway_name(), device("1111"), group("hsu0001"));
    let topics = [
        ControlTopic::GatewayState(gw.clone()),
        ControlTopic::Anchor(gw.clone()),
        ControlTopic::DeviceState(gw.clone(), device.clone()),
        ControlTopic::Response(gw.clone(), device.clone()),
        ControlTopic::GroupState(gw.clone(), group.clone()),
        ControlTopic::Beacon(gw.clone(), group.clone()),
        ControlTopic::Publishers(gw.clone(), group.clone(), 63),
        ControlTopic::Grant(gw.clone(), device.clone(), group),
        ControlTopic::Request(device.clone(), gw.clone()),
        ControlTopic::Ack(device, gw),
    ];
    topics.iter().map(|topic| topic.to_topic(PREFIX)).collect()
}
