//! Response codes (RFC 2449 section 8, RFC 3206, RFC 6856): the part of a reply that programs may act on.
//!
//! `reply = ("+OK" / "-ERR") [SP "[" code *("/" sub) "]"] [SP text] CRLF`

use std::fmt;

/// A response code this project knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseCode {
    /// Wrong credentials: the only code that justifies asking for the password again.
    Auth,
    /// The maildrop is locked by another session; the credentials are fine.
    InUse,
    /// Too soon after the last login.
    LoginDelay,
    /// The system has a problem that may go away by itself.
    SysTemp,
    /// The system has a problem that somebody must solve.
    SysPerm,
    /// The message is for clients that asked for UTF-8 (RFC 6856 section 5).
    Utf8,
}

impl ResponseCode {
    /// The code as it stands between the brackets.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "AUTH",
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
            Self::Utf8 => "UTF8",
        }
    }

    /// Takes the code off the text behind `-ERR SP`, if one is there. Sub-levels that are not
    /// known are ignored (RFC 2449 section 8), as are codes that are not.
    #[must_use]
    pub fn split(text: &str) -> (Option<Self>, &str) {
        let Some((code, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']'))
        else {
            return (None, text);
        };
        let mut levels = code.split('/');
        let top = levels.next().unwrap_or_default();
        let is = |name: &str| top.eq_ignore_ascii_case(name);
        let code = if is("AUTH") {
            Some(Self::Auth)
        } else if is("IN-USE") {
            Some(Self::InUse)
        } else if is("LOGIN-DELAY") {
            Some(Self::LoginDelay)
        } else if is("SYS") {
            let permanent = levels.next().is_some_and(|sub| sub.eq_ignore_ascii_case("PERM"));
            Some(if permanent { Self::SysPerm } else { Self::SysTemp })
        } else if is("UTF8") {
            Some(Self::Utf8)
        } else {
            None
        };
        (code, rest.trim_start_matches(' '))
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c11_codes_are_read_whatever_their_case_and_sub_levels() {
        for (text, code, rest) in [
            ("[AUTH] no", Some(ResponseCode::Auth), "no"),
            ("[in-use/by] no", Some(ResponseCode::InUse), "no"),
            ("[SYS/TEMP/DISK] no", Some(ResponseCode::SysTemp), "no"),
            ("[SYS/PERM]", Some(ResponseCode::SysPerm), ""),
            ("[SYS] no", Some(ResponseCode::SysTemp), "no"),
            ("[utf8] no", Some(ResponseCode::Utf8), "no"),
            ("[LOGIN-DELAY] no", Some(ResponseCode::LoginDelay), "no"),
            ("[X-NEW] no", None, "no"),
            ("[AUTH no", None, "[AUTH no"),
            ("no [AUTH]", None, "no [AUTH]"),
        ] {
            assert_eq!(ResponseCode::split(text), (code, rest), "{text}");
        }
    }
}
