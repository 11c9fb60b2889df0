//! TCP ports of this machine.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::error::LocalError;

/// A port of 127.0.0.1 that nobody listened on a moment ago. Whoever binds it must be ready to find it taken.
///
/// # Errors
/// [`LocalError::NoFreePort`] when the operating system has none.
pub fn free_port() -> Result<u16, LocalError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LocalError::NoFreePort)?;
    Ok(listener.local_addr().map_err(LocalError::NoFreePort)?.port())
}

/// Free ports of 127.0.0.1 outside the range from which outgoing connections get theirs (Linux: 32768 and above), each a
/// different one. A server that keeps its port through a restart finds it free again: a client that tries the port
/// meanwhile cannot be given it as its own end.
///
/// # Errors
/// [`LocalError::NoFreePort`] when none was found.
pub fn lasting_ports<const N: usize>() -> Result<[u16; N], LocalError> {
    // Held until all are chosen, so that no port is given twice.
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = (0..100)
            .find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, rand::random_range(20_000..32_000_u16))).ok())
            .map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)
            .map_err(LocalError::NoFreePort)?;
        *port = listener.local_addr().map_err(LocalError::NoFreePort)?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Makes sure that `port` of 127.0.0.1 can be listened on.
///
/// # Errors
/// [`LocalError::PortInUse`] when it is taken, [`LocalError::Refused`] when this user may not bind it.
pub fn ensure_port_free(port: u16) -> Result<(), LocalError> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(LocalError::PortInUse { port }),
        Err(error) => {
            Err(LocalError::Refused(format!("port {port} on 127.0.0.1 cannot be used ({error}); choose another port with --port")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasting_ports_differ_and_are_free() {
        let [first, second, third] = lasting_ports::<3>().expect("free ports");
        assert!(first != second && second != third && first != third);
        ensure_port_free(first).expect("the port was given back");
    }

    #[test]
    fn a_port_in_use_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let error = ensure_port_free(port).expect_err("the port is taken");
        assert!(matches!(error, LocalError::PortInUse { port: named } if named == port));
        assert!(error.to_string().contains(&port.to_string()) && error.to_string().contains("--port"));
        drop(listener);
        ensure_port_free(port).expect("the port is free again");
    }
}
