//! Open ports that nobody serves yet.
//!
//! In: where to listen. Out: sockets that listen, on which clients may connect already and wait.
//! Opening needs no runtime, so that a server can give up what it needed for it before it starts
//! a second thread. What can fail is each port.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::listener::Listen;

/// The ports of a server.
#[derive(Debug)]
pub struct Ports(pub(crate) Vec<(Listen, TcpListener)>);

/// A port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {} for {}", listen.address, listen.name)]
pub struct BindError {
    /// Which.
    pub listen: Listen,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl Ports {
    /// Opens the ports.
    ///
    /// # Errors
    /// [`BindError`] names the first port that could not be opened.
    pub fn open(listen: impl IntoIterator<Item = Listen>) -> Result<Self, BindError> {
        let mut ports = Vec::new();
        for mut listen in listen {
            let bound = open(listen.address);
            match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
                Ok((address, listener)) => {
                    listen.address = address;
                    ports.push((listen, listener));
                }
                Err(source) => return Err(BindError { listen, source }),
            }
        }
        Ok(Self(ports))
    }

    /// The open ports, with the port numbers that were free.
    pub fn listening(&self) -> impl Iterator<Item = &Listen> {
        self.0.iter().map(|(listen, _)| listen)
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that ended a moment ago keep its port otherwise.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connections the system keeps until they are accepted.
const BACKLOG: i32 = 1024;
