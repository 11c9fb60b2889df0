//! Where a request comes from: who connected, or, where that is a reverse proxy of ours, for whom it says that it asks.

use std::net::IpAddr;

use axum::http::HeaderMap;
use datagenie_common::settings::IpNetwork;

/// Proxies looked through; a header that names more is somebody's joke.
const MOST_HOPS: usize = 16;

/// The client's address. Of `X-Forwarded-For` the last address that is not one of our proxies counts: what stands before it a client
/// may have written himself.
#[must_use]
pub fn of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNetwork]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_ours = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if !is_ours(peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for");
    // A line that is no text still holds what our proxy has written behind it: were it left out, the line before it would count, which a
    // client may have written.
    let lists: Vec<_> = forwarded.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let hops = lists.iter().rev().flat_map(|list| list.split(',').rev()).take(MOST_HOPS);
    let mut nearest = peer;
    for hop in hops {
        // What is no address was not written by a proxy of ours: the one before it is the last that is known.
        let Ok(address) = hop.trim().parse::<IpAddr>() else { return nearest };
        nearest = address.to_canonical();
        if !is_ours(nearest) {
            return nearest;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        }
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        of(peer.parse().expect("an address"), &headers, &proxies).to_string()
    }

    #[test]
    fn only_our_proxies_say_for_whom_they_ask() {
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"]), "203.0.113.7", "anybody can write the header");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 198.51.100.1"]), "198.51.100.1", "what comes before was written by the client");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "198.51.100.1, 10.0.0.2"]), "198.51.100.1", "a proxy behind a proxy");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "é, 198.51.100.1"]), "198.51.100.1", "no text, and our proxy's word all the same");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "é"]), "10.0.0.1", "what stands before it is no proxy's");
    }
}
