//! The open ports: who is let in, and what happens when there is no place left.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::connection::Connection;
use crate::guests::Guests;
use crate::office::Office;
use crate::ports::{BindError, Ports};
use crate::proxy;
use crate::sessions::Sessions;

/// A port to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// What the listener is called in logs and files.
    pub name: String,
    /// How TLS starts there.
    pub encryption: Encryption,
    /// Where; port 0 is any free one.
    pub address: SocketAddr,
    /// Whether only what the RFCs have is taken there, not what clients are known to send, too.
    pub strict: bool,
    /// The networks of the proxies in front of it. Where there are any, nobody else is served,
    /// and each connection begins with a header of the PROXY protocol.
    pub proxies: Vec<IpNet>,
}

/// How TLS starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// By the `STLS` command (the port of POP3, 110).
    StartTls,
    /// With the first octet (the port of POP3S, 995).
    Implicit,
}

/// The server with its ports open.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<(Listen, TcpListener)>,
}

impl Server {
    /// Opens the ports, in a runtime.
    ///
    /// # Errors
    /// [`BindError`] names the first port that could not be opened.
    pub async fn bind(listen: impl IntoIterator<Item = Listen>) -> Result<Self, BindError> {
        Self::on(Ports::open(listen)?)
    }

    /// A server on ports that are open. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// [`BindError`] when the runtime cannot watch a port.
    pub fn on(ports: Ports) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for (listen, listener) in ports.0 {
            match TcpListener::from_std(listener) {
                Ok(listener) => listeners.push((listen, listener)),
                Err(source) => return Err(BindError { listen, source }),
            }
        }
        Ok(Self { listeners })
    }

    /// The open ports, with the port numbers that were free.
    pub fn listening(&self) -> impl Iterator<Item = &Listen> {
        self.listeners.iter().map(|(listen, _)| listen)
    }

    /// Serves until `stop` resolves; then lets no one in, ends all sessions without UPDATE, and
    /// waits for the commits under way.
    pub async fn run(self, office: Office, stop: impl Future<Output = ()>) {
        let guests = Guests::new(office.limits.connections, office.limits.connections_per_address);
        let sessions = Sessions::new(office.limits.takeover_time, office.limits.sessions_per_user);
        let (stopper, stopped) = watch::channel(false);
        // Each connection holds a sender; the channel closes with the last of them.
        let (inside, mut empty) = mpsc::channel::<()>(1);
        let stop_time = office.limits.stop_time;
        let mut doors = JoinSet::new();
        for (listen, listener) in self.listeners {
            let door = Door {
                listen,
                office: office.clone(),
                guests: guests.clone(),
                sessions: sessions.clone(),
                stop: stopped.clone(),
                inside: inside.clone(),
            };
            doors.spawn(door.open(listener));
        }
        drop(inside);
        stop.await;
        info!("stopping");
        // All receivers gone means nobody is left to stop.
        let _ = stopper.send(true);
        doors.shutdown().await;
        if timeout(stop_time, empty.recv()).await.is_err() {
            warn!(seconds = stop_time.as_secs(), "sessions were still busy when the time was up");
        }
    }
}

/// One listener's accept loop, and what each of its connections needs.
#[derive(Clone)]
struct Door {
    listen: Listen,
    office: Office,
    guests: Guests,
    sessions: Sessions,
    stop: watch::Receiver<bool>,
    inside: mpsc::Sender<()>,
}

impl Door {
    async fn open(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => self.let_in(stream, address),
                Err(error) => {
                    // Out of descriptors, mostly: waiting is all that helps, spinning does not.
                    warn!(listener = self.listen.name, %error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn let_in(&self, stream: TcpStream, peer: SocketAddr) {
        // Sockets for both kinds of addresses show IPv4 ones in the form of IPv6.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let from_proxy = self.listen.proxies.iter().any(|network| network.contains(&peer.ip()));
        if !self.listen.proxies.is_empty() && !from_proxy {
            info!(address = %peer, listener = self.listen.name, "not one of the proxies");
            return;
        }
        let Some(guest) = self.guests.enter() else {
            self.refuse(&stream, peer);
            return;
        };
        if let Err(error) = set_options(&stream, self.office.limits.write_time) {
            // The client is gone again.
            info!(address = %peer, listener = self.listen.name, %error, "connection lost at once");
            return;
        }
        let door = self.clone();
        tokio::spawn(async move {
            let arrival =
                if from_proxy { door.presented(stream, peer).await } else { Some((stream, peer)) };
            let Some((stream, address)) = arrival else { return };
            if door.office.defence.is_banned(address.ip()) {
                debug!(%address, listener = door.listen.name, "banned");
                return;
            }
            let Some(_place) = guest.named(address.ip()) else {
                door.refuse(&stream, address);
                return;
            };
            // Held until the end: a stop waits for it.
            let Self { listen, office, sessions, stop, inside: _inside, .. } = door;
            let connection = Connection {
                office,
                sessions,
                encryption: listen.encryption,
                strict: listen.strict,
                listener: listen.name,
                address,
                stop,
            };
            connection.serve(stream).await;
        });
    }

    /// Whose connection a proxy passes on, unless it does not say.
    async fn presented(
        &self,
        mut stream: TcpStream,
        proxy: SocketAddr,
    ) -> Option<(TcpStream, SocketAddr)> {
        let mut stop = self.stop.clone();
        let client = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return None,
            client = proxy::client(&mut stream) => client,
        };
        match client {
            Ok(Some(client)) => {
                Some((stream, SocketAddr::new(client.ip().to_canonical(), client.port())))
            }
            // The proxy itself, to see whether the server is well.
            Ok(None) => Some((stream, proxy)),
            Err(error) => {
                info!(%proxy, listener = self.listen.name, %error, "refused a proxy's connection");
                None
            }
        }
    }

    fn refuse(&self, stream: &TcpStream, address: SocketAddr) {
        info!(%address, listener = self.listen.name, "too many connections");
        if self.listen.encryption == Encryption::StartTls {
            // RFC 1939 wants a positive greeting; the refusal answers the first command. A
            // new socket has room for it; if not, the client sees the connection end.
            let _ = stream.try_write(FULL);
        }
    }
}

/// Makes the system notice a client that is gone without a word: one that acknowledges nothing of
/// what was sent to it for `write_time`, or that is silent and does not answer probes.
fn set_options(stream: &TcpStream, write_time: Duration) -> io::Result<()> {
    let options = SockRef::from(stream);
    options.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    options.set_tcp_keepalive(&keepalive)?;
    options.set_tcp_user_timeout(Some(write_time))
}

const FULL: &[u8] =
    b"+OK Restante ready\r\n-ERR [SYS/TEMP] Too many connections, try again later\r\n";
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Silence before the first probe, between probes, and probes without an answer.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn r42_a_client_that_is_gone_without_a_word_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let write_time = Duration::from_secs(45);
        set_options(&stream, write_time).unwrap();
        let options = SockRef::from(&stream);
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(write_time));
    }
}
