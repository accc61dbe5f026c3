//! EXTERNAL (RFC 4422 appendix A): the client is who its TLS certificate says.
//!
//! In: the client's one message, the name it wants to log in by, or nothing; and the names its
//! certificate has. Out: a login by them, or a fault. Whether the one is among the others is for
//! those to say who check logins, as the name may have a folder in it.

use super::{FIELD_OCTETS_MAX, Fault, Mechanism, Step};
use crate::Login;

/// Takes the message; `names` are the certificate's.
pub(super) fn respond(message: &[u8], names: Vec<String>) -> Step {
    let legal = message.len() <= FIELD_OCTETS_MAX && !message.contains(&0);
    match std::str::from_utf8(message) {
        Ok(user) if legal => {
            let user = (!user.is_empty()).then(|| user.to_owned());
            Step::Login(Login::Certificate { user, names })
        }
        _ => Step::Refused(Fault::Malformed(Mechanism::External)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(message: &[u8], names: &[&str]) -> Option<String> {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        match respond(message, names) {
            Step::Login(login) => login.certified_user().map(str::to_owned),
            _ => None,
        }
    }

    #[test]
    fn s55_r25_the_name_must_be_in_the_certificate_and_nobody_is_guessed() {
        let fred = Some("fred".to_owned());
        assert_eq!(whose(b"", &["fred"]), fred);
        assert_eq!(whose(b"fred", &["fred"]), fred);
        assert_eq!(whose(b"fred", &["anna", "fred"]), fred);
        for (message, names) in [
            (&b"anna"[..], &["fred"][..]),
            (b"Fred", &["fred"]),
            (b"", &[]),
            (b"fred", &[]),
            (b"", &["anna", "fred"]),
            (b"", &[""]),
        ] {
            assert_eq!(whose(message, names), None, "{message:?} {names:?}");
        }
        let long = [b'x'; FIELD_OCTETS_MAX + 1];
        for message in [&b"fr\0ed"[..], b"fr\xffed", &long] {
            let step = respond(message, vec!["fred".to_owned()]);
            assert!(matches!(step, Step::Refused(Fault::Malformed(_))), "{message:?}");
        }
    }
}
