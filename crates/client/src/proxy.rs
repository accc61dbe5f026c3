//! Proxies on the way to a server: SOCKS5 (RFC 1928, RFC 1929) and HTTP CONNECT (RFC 9110
//! section 9.3.6).
//!
//! In: a stream to the proxy, and whom it should lead to. Out: the same stream, leading there.
//! The server's name is passed on, so that it is not looked up here: who goes through a proxy may
//! not be able to, or not want it known. What the proxy sends is read octet by octet, so that
//! nothing of the server's is taken with it.

use std::fmt;
use std::str::FromStr;

use restante_proto::{Secret, sasl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Stream;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How it is spoken to.
    pub kind: ProxyKind,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A name and a password, if it wants them. They are sent in clear.
    pub login: Option<(String, Secret<String>)>,
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// SOCKS version 5 (Tor, `ssh -D`).
    Socks5,
    /// HTTP with `CONNECT`.
    Http,
}

/// The proxy does not lead to the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It is no proxy of this kind.
    #[error("it does not answer as a {0} proxy; check the proxy's kind and port")]
    NotAProxy(ProxyKind),
    /// It wants another name and password, or wants them at all.
    #[error("it does not let us in; check the name and password in the proxy's address")]
    Login,
    /// It does not connect to the server.
    #[error("it does not connect to the server: {0}")]
    Refused(String),
    /// The server's name, or the login, cannot be sent.
    #[error("the server's name or the proxy's login is too long for it")]
    TooLong,
}

/// Text that is no proxy's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is socks5://[user:password@]host[:port] or http://[user:password@]host[:port]")]
pub struct BadProxy;

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let (scheme, rest) = text.split_once("://").ok_or(BadProxy)?;
        let (kind, default_port) = match scheme {
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            "http" => (ProxyKind::Http, 8080),
            _ => return Err(BadProxy),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => {
                let (user, password) = login.split_once(':').ok_or(BadProxy)?;
                (Some((user.to_owned(), Secret::new(password.to_owned()))), place)
            }
            None => (None, rest),
        };
        // An IPv6 address stands in brackets.
        let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
            Some((host, port)) => (host, port),
            None => place.find(':').map_or((place, ""), |colon| place.split_at(colon)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| BadProxy)?,
            None if port.is_empty() => default_port,
            None => return Err(BadProxy),
        };
        let is_sound = !host.is_empty() && port != 0 && !text.chars().any(char::is_control);
        is_sound.then(|| Self { kind, host: host.to_owned(), port, login }).ok_or(BadProxy)
    }
}

impl fmt::Display for ProxyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socks5 => "SOCKS5",
            Self::Http => "HTTP",
        })
    }
}

/// Asks the proxy at the other end of `stream` to lead to the server.
pub(crate) async fn lead(
    stream: &mut impl Stream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> std::io::Result<Result<(), ProxyError>> {
    match proxy.kind {
        ProxyKind::Socks5 => socks5(stream, proxy, host, port).await,
        ProxyKind::Http => connect(stream, proxy, host, port).await,
    }
}

async fn socks5(
    stream: &mut impl Stream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> std::io::Result<Result<(), ProxyError>> {
    let Some(named) = counted(host.as_bytes()) else { return Ok(Err(ProxyError::TooLong)) };
    let methods: &[u8] = if proxy.login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    stream.write_all(methods).await?;
    stream.flush().await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    match (chosen, &proxy.login) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => {
            let fields = (counted(user.as_bytes()), counted(password.expose().as_bytes()));
            let (Some(user), Some(password)) = fields else {
                return Ok(Err(ProxyError::TooLong));
            };
            let message = Secret::new([&[1][..], &user, &password].concat());
            stream.write_all(message.expose()).await?;
            stream.flush().await?;
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).await?;
            if answer != [1, 0] {
                return Ok(Err(ProxyError::Login));
            }
        }
        ([5, _], _) => return Ok(Err(ProxyError::Login)),
        _ => return Ok(Err(ProxyError::NotAProxy(proxy.kind))),
    }
    // CONNECT, to a name.
    let request = [&[5, 1, 0, 3][..], &named, &port.to_be_bytes()].concat();
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [version, reply, _, kind] = head;
    if version != 5 {
        return Ok(Err(ProxyError::NotAProxy(proxy.kind)));
    }
    if reply != 0 {
        return Ok(Err(ProxyError::Refused(socks5_reason(reply).to_owned())));
    }
    // Where it connects from does not matter, but has to be read.
    let octets = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => return Ok(Err(ProxyError::NotAProxy(proxy.kind))),
    };
    let mut bound = vec![0; octets.saturating_add(2)];
    stream.read_exact(&mut bound).await?;
    Ok(Ok(()))
}

/// A field behind its length.
fn counted(field: &[u8]) -> Option<Vec<u8>> {
    let octets = u8::try_from(field.len()).ok().filter(|octets| *octets > 0)?;
    Some([&[octets][..], field].concat())
}

/// RFC 1928 section 6.
const fn socks5_reason(reply: u8) -> &'static str {
    match reply {
        2 => "its rules do not allow it",
        3 => "the network cannot be reached",
        4 => "the server cannot be reached, or has no such name",
        5 => "the server refuses the connection",
        6 => "it took too long",
        7 | 8 => "it does not know how",
        _ => "it failed",
    }
}

async fn connect(
    stream: &mut impl Stream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> std::io::Result<Result<(), ProxyError>> {
    // Nothing else may end up in the request, and brackets are for addresses with colons.
    if host.bytes().any(|octet| octet.is_ascii_control() || octet == b' ') {
        return Ok(Err(ProxyError::Refused("the server's name is none".to_owned())));
    }
    let place =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let login = proxy.login.as_ref().map_or_else(String::new, |(user, password)| {
        let login = Secret::new(format!("{user}:{}", password.expose()).into_bytes());
        let encoded = sasl::encode(login.expose());
        format!("Proxy-Authorization: Basic {}\r\n", encoded.expose())
    });
    let request = Secret::new(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{login}\r\n"));
    stream.write_all(request.expose().as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() >= HEAD_OCTETS_MAX {
            return Ok(Err(ProxyError::NotAProxy(proxy.kind)));
        }
        head.push(stream.read_u8().await?);
    }
    // `HTTP/1.1 SP status SP reason`
    let head = String::from_utf8_lossy(&head);
    let mut words = head.lines().next().unwrap_or_default().splitn(3, ' ');
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = words.next().filter(|_| is_http).and_then(|status| status.parse::<u16>().ok());
    Ok(match status {
        Some(200..=299) => Ok(()),
        Some(407) => Err(ProxyError::Login),
        Some(status) => {
            let reason: String = words.next().unwrap_or_default().chars().take(80).collect();
            let reason = reason.replace(char::is_control, "?");
            Err(ProxyError::Refused(format!("{status} {reason}")))
        }
        None => Err(ProxyError::NotAProxy(proxy.kind)),
    })
}

/// No proxy has more to say.
const HEAD_OCTETS_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// Leads through a proxy that says `answers`, and returns what it was told.
    async fn through(
        proxy: &str,
        host: &str,
        answers: &[u8],
    ) -> (std::io::Result<Result<(), ProxyError>>, Vec<u8>, Vec<u8>) {
        let proxy: Proxy = proxy.parse().unwrap();
        let (mut client, mut server) = duplex(1 << 16);
        server.write_all(answers).await.unwrap();
        let led = lead(&mut client, &proxy, host, 995).await;
        let mut rest = vec![0; 4096];
        drop(client.shutdown().await);
        let mut told = Vec::new();
        server.read_to_end(&mut told).await.unwrap();
        drop(server);
        let octets = client.read(&mut rest).await.unwrap();
        rest.truncate(octets);
        (led, told, rest)
    }

    #[tokio::test]
    async fn socks5_passes_the_name_on_and_takes_nothing_of_the_servers() {
        let answers = b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00+OK";
        let (led, told, rest) = through("socks5://proxy", "pop.example.org", answers).await;
        assert_eq!(led.unwrap(), Ok(()));
        assert_eq!(told, b"\x05\x01\x00\x05\x01\x00\x03\x0fpop.example.org\x03\xe3");
        assert_eq!(rest, b"+OK");
        let answers = b"\x05\x02\x01\x00\x05\x00\x00\x03\x03abc\x00\x00+OK";
        let (led, told, rest) = through("socks5h://me:pw@[::1]:9", "h", answers).await;
        assert_eq!(led.unwrap(), Ok(()));
        assert_eq!(told, b"\x05\x02\x00\x02\x01\x02me\x02pw\x05\x01\x00\x03\x01h\x03\xe3");
        assert_eq!(rest, b"+OK");
    }

    #[tokio::test]
    async fn socks5_says_why_it_does_not_connect() {
        let none = ProxyError::NotAProxy(ProxyKind::Socks5);
        for (answers, error) in [
            (&b"\x05\xff"[..], ProxyError::Login),
            (b"\x05\x02", ProxyError::Login),
            (b"HT", none.clone()),
            (b"\x05\x00HTTP", none.clone()),
            (b"\x05\x00\x05\x00\x00\x09", none),
            (
                b"\x05\x00\x05\x05\x00\x01",
                ProxyError::Refused("the server refuses the connection".into()),
            ),
        ] {
            assert_eq!(through("socks5://p", "h", answers).await.0.unwrap(), Err(error));
        }
        assert_eq!(
            through("socks5://p", &"x".repeat(256), b"").await.0.unwrap(),
            Err(ProxyError::TooLong)
        );
    }

    #[tokio::test]
    async fn http_connects_and_takes_nothing_of_the_servers() {
        let answers = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n+OK";
        let (led, told, rest) =
            through("http://me:pw@proxy:3128/", "pop.example.org", answers).await;
        assert_eq!(led.unwrap(), Ok(()));
        let expected = "CONNECT pop.example.org:995 HTTP/1.1\r\nHost: pop.example.org:995\r\n\
                        Proxy-Authorization: Basic bWU6cHc=\r\n\r\n";
        assert_eq!((String::from_utf8(told).unwrap().as_str(), &rest[..]), (expected, &b"+OK"[..]));
        for (answers, error) in [
            (&b"HTTP/1.0 407 Who\r\n\r\n"[..], ProxyError::Login),
            (b"HTTP/1.1 403 No\x1b\r\n\r\n", ProxyError::Refused("403 No?".into())),
            (b"+OK ready\r\n\r\n", ProxyError::NotAProxy(ProxyKind::Http)),
        ] {
            assert_eq!(through("http://p", "h", answers).await.0.unwrap(), Err(error));
        }
        let endless = vec![b'x'; HEAD_OCTETS_MAX];
        let (led, ..) = through("http://p", "h", &endless).await;
        assert_eq!(led.unwrap(), Err(ProxyError::NotAProxy(ProxyKind::Http)));
        let (led, told, _) = through("http://p", "h\r\nX: y", b"").await;
        assert!(led.unwrap().is_err() && told.is_empty());
    }

    #[test]
    fn addresses_are_read() {
        let port = |text: &str| text.parse::<Proxy>().map(|proxy| (proxy.host, proxy.port));
        assert_eq!(port("socks5://127.0.0.1"), Ok(("127.0.0.1".into(), 1080)));
        assert_eq!(port("http://[::1]"), Ok(("::1".into(), 8080)));
        for bad in
            ["", "proxy:1080", "ftp://x", "http://", "http://x:0", "http://x:y", "http://a@x"]
        {
            assert_eq!(bad.parse::<Proxy>(), Err(BadProxy), "{bad}");
        }
        let shown = format!("{:?}", "http://me:s3cret@x".parse::<Proxy>().unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
