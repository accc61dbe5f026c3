//! What the server said it can do.

use std::time::Duration;

use restante_proto::pop3::Capability;

/// A `CAPA` reply. Empty for a server that does not know the command, which says nothing about
/// what it can do (RFC 2449 section 5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    known: bool,
    list: Vec<Capability>,
}

impl Capabilities {
    pub(crate) fn known(list: Vec<Capability>) -> Self {
        Self { known: true, list }
    }

    /// Whether the server answered `CAPA` at all.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Whether `capability` is among them.
    #[must_use]
    pub fn has(&self, capability: &Capability) -> bool {
        self.list.contains(capability)
    }

    /// Whether SASL `mechanism` (in upper case) is offered.
    #[must_use]
    pub fn has_sasl(&self, mechanism: &str) -> bool {
        self.list.iter().any(|capability| match capability {
            Capability::Sasl(mechanisms) => mechanisms.iter().any(|offered| offered == mechanism),
            _ => false,
        })
    }

    /// Whether any mechanism of SASL is offered (RFC 5034 section 3).
    #[must_use]
    pub fn has_any_sasl(&self) -> bool {
        self.list.iter().any(|capability| matches!(capability, Capability::Sasl(_)))
    }

    /// Whether messages are to be had as they are, with UTF-8 in their headers (RFC 6856).
    #[must_use]
    pub fn has_utf8(&self) -> bool {
        self.list.iter().any(|capability| matches!(capability, Capability::Utf8 { .. }))
    }

    /// How long to wait between two logins (RFC 2449 section 6.5).
    #[must_use]
    pub fn login_delay(&self) -> Option<Duration> {
        self.list.iter().find_map(|capability| match capability {
            Capability::LoginDelay { seconds, .. } => Some(Duration::from_secs(*seconds)),
            _ => None,
        })
    }

    /// All of them, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.list.iter()
    }
}
