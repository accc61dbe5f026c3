//! What an office asks of its users beyond the protocol's own rules. Everything is off by default.

use std::time::{Duration, SystemTime};

use restante_maildrop::{OwnTerms, Terms};
use restante_proto::pop3::{self, Language, WithoutUtf8};

/// The rules of one office.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Time from a user's good login to the next; zero is none (RFC 2449 section 6.5).
    pub login_delay: Duration,
    /// Days after which a message is removed by the next session that ends with `QUIT`; zero is
    /// never (RFC 2449 section 6.7).
    pub expire_days: usize,
    /// Whether what a session retrieved whole is removed when it ends with `QUIT` (RFC 1939
    /// section 8).
    pub download_once: bool,
    /// Whether several sessions may have a maildrop open at once, each with a snapshot of its own,
    /// although RFC 1939 section 4 wants a lock.
    pub shared_sessions: bool,
    /// Whether `LAST` is answered (RFC 1460), which no RFC since has.
    pub last: bool,
    /// Whether a NUL in a message is sent as 0x80: Outlook waits for ever behind a NUL.
    pub replace_nul: bool,
    /// What becomes of messages with UTF-8 in their headers for clients that did not ask for it
    /// (RFC 6856 section 2.1). Anything but `Raw` needs a store that tells which they are.
    pub without_utf8: WithoutUtf8,
    /// What `LANG *` asks for (RFC 6856 section 3.2).
    pub language: Language,
}

impl Policy {
    /// The rules for one user.
    pub(crate) fn of(&self, terms: &Terms) -> Self {
        Self {
            login_delay: terms.login_delay.unwrap_or(self.login_delay),
            expire_days: terms.expire_days.unwrap_or(self.expire_days),
            ..self.clone()
        }
    }

    /// What is announced to everybody before the login, where users have terms of their own.
    pub(crate) fn announced(&self, own: OwnTerms) -> pop3::Terms {
        let for_all = OwnTerms {
            login_delay_max: Some(self.login_delay),
            expire_days_min: Some(self.expire_days),
        };
        let all = for_all.and(own);
        let most = Terms {
            login_delay: all.login_delay_max,
            expire_days: all.expire_days_min,
            ..Terms::default()
        };
        pop3::Terms {
            login_delay_varies: own.login_delay_max.is_some(),
            expire_varies: own.expire_days_min.is_some(),
            ..self.of(&most).terms()
        }
    }

    /// What is announced to a user whose rules these are.
    pub(crate) fn terms(&self) -> pop3::Terms {
        let (login_delay_s, expire_days) = (self.login_delay_s(), self.expire_days());
        pop3::Terms { login_delay_s, expire_days, ..pop3::Terms::default() }
    }

    /// The delay as `CAPA` announces it: whole seconds, none when there is none.
    fn login_delay_s(&self) -> Option<u64> {
        (!self.login_delay.is_zero()).then_some(self.login_delay.as_secs())
    }

    /// Days as `CAPA` announces them, none when mail is kept for ever.
    fn expire_days(&self) -> Option<u64> {
        (self.expire_days > 0).then_some(self.expire_days as u64)
    }

    /// What arrived before this time is to be removed.
    pub(crate) fn expired_before(&self, now: SystemTime) -> Option<SystemTime> {
        let seconds = self.expire_days()?.saturating_mul(DAY_S);
        now.checked_sub(Duration::from_secs(seconds))
    }
}

const DAY_S: u64 = 24 * 60 * 60;
