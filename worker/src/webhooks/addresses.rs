//! Which addresses webhooks may be sent to: public ones, and those of the networks in `webhooks.allow_cidrs`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use datagenie_common::settings::IpNetwork;
use url::Host;

/// The rule. Clones share the list.
#[derive(Clone, Debug)]
pub struct Addresses {
    allowed: Arc<[IpNetwork]>,
}

impl Addresses {
    /// Public addresses and these networks.
    #[must_use]
    pub fn new(allowed: &[IpNetwork]) -> Self {
        Self { allowed: allowed.into() }
    }

    /// Whether something may be sent to this address.
    #[must_use]
    pub fn permit(&self, address: IpAddr) -> bool {
        let plain = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        is_public(plain) || self.allowed.iter().any(|network| network.contains(address) || network.contains(plain))
    }

    /// Whether a URL with this host may be asked at all: a name is looked up and checked later, an address is checked here.
    #[must_use]
    pub fn permit_host(&self, host: &Host<&str>) -> bool {
        match host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => self.permit(IpAddr::V4(*address)),
            Host::Ipv6(address) => self.permit(IpAddr::V6(*address)),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = a == 0 // this network, unspecified
        || a == 10
        || (a == 100 && (64..=127).contains(&b)) // shared with carriers
        || a == 127
        || (a == 169 && b == 254) // link-local, and the metadata of clouds
        || (a == 172 && (16..=31).contains(&b))
        || (a == 192 && b == 0 && (c == 0 || c == 2)) // protocol assignments, documentation
        || (a == 192 && b == 88 && c == 99) // relays of 6to4
        || (a == 192 && b == 168)
        || (a == 198 && (b == 18 || b == 19)) // benchmarks
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224; // multicast, reserved, broadcast
    !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // Translated to IPv4, by anybody's rules or by local ones.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x64, 0xff9b, ..] => false,
        // 6to4.
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo and the other protocol assignments, documentation, and the routes of segments.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Of all the rest only what is given out for the public: no ::, ::1, mapped or compatible IPv4, fc00::/7, fe80::/10, ff00::/8.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn permits(rule: &Addresses, url: &str) -> bool {
        let url = Url::parse(url).expect("a URL");
        rule.permit_host(&url.host().expect("a host"))
    }

    #[test]
    fn only_public_addresses_are_permitted() {
        let rule = Addresses::new(&[]);
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.254",
        ] {
            assert!(rule.permit(text.parse().expect("an address")), "{text}");
        }
        for text in ["2606:4700:4700::1111", "2a00::1", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8"] {
            assert!(rule.permit(text.parse().expect("an address")), "{text}");
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!rule.permit(text.parse().expect("an address")), "{text}");
            let v4: Ipv4Addr = text.parse().expect("an address");
            for wrapped in
                [v4.to_ipv6_mapped(), format!("::{v4}").parse().expect("compatible"), format!("64:ff9b::{v4}").parse().expect("NAT64")]
            {
                assert!(!rule.permit(IpAddr::V6(wrapped)), "{wrapped}");
            }
        }
        for text in [
            "::",
            "::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:10::1",
            "3fff::1",
            "64:ff9b:1::8.8.8.8",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "100::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(!rule.permit(text.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn an_address_is_known_in_every_spelling() {
        let rule = Addresses::new(&[]);
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://0/",
            "http://169.254.169.254/latest/meta-data/",
            "http://0xa9fea9fe/",
            "http://[fd00:ec2::254]/",
        ] {
            assert!(!permits(&rule, url), "{url}");
        }
        assert!(Url::parse("http://[fe80::1%25eth0]/").is_err(), "a zone is no part of a URL's address");
        assert!(permits(&rule, "http://8.8.8.8/") && permits(&rule, "https://example.com/"));
    }

    #[test]
    fn networks_of_the_settings_are_permitted_too() {
        let networks: Vec<IpNetwork> = ["127.0.0.1/32", "fd00::/8"].iter().map(|text| text.parse().expect("a network")).collect();
        let rule = Addresses::new(&networks);
        for (url, permitted) in [
            ("http://127.0.0.1:9/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://127.0.0.2/", false),
            ("http://[fd12::1]/", true),
            ("http://[fe80::1]/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(permits(&rule, url), permitted, "{url}");
        }
    }
}
