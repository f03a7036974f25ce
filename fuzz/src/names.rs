//! Identifiers, filters and topics: what is text, and stands in topics as it is.

use codec::{DecodeAll, Encode};
use keyward_protocol::{
    id::IdInvalid,
    limits,
    topic::{is_topic_name, ControlTopic, Filters, TopicFilter, PREFIX},
    AuthorityId, DeviceId, GatewayName, GroupId, OrganisationId,
};

/// An identifier (ID-1, ID-2), as text and as SCALE.
pub fn identifier(data: &[u8]) {
    let read = DeviceId::try_from(data);
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let is_id = (1..=limits::ID as usize).contains(&data.len()) && data.iter().all(allowed);
    assert_eq!(read.is_ok(), is_id, "ID-1");
    let reason = GroupId::try_from(data).err();
    assert_eq!(read.as_ref().err(), reason.as_ref());
    assert_eq!(OrganisationId::try_from(data).err(), reason);
    assert_eq!(AuthorityId::try_from(data).err(), reason);
    assert_eq!(GatewayName::try_from(data).err(), reason);
    if let Some(IdInvalid::Byte(byte)) = reason {
        assert!(data.contains(&byte) && !allowed(&byte), "ID-1");
    }
    let encoded = data.encode();
    let decoded = DeviceId::decode_all(&mut &encoded[..]);
    assert_eq!(decoded.is_ok(), is_id, "ID-1");
    let Ok(id) = read else {
        return;
    };
    assert_eq!(decoded.ok().as_ref(), Some(&id));
    assert_eq!(id.encode(), encoded, "ENV-2");
    assert_eq!(id.as_bytes(), data);
    let beginning = id
        .as_str()
        .split('.')
        .next()
        .filter(|_| data.contains(&b'.'));
    assert_eq!(id.organisation(), beginning, "ID-2");
    // Its bytes as SCALE, too: whatever decodes is written in the same bytes.
    if let Ok(read) = DeviceId::decode_all(&mut { data }) {
        assert_eq!(read.encode(), data, "ENV-2");
    }
}

/// Lines: a topic, and filters (TOP-1, TOP-3).
pub fn topic_filter(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let topic = lines.next().unwrap_or_default();
    let _ = is_topic_name(topic);
    let mut filters = Vec::new();
    for line in lines.take(8) {
        let read = TopicFilter::new(line);
        assert_eq!(read.is_ok(), is_filter(line), "TOP-1");
        if let Ok(filter) = read {
            assert_eq!(filter.as_str(), line);
            let encoded = filter.encode();
            assert_eq!(
                TopicFilter::decode_all(&mut &encoded[..]),
                Ok(filter.clone())
            );
            let matches = !topic.starts_with('$') && levels_match(line, topic);
            assert_eq!(filter.matches(topic), matches, "TOP-1");
            filters.push(filter);
        }
    }
    decide(&filters, topic);
}

/// Section 4.7 of MQTT 5, within the limits of TOP-1.
fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let is_level = |(at, level): (usize, &&str)| {
        let has_wildcard = level.contains('#') || level.contains('+');
        !has_wildcard || **level == *"+" || (**level == *"#" && at + 1 == levels.len())
    };
    (1..=limits::FILTER as usize).contains(&text.len())
        && !text.starts_with('$')
        && !text.chars().any(char::is_control)
        && levels.iter().enumerate().all(is_level)
}

/// Matching as the standard words it, level by level.
fn levels_match(filter: &str, topic: &str) -> bool {
    let (first, rest) = split(filter);
    if first == "#" {
        return true;
    }
    let (level, below) = split(topic);
    if first != "+" && first != level {
        return false;
    }
    match (rest, below) {
        (None, None) => true,
        (Some(rest), Some(below)) => levels_match(rest, below),
        // `sport/#` matches `sport`, its parent.
        (Some(rest), None) => rest == "#",
        (None, Some(_)) => false,
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    }
}

/// The most specific filter decides (TOP-3), and there is one.
fn decide(filters: &[TopicFilter], topic: &str) {
    for one in filters {
        for other in filters {
            let both = one.matches(topic) && other.matches(topic);
            if both && one.specificity() == other.specificity() {
                assert_eq!(one, other, "TOP-3");
            }
        }
    }
    let Some(list) = Filters::new(filters.iter().cloned()) else {
        let mut distinct = filters.to_vec();
        distinct.sort();
        distinct.dedup();
        return assert!(distinct.len() > limits::FILTERS as usize, "LIM-1");
    };
    let best = list.best(topic);
    let matching: Vec<_> = list.iter().filter(|filter| filter.matches(topic)).collect();
    assert_eq!(best.is_some(), !matching.is_empty(), "TOP-3");
    for filter in matching {
        let is_less = best.is_some_and(|best| filter.specificity() <= best.specificity());
        assert!(is_less, "TOP-3");
    }
    assert!(list.is_within(&list), "TOP-2");
    let encoded = list.encode();
    assert_eq!(Filters::decode_all(&mut &encoded[..]), Ok(list));
}

/// A prefix and a topic, in two lines (TOP-4): what is read has one spelling.
pub fn control_topic(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let (prefix, topic) = text.split_once('\n').unwrap_or((PREFIX, text));
    for (prefix, topic) in [
        (prefix, topic.to_owned()),
        (prefix, format!("{prefix}/{topic}")),
        (PREFIX, format!("{PREFIX}/{topic}")),
    ] {
        let Some(read) = ControlTopic::parse(prefix, &topic) else {
            continue;
        };
        assert_eq!(read.to_topic(prefix), topic, "TOP-4");
        if let ControlTopic::Publishers(_, _, page) = read {
            assert!(page < limits::PAGES, "LIM-1");
        }
    }
}
