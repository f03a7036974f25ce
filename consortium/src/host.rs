//! Hosts: a DNS name or an IP address, as others reach it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

/// Where a machine is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostInvalid {
    /// Neither a name nor an address.
    Syntax,
    /// `0.0.0.0`, a multicast or broadcast address: nobody can be reached there.
    Unreachable,
}

impl fmt::Display for HostInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "neither a DNS name nor an IP address",
            Self::Unreachable => "an address at which no machine can be reached",
        })
    }
}

impl std::error::Error for HostInvalid {}

/// RFC 1123: labels of 1 to 63 letters, digits and inner hyphens, 253 characters in all; the last one is not a number, so that what
/// is meant as an address is never taken for a name.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(is_label) && !last.chars().all(|c| c.is_ascii_digit())
}

impl FromStr for Host {
    type Err = HostInvalid;

    fn from_str(text: &str) -> Result<Self, HostInvalid> {
        match text.parse::<IpAddr>() {
            Ok(address) => {
                let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
                match address.is_unspecified() || address.is_multicast() || broadcast {
                    true => Err(HostInvalid::Unreachable),
                    false => Ok(Self::Address(address)),
                }
            }
            Err(_) if is_name(text) => Ok(Self::Name(text.to_ascii_lowercase())),
            Err(_) => Err(HostInvalid::Syntax),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl Host {
    /// Whether only the machine itself reaches it.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost",
            Self::Address(address) => address.is_loopback(),
        }
    }

    /// Whether it may be an address that exists inside a site only. A name may always resolve to one.
    pub fn may_be_private(&self) -> bool {
        match self {
            Self::Name(_) => true,
            Self::Address(IpAddr::V4(it)) => {
                it.is_private() || it.is_loopback() || it.is_link_local()
            }
            Self::Address(IpAddr::V6(it)) => {
                it.is_loopback() || it.is_unique_local() || it.is_unicast_link_local()
            }
        }
    }

    /// The beginning of its multiaddress: `/dns/gw1.example`, `/ip4/192.0.2.1` or `/ip6/2001:db8::1`.
    pub fn multiaddress(&self) -> String {
        match self {
            Self::Name(name) => format!("/dns/{name}"),
            Self::Address(IpAddr::V4(address)) => format!("/ip4/{address}"),
            Self::Address(IpAddr::V6(address)) => format!("/ip6/{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_hosts() {
        for (text, multiaddress) in [
            ("Gw1.Acme.Example", "/dns/gw1.acme.example"),
            ("localhost", "/dns/localhost"),
            ("192.0.2.1", "/ip4/192.0.2.1"),
            ("2001:db8::1", "/ip6/2001:db8::1"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().multiaddress(), multiaddress);
        }
    }

    #[test]
    fn other_text_is_no_host() {
        let long = format!("{}.example", "a.".repeat(150));
        for text in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a/b",
            "a:1",
            "[::1]",
            "192.0.2",
            "1.2.3.999",
            "é",
            &long,
        ] {
            assert_eq!(text.parse::<Host>(), Err(HostInvalid::Syntax), "{text}");
        }
        for text in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255"] {
            assert_eq!(text.parse::<Host>(), Err(HostInvalid::Unreachable));
        }
    }

    #[test]
    fn what_exists_inside_a_site_only_is_known_where_it_can_be() {
        let private = |text: &str| text.parse::<Host>().unwrap().may_be_private();
        assert!(
            private("10.1.2.3") && private("127.0.0.1") && private("fd00::1") && private("gw1")
        );
        assert!(!private("192.0.2.1") && !private("2001:db8::1"));
    }
}
