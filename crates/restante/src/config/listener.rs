//! Who listens where: `NAME=ADDRESS:PORT`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ListenerName {
    /// POP3, with TLS by `STLS` (RFC 2595).
    Pop3,
    /// POP3 inside TLS (RFC 8314).
    Pop3s,
}

impl ListenerName {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Pop3, Self::Pop3s];

    /// The name in flags, configuration and ready file.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
        }
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One `--listen` flag.
///
/// listen = name "=" address ":" port
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen {
    /// What is spoken.
    pub(crate) name: ListenerName,
    /// Where; port 0 is any free one.
    pub(crate) address: SocketAddr,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text.split_once('=').ok_or("it has the form NAME=ADDRESS:PORT")?;
        let known = ListenerName::ALL.into_iter().find(|known| known.as_str() == name);
        let name = known.ok_or_else(|| format!("`{name}` is none of pop3, pop3s"))?;
        Ok(Self { name, address: address_of(address)? })
    }
}

/// The address and port `text` stands for.
pub(crate) fn address_of(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is not an address and port such as 127.0.0.1:1110 or [::]:1110")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listen_flag_says_what_is_wrong_with_it() {
        let listen: Listen = "pop3s=[::1]:0".parse().unwrap();
        assert_eq!((listen.name, listen.address.port()), (ListenerName::Pop3s, 0));
        assert!(listen.address.is_ipv6());
        for (text, says) in [
            ("pop3", "NAME=ADDRESS:PORT"),
            ("imap=127.0.0.1:1", "`imap` is none of"),
            ("pop3=localhost:110", "`localhost:110` is not an address"),
            ("pop3=127.0.0.1:65536", "is not an address"),
        ] {
            let error = text.parse::<Listen>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
