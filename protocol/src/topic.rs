//! Topics: the filters of groups, and the control topics of DESIGN section 6.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, Input, MaxEncodedLen};
use core::fmt;
use scale_info::{Type, TypeInfo};

use crate::{
    id::{DeviceId, GatewayName, GroupId},
    limits,
    wire::{rises, Canonical, WireInvalid},
};

/// The bytes of a filter before they were checked: what a call takes.
pub type FilterBytes = BoundedVec<u8, ConstU32<{ limits::FILTER }>>;

/// Why text is not a topic filter of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterInvalid {
    /// No character at all.
    Empty,
    /// More than 64 bytes.
    TooLong,
    /// Not UTF-8, or a control character.
    Character,
    /// `#` not alone in the last level, or `+` not alone in its level (MQTT 5, section 4.7.1).
    Wildcard,
    /// Begins with `$`: reserved to the server.
    Reserved,
}

impl fmt::Display for FilterInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a topic filter has at least one character",
            Self::TooLong => "a topic filter of a group has at most 64 bytes",
            Self::Character => "a topic filter is UTF-8 without control characters",
            Self::Wildcard => "'#' stands alone in the last level, '+' alone in its level",
            Self::Reserved => "a topic filter of a group does not begin with '$'",
        })
    }
}

impl core::error::Error for FilterInvalid {}

/// A topic filter of a group (TOP-1): an MQTT filter of at most 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, MaxEncodedLen)]
pub struct TopicFilter(FilterBytes);

fn check(bytes: &[u8]) -> Result<(), FilterInvalid> {
    let text = core::str::from_utf8(bytes).map_err(|_| FilterInvalid::Character)?;
    if text.is_empty() {
        return Err(FilterInvalid::Empty);
    }
    if text.len() > limits::FILTER as usize {
        return Err(FilterInvalid::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(FilterInvalid::Character);
    }
    if text.starts_with('$') {
        return Err(FilterInvalid::Reserved);
    }
    let last = text.split('/').count().saturating_sub(1);
    let level_is_valid = |(at, level): (usize, &str)| match level {
        "#" => at == last,
        "+" => true,
        _ => !level.contains(['#', '+']),
    };
    let valid = text.split('/').enumerate().all(level_is_valid);
    valid.then_some(()).ok_or(FilterInvalid::Wildcard)
}

impl TopicFilter {
    /// Reads a filter from text.
    pub fn new(text: &str) -> Result<Self, FilterInvalid> {
        check(text.as_bytes())?;
        Vec::from(text)
            .try_into()
            .map(Self)
            .map_err(|_| FilterInvalid::TooLong)
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether a topic matches (MQTT 5, section 4.7).
    pub fn matches(&self, topic: &str) -> bool {
        if topic.starts_with('$') {
            return false;
        }
        let mut levels = topic.split('/');
        for pattern in self.as_str().split('/') {
            match (pattern, levels.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (pattern, Some(level)) if pattern == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    /// How specific the filter is, level by level: of two filters that match a topic the greater one decides (TOP-3).
    /// Two filters that match the same topic with equal specificity are the same filter.
    ///
    /// `#` is less than `+`, `+` less than a name, and a filter that ends is more than one that goes on with `#`: of `a`
    /// and `a/#`, which both match the topic `a`, the first decides.
    pub fn specificity(&self) -> Vec<u8> {
        let kind = |level: &str| match level {
            "#" => 0,
            "+" => 1,
            _ => 2,
        };
        let end = 3;
        let levels = self.as_str().split('/').map(kind);
        levels.chain(core::iter::once(end)).collect()
    }
}

impl TryFrom<FilterBytes> for TopicFilter {
    type Error = FilterInvalid;
    fn try_from(bytes: FilterBytes) -> Result<Self, FilterInvalid> {
        check(&bytes)?;
        Ok(Self(bytes))
    }
}

impl core::str::FromStr for TopicFilter {
    type Err = FilterInvalid;
    fn from_str(text: &str) -> Result<Self, FilterInvalid> {
        Self::new(text)
    }
}

impl Decode for TopicFilter {
    fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
        let bytes = FilterBytes::decode(input)?;
        Self::try_from(bytes).map_err(|_| "not a topic filter".into())
    }
}
impl DecodeWithMemTracking for TopicFilter {}

impl TypeInfo for TopicFilter {
    type Identity = Self;
    fn type_info() -> Type {
        Type::builder()
            .path(scale_info::Path::new("TopicFilter", module_path!()))
            .composite(scale_info::build::Fields::unnamed().field(|f| f.ty::<FilterBytes>()))
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicFilter({self})")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for TopicFilter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for TopicFilter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Filters in rising order.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Filters(BoundedVec<TopicFilter, ConstU32<{ limits::FILTERS }>>);

impl Filters {
    /// Sorts filters and drops doubles; `None` if there are more than 4.
    pub fn new(filters: impl IntoIterator<Item = TopicFilter>) -> Option<Self> {
        let mut filters: Vec<_> = filters.into_iter().collect();
        filters.sort();
        filters.dedup();
        filters.try_into().ok().map(Self)
    }

    /// The filters.
    pub fn iter(&self) -> core::slice::Iter<'_, TopicFilter> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every one of these is among `all`: what an owner may accept of a group's filters (TOP-2).
    pub fn is_within(&self, all: &Self) -> bool {
        self.iter().all(|filter| all.0.contains(filter))
    }

    /// The most specific filter that a topic matches.
    pub fn best(&self, topic: &str) -> Option<&TopicFilter> {
        self.iter()
            .filter(|filter| filter.matches(topic))
            .max_by_key(|filter| filter.specificity())
    }
}

impl Canonical for Filters {
    fn check(&self) -> Result<(), WireInvalid> {
        rises(self.iter())
            .then_some(())
            .ok_or(WireInvalid::NotCanonical("filters rise"))
    }
}

/// Whether text may be the topic of a PUBLISH: no wildcard, no control character, at most 1,024 bytes.
pub fn is_topic_name(topic: &str) -> bool {
    let bad = |c: char| matches!(c, '+' | '#') || c.is_control();
    !topic.is_empty() && topic.len() <= limits::TOPIC && !topic.contains(bad)
}

/// Prefix of the control topics unless configured otherwise.
pub const PREFIX: &str = "keyward/v1";

/// A control topic below the prefix (TOP-4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlTopic {
    /// `gateway/<gw>/state`: online or offline, retained, also the gateway's will.
    GatewayState(GatewayName),
    /// `gateway/<gw>/anchor`: anchor certificate, retained.
    Anchor(GatewayName),
    /// `gateway/<gw>/device/<device>/state`: device statement, retained.
    DeviceState(GatewayName, DeviceId),
    /// `gateway/<gw>/device/<device>/response`.
    Response(GatewayName, DeviceId),
    /// `gateway/<gw>/group/<group>/state`: group statement, retained.
    GroupState(GatewayName, GroupId),
    /// `gateway/<gw>/group/<group>/beacon`: beacon, retained.
    Beacon(GatewayName, GroupId),
    /// `gateway/<gw>/group/<group>/publishers/<page>`: page of publishers, retained.
    Publishers(GatewayName, GroupId, u32),
    /// `gateway/<gw>/grant/<device>/<group>`: grant, retained.
    Grant(GatewayName, DeviceId, GroupId),
    /// `device/<device>/<gw>/request`.
    Request(DeviceId, GatewayName),
    /// `device/<device>/<gw>/ack`: receipt.
    Ack(DeviceId, GatewayName),
}

impl ControlTopic {
    /// The whole topic, below a prefix.
    pub fn to_topic(&self, prefix: &str) -> String {
        match self {
            Self::GatewayState(gw) => format!("{prefix}/gateway/{gw}/state"),
            Self::Anchor(gw) => format!("{prefix}/gateway/{gw}/anchor"),
            Self::DeviceState(gw, device) => format!("{prefix}/gateway/{gw}/device/{device}/state"),
            Self::Response(gw, device) => format!("{prefix}/gateway/{gw}/device/{device}/response"),
            Self::GroupState(gw, group) => format!("{prefix}/gateway/{gw}/group/{group}/state"),
            Self::Beacon(gw, group) => format!("{prefix}/gateway/{gw}/group/{group}/beacon"),
            Self::Publishers(gw, group, page) => {
                format!("{prefix}/gateway/{gw}/group/{group}/publishers/{page}")
            }
            Self::Grant(gw, device, group) => {
                format!("{prefix}/gateway/{gw}/grant/{device}/{group}")
            }
            Self::Request(device, gw) => format!("{prefix}/device/{device}/{gw}/request"),
            Self::Ack(device, gw) => format!("{prefix}/device/{device}/{gw}/ack"),
        }
    }

    /// Reads a topic; `None` for what is not a control topic in its one spelling.
    pub fn parse(prefix: &str, topic: &str) -> Option<Self> {
        let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?;
        let levels: Vec<&str> = rest.split('/').collect();
        Some(match *levels.as_slice() {
            ["gateway", gw, "state"] => Self::GatewayState(gw.parse().ok()?),
            ["gateway", gw, "anchor"] => Self::Anchor(gw.parse().ok()?),
            ["gateway", gw, "device", device, "state"] => {
                Self::DeviceState(gw.parse().ok()?, device.parse().ok()?)
            }
            ["gateway", gw, "device", device, "response"] => {
                Self::Response(gw.parse().ok()?, device.parse().ok()?)
            }
            ["gateway", gw, "group", group, "state"] => {
                Self::GroupState(gw.parse().ok()?, group.parse().ok()?)
            }
            ["gateway", gw, "group", group, "beacon"] => {
                Self::Beacon(gw.parse().ok()?, group.parse().ok()?)
            }
            ["gateway", gw, "group", group, "publishers", page] => {
                Self::Publishers(gw.parse().ok()?, group.parse().ok()?, page_number(page)?)
            }
            ["gateway", gw, "grant", device, group] => {
                Self::Grant(gw.parse().ok()?, device.parse().ok()?, group.parse().ok()?)
            }
            ["device", device, gw, "request"] => {
                Self::Request(device.parse().ok()?, gw.parse().ok()?)
            }
            ["device", device, gw, "ack"] => Self::Ack(device.parse().ok()?, gw.parse().ok()?),
            _ => return None,
        })
    }
}

fn page_number(text: &str) -> Option<u32> {
    let page: u32 = text.parse().ok()?;
    (page < limits::PAGES && page.to_string() == text).then_some(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    /// TOP-1.
    #[test]
    fn filters_match_as_mqtt_says() {
        assert!(filter("sport/+/player").matches("sport/tennis/player"));
        assert!(!filter("sport/+").matches("sport"));
        assert!(filter("sport/#").matches("sport"));
        assert!(filter("sport/#").matches("sport/a/b"));
        assert!(filter("+/+").matches("/finance"));
        assert!(!filter("+").matches("/finance"));
        assert!(!filter("#").matches("$SYS/broker"));
        assert!(!filter("hsu0001").matches("hsu0001/x"));
    }

    #[test]
    fn bad_filters_have_their_reason() {
        assert_eq!(TopicFilter::new(""), Err(FilterInvalid::Empty));
        assert_eq!(
            TopicFilter::new(&"x".repeat(65)),
            Err(FilterInvalid::TooLong)
        );
        assert_eq!(TopicFilter::new("a\u{0}"), Err(FilterInvalid::Character));
        assert_eq!(TopicFilter::new("a/#/b"), Err(FilterInvalid::Wildcard));
        assert_eq!(TopicFilter::new("a+/b"), Err(FilterInvalid::Wildcard));
        assert_eq!(TopicFilter::new("$share/g/a"), Err(FilterInvalid::Reserved));
    }

    /// TOP-3.
    #[test]
    fn the_most_specific_filter_decides() {
        let filters = Filters::new(["#", "a/+", "a/b", "+/b"].map(filter)).unwrap();
        assert_eq!(filters.best("a/b"), Some(&filter("a/b")));
        assert_eq!(filters.best("a/c"), Some(&filter("a/+")));
        assert_eq!(filters.best("x/b"), Some(&filter("+/b")));
        assert_eq!(filters.best("x"), Some(&filter("#")));
    }

    #[test]
    fn a_filter_that_ends_is_more_specific_than_one_that_goes_on() {
        let filters = Filters::new(["a", "a/#", "+"].map(filter)).unwrap();
        assert_eq!(filters.best("a"), Some(&filter("a")));
        assert_eq!(filters.best("a/b"), Some(&filter("a/#")));
        assert_eq!(filters.best("b"), Some(&filter("+")));
    }

    fn arb_id() -> impl Strategy<Value = String> {
        "[A-Za-z0-9._-]{1,32}"
    }

    proptest! {
        /// TOP-4.
        #[test]
        fn control_topics_survive_their_topic(gw in arb_id(), device in arb_id(), group in arb_id(), page in 0..limits::PAGES) {
            let gw = GatewayName::new(&gw).unwrap();
            let device = DeviceId::new(&device).unwrap();
            let group = GroupId::new(&group).unwrap();
            for topic in [
                ControlTopic::GatewayState(gw.clone()),
                ControlTopic::Anchor(gw.clone()),
                ControlTopic::DeviceState(gw.clone(), device.clone()),
                ControlTopic::Response(gw.clone(), device.clone()),
                ControlTopic::GroupState(gw.clone(), group.clone()),
                ControlTopic::Beacon(gw.clone(), group.clone()),
                ControlTopic::Publishers(gw.clone(), group.clone(), page),
                ControlTopic::Grant(gw.clone(), device.clone(), group.clone()),
                ControlTopic::Request(device.clone(), gw.clone()),
                ControlTopic::Ack(device.clone(), gw.clone()),
            ] {
                prop_assert_eq!(ControlTopic::parse(PREFIX, &topic.to_topic(PREFIX)), Some(topic));
            }
        }

        #[test]
        fn what_parses_has_one_spelling(topic in "(keyward/v1/)?(gateway|device)/[a-z0-9/+]{0,20}(/state|/ack|/publishers/0?[0-9]{1,3})?") {
            if let Some(parsed) = ControlTopic::parse(PREFIX, &topic) {
                prop_assert_eq!(parsed.to_topic(PREFIX), topic);
            }
        }

        #[test]
        fn filters_that_tie_on_a_topic_are_the_same(a in "[ab+](/[ab+]){0,2}(/#)?", b in "[ab+](/[ab+]){0,2}(/#)?", topic in "[ab](/[ab]){0,3}") {
            let (a, b) = (filter(&a), filter(&b));
            if a.matches(&topic) && b.matches(&topic) && a.specificity() == b.specificity() {
                prop_assert_eq!(a, b);
            }
        }
    }
}
