//! The byte stream under a connection, and how one comes about.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::proxy::lead;
use crate::{Endpoint, Error, Step};

/// A stream to a server: a socket, TLS over one, or whatever a test puts in its place.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection being made.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, Error>> + Send + 'a>>;

/// Makes streams to endpoints. The seam where a simulator puts its own network.
pub trait Dial: fmt::Debug + Send + Sync {
    /// Connects within the endpoint's timeout. TLS is not its business.
    ///
    /// # Errors
    /// [`Error::Resolve`], [`Error::Connect`], [`Error::Proxy`] or [`Error::Timeout`].
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a>;
}

/// Dials by TCP: every address of the host in turn, or through the endpoint's proxy.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a> {
        Box::pin(dial_tcp(endpoint))
    }
}

async fn dial_tcp(endpoint: &Endpoint) -> Result<Box<dyn Stream>, Error> {
    let Some(proxy) = &endpoint.proxy else {
        let socket = connect(&endpoint.host, endpoint.port, endpoint.timeout).await?;
        return Ok(Box::new(socket));
    };
    let mut socket = connect(&proxy.host, proxy.port, endpoint.timeout).await?;
    let led = lead(&mut socket, proxy, &endpoint.host, endpoint.port);
    match timeout(endpoint.timeout, led).await {
        Ok(Ok(Ok(()))) => Ok(Box::new(socket)),
        Ok(Ok(Err(problem))) => Err(Error::Proxy { host: proxy.host.clone(), problem }),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Error::Closed(Step::Proxy))
        }
        Ok(Err(source)) => Err(Error::Io { step: Step::Proxy, source }),
        Err(_) => Err(Error::Timeout(Step::Proxy)),
    }
}

async fn connect(host: &str, port: u16, limit: Duration) -> Result<TcpStream, Error> {
    let addresses: Vec<_> = match timeout(limit, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect(),
        Ok(Err(source)) => return Err(Error::Resolve { source }),
        Err(_) => return Err(Error::Timeout(Step::Resolve)),
    };
    // One address that swallows packets must not use up the time of the others.
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = Error::Resolve { source: io::ErrorKind::NotFound.into() };
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                // Commands are small and answered one by one: waiting for more is lost time.
                socket.set_nodelay(true).map_err(|source| Error::Connect { address, source })?;
                return Ok(socket);
            }
            Ok(Err(source)) => last = Error::Connect { address, source },
            Err(_) => last = Error::Timeout(Step::Connect),
        }
    }
    Err(last)
}

const ADDRESSES_MAX: usize = 8;
