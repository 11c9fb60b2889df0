//! Looks names up for the HTTP client, which connects to just the addresses that are given here: what is checked is what is
//! connected to, so a name that changes its answer gains nothing.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::addresses::Addresses;

/// Finds the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// All addresses of a host are private or reserved.
#[derive(Debug)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all addresses of the host are private or reserved")
    }
}

impl Error for Refused {}

/// A resolver that gives permitted addresses only.
pub struct Resolver {
    addresses: Addresses,
    lookup: Lookup,
}

impl Resolver {
    /// By this rule.
    pub fn new(addresses: Addresses, lookup: Lookup) -> Self {
        Self { addresses, lookup }
    }
}

/// The machine's own resolver.
pub fn system() -> Lookup {
    Arc::new(|host| Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.map(|address| address.ip()).collect()) }))
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (addresses, found) = (self.addresses.clone(), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await?;
            let permitted: Vec<SocketAddr> =
                found.into_iter().filter(|address| addresses.permit(*address)).map(|address| SocketAddr::new(address, 0)).collect();
            if permitted.is_empty() {
                return Err(Box::new(Refused) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}
