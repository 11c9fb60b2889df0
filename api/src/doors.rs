//! How many connections there may be, in all and of one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use datagenie_common::settings::{Api, IpNetwork};

/// The way in, for connections.
#[derive(Clone)]
pub struct Doors {
    shared: Arc<Shared>,
}

struct Shared {
    in_all: usize,
    /// 0: no limit.
    per_address: usize,
    /// Behind these are many clients.
    proxies: Vec<IpNetwork>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// As many as there may be in all.
    InAll,
    /// As many as there may be of this address.
    OfAddress,
}

/// The place of an open connection; dropped with it.
pub struct Place {
    doors: Doors,
    address: Option<IpAddr>,
}

impl Doors {
    /// By the settings.
    #[must_use]
    pub fn new(api: &Api) -> Self {
        let shared = Shared {
            in_all: api.max_connections,
            per_address: api.max_connections_per_address,
            proxies: api.trusted_proxies.clone(),
            open: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Lets one in from this address.
    ///
    /// # Errors
    /// What is full.
    pub fn enter(&self, address: IpAddr) -> Result<Place, Full> {
        let is_proxy = self.shared.proxies.iter().any(|network| network.contains(address.to_canonical()));
        let counted = (self.shared.per_address > 0 && !is_proxy).then(|| household(address));
        let mut open = self.open();
        if open.in_all >= self.shared.in_all {
            return Err(Full::InAll);
        }
        if let Some(address) = counted {
            let his = open.by_address.entry(address).or_default();
            if *his >= self.shared.per_address {
                return Err(Full::OfAddress);
            }
            *his += 1;
        }
        open.in_all += 1;
        drop(open);
        Ok(Place { doors: self.clone(), address: counted })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.doors.open();
        open.in_all -= 1;
        if let Some(address) = self.address
            && let Some(his) = open.by_address.get_mut(&address)
        {
            *his -= 1;
            if *his == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

/// What counts as one address: of IPv6 the /64, all of which one client has.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(in_all: usize, per_address: usize) -> Doors {
        let proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        Doors { shared: Arc::new(Shared { in_all, per_address, proxies, open: Mutex::default() }) }
    }

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_its_share_and_who_goes_makes_room() {
        let doors = doors(4, 2);
        let (first, _second) = (doors.enter(at("192.0.2.1")).ok(), doors.enter(at("::ffff:192.0.2.1")).ok());
        assert_eq!(doors.enter(at("192.0.2.1")).err(), Some(Full::OfAddress));
        let _other = doors.enter(at("192.0.2.2")).ok();
        drop(first);
        let _third = doors.enter(at("192.0.2.1")).ok();
        let _proxy = doors.enter(at("10.1.1.1")).ok();
        assert_eq!(doors.enter(at("192.0.2.3")).err(), Some(Full::InAll));
        assert_eq!(doors.open().by_address.len(), 2, "who is gone, or has no share, is not kept");
    }

    #[test]
    fn a_household_of_ipv6_is_one_address() {
        assert_eq!(household(at("2001:db8:1:2::5")), household(at("2001:db8:1:2:ffff::1")));
        assert_ne!(household(at("2001:db8:1:2::5")), household(at("2001:db8:1:3::5")));
    }
}
