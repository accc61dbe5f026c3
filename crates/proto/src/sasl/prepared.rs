//! SASLprep (RFC 4013): one form for names and passwords that people cannot tell apart.
//!
//! In: text. Out: the text with invisible characters gone, all spaces alike and in normal form KC,
//! or nothing when it holds what nobody types. Code points that Unicode 3.2 did not have yet are
//! taken (section 2.5: a query), or a password of today's characters would be none.

use std::borrow::Cow;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

/// Prepares a name or a password.
#[must_use]
pub fn prepare(text: &str) -> Option<Cow<'_, str>> {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Some(Cow::Borrowed(text));
    }
    let space = |c| if tables::non_ascii_space_character(c) { ' ' } else { c };
    let seen = text.chars().filter(|&c| !tables::commonly_mapped_to_nothing(c)).map(space);
    let normal: String = seen.nfkc().collect();
    let kept = !normal.chars().any(is_prohibited) && reads_one_way(&normal);
    kept.then_some(Cow::Owned(normal))
}

/// Section 2.3. Surrogates are no characters in Rust.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// Section 2.4 (RFC 3454 section 6): text from right to left has none from left to right in it,
/// and begins and ends as such.
fn reads_one_way(text: &str) -> bool {
    let ends = [text.chars().next(), text.chars().next_back()];
    !text.contains(tables::bidi_r_or_al)
        || (!text.contains(tables::bidi_l) && ends.into_iter().flatten().all(tables::bidi_r_or_al))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first lines are section 3 of RFC 4013.
    #[test]
    fn s67_s82_saslprep() {
        for (text, prepared) in [
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
            ("", Some("")),
            ("\u{ad}", Some("")),
            ("a\u{a0}b", Some("a b")),
            ("e\u{301}", Some("\u{e9}")),
            ("\t", None),
            ("\u{e000}", None),
            ("\u{fffd}", None),
            ("\u{627}1\u{628}", Some("\u{627}1\u{628}")),
            ("\u{627}a\u{628}", None),
            ("\u{1f600}", Some("\u{1f600}")),
        ] {
            assert_eq!(prepare(text).as_deref(), prepared, "{text:?}");
        }
    }
}
