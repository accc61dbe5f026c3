//! Names inside mechanisms' messages: `saslname` (RFC 5801 section 4, RFC 5802 section 7).
//!
//! In: a name, or what stands for one. Out: the other. A comma ends a field there, so it is
//! written `=2C`, and the equals sign `=3D`; no other equals sign is allowed.

/// Writes a name.
pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// Reads a name; `None` when it is none.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (letter, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, rest) => ('=', rest?),
        };
        name.push(letter);
        name.push_str(rest);
    }
    (!name.is_empty() && !text.contains(',')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s70_names_come_back_as_they_were() {
        for name in ["user", "a,b=c", "=2C", "=,=,", "J\u{f6}rg"] {
            assert_eq!(unescape(&escape(name)).as_deref(), Some(name));
            assert!(!escape(name).contains(','));
        }
        for bad in ["", "a,b", "a=b", "a=", "a=2c"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }
}
