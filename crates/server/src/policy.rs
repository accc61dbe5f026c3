//! What an office asks of its users beyond the protocol's own rules. Everything is off by default.

use std::time::Duration;

/// The rules of one office.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Time from a user's good login to the next; zero is none (RFC 2449 section 6.5).
    pub login_delay: Duration,
}

impl Policy {
    /// The delay as `CAPA` announces it: whole seconds, none when there is none.
    pub(crate) fn login_delay_s(&self) -> Option<u64> {
        (!self.login_delay.is_zero()).then_some(self.login_delay.as_secs())
    }
}
