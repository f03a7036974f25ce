//! Ports that tests give to the servers they start.
//!
//! A port that is merely found free can be gone before its server binds it: another test finds the same one, a connection
//! gets it as its local end, or a server that is being restarted leaves it for a moment. These ports are kept instead. They
//! lie below those that systems give to local ends (from 32768 on in Linux, from 49152 on in RFC 6335), and the UDP socket of the
//! same number, which no server here uses, is the lock: one process has it, until it ends, however it ends.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io::{Error, ErrorKind, Result},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    sync::{Mutex, PoisonError},
};

const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;
const ATTEMPTS: usize = 1_000;

/// What keeps the ports of this process.
static KEPT: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A TCP port of the loopback address that nothing listens on, and that no other caller gets while this process lives.
pub fn free_port() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = FIRST + (RandomState::new().hash_one(()) % u64::from(COUNT)) as u16;
        if let Ok(lock) = lock(port) {
            let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(lock);
            return Ok(port);
        }
    }
    let why = format!("none of {ATTEMPTS} ports tried from {FIRST} on is free");
    Err(Error::new(ErrorKind::AddrInUse, why))
}

/// Keeps a port, unless somebody listens on it: a server without a lock, or one that outlived the process that started it.
fn lock(port: u16) -> Result<UdpSocket> {
    let lock = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_caller_gets_a_port_of_its_own_that_connections_do_not_take() {
        let ports: BTreeSet<_> = (0..100).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 100);
        for port in ports {
            assert!((FIRST..FIRST + COUNT).contains(&port));
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
            lock(port).unwrap_err();
        }
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_given() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        lock(server.local_addr().unwrap().port()).unwrap_err();
    }
}
