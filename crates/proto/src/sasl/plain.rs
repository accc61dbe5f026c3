//! The PLAIN mechanism (RFC 4616): one message with user, password and whom to act for.
//!
//! In: octets, or the fields. Out: the fields, or octets. A message that is not three fields of
//! UTF-8 of at most 255 octets each is none.

use super::{FIELD_OCTETS_MAX, Fault, is_password, prepared_name};
use crate::Secret;

/// The PLAIN mechanism's message: `[authzid] NUL authcid NUL passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// Whose maildrop is wanted; `None` for one's own.
    pub authorization: Option<String>,
    /// Whose password it is.
    pub user: String,
    /// The password.
    pub password: Secret<Vec<u8>>,
}

impl Plain {
    /// Reads the message. Each field may have up to 255 octets (RFC 4616 section 2).
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut fields = message.split(|&byte| byte == 0);
        let mut field = || fields.next().filter(|field| field.len() <= FIELD_OCTETS_MAX);
        let (authorization, user, password) = (field()?, field()?, field()?);
        if fields.next().is_some() || user.is_empty() {
            return None;
        }
        let text = |field: &[u8]| String::from_utf8(field.to_vec()).ok();
        text(password)?;
        Some(Self {
            authorization: Some(text(authorization)?).filter(|name| !name.is_empty()),
            user: text(user)?,
            password: Secret::new(password.to_vec()),
        })
    }

    /// The message with its names prepared (RFC 4616 section 2); the password stays as it came,
    /// as only who compares it knows in which form it is stored.
    pub(super) fn prepared(self) -> Result<Self, Fault> {
        let prepare_name = |name: &str| prepared_name(name).ok_or(Fault::Name);
        let authorization = self.authorization.as_deref().map(prepare_name).transpose()?;
        let user = prepare_name(&self.user)?;
        if is_password(self.password.expose()) {
            Ok(Self { authorization, user, password: self.password })
        } else {
            Err(Fault::Password)
        }
    }

    /// Writes the message. The fields hold no NUL.
    #[must_use]
    pub fn to_message(&self) -> Secret<Vec<u8>> {
        let authorization = self.authorization.as_deref().unwrap_or_default();
        let fields = [authorization.as_bytes(), self.user.as_bytes(), self.password.expose()];
        Secret::new(fields.join(&0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s68_plain_has_three_fields_of_utf_8() {
        let long = "x".repeat(255);
        let plain = Plain {
            authorization: Some(long.clone()),
            user: long.clone(),
            password: Secret::new(long.into_bytes()),
        };
        assert_eq!(Plain::parse(plain.to_message().expose()), Some(plain));
        let own = Plain::parse(b"\0fred\0p w ").unwrap();
        assert_eq!((own.authorization, own.user.as_str()), (None, "fred"));
        assert_eq!(own.password.expose(), b"p w ");
        for message in [
            &b""[..],
            b"fred",
            b"\0fred",
            b"\0fred\0pw\0",
            b"\0\0pw",
            b"\0fr\xff\0pw",
            b"\0f\0\xff",
        ] {
            assert_eq!(Plain::parse(message), None, "{message:?}");
        }
        let too_long = [&[0][..], &[b'x'; 256], &[0, b'p']].concat();
        assert_eq!(Plain::parse(&too_long), None);
    }
}
