//! What replies say to people: English texts, which are the keys of their translations, and the
//! values in them.
//!
//! In: a text of ours with `{}` where values go, and the values. Out: one line in a
//! [`Language`], short enough for RFC 1939's 512 octets, without control characters. Values are
//! printable ASCII whatever the language, as they may hold what somebody else has chosen. Nothing
//! fails: what is not translated is said in English.

use super::Language;

/// A text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    template: &'static str,
    values: Vec<String>,
}

impl Text {
    /// `template` with each `{}` in it replaced by the next of the values.
    #[must_use]
    pub fn with<const N: usize>(template: &'static str, values: [String; N]) -> Self {
        debug_assert_eq!(template.matches(PLACE).count(), N, "a value for each place: {template}");
        Self { template, values: values.into() }
    }

    /// The text in `language`, cut where it gets too long.
    pub(super) fn said_in(&self, language: Language) -> String {
        let mut values = self.values.iter();
        let mut said = String::new();
        for (index, piece) in language.translate(self.template).split(PLACE).enumerate() {
            if index > 0 {
                let value = values.next().map_or("", String::as_str);
                said.extend(value.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }));
            }
            said.extend(piece.chars().map(|c| if c.is_control() { '?' } else { c }));
        }
        said.truncate(said.floor_char_boundary(TEXT_OCTETS_MAX));
        said
    }
}

impl From<&'static str> for Text {
    fn from(template: &'static str) -> Self {
        Self { template, values: Vec::new() }
    }
}

/// A text that has no translation.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { template: PLACE, values: vec![text] }
    }
}

/// Where a value goes.
pub(super) const PLACE: &str = "{}";
const TEXT_OCTETS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s44_values_are_printable_and_bring_no_text_of_their_own() {
        let text =
            Text::with("The maildrop is in use by {}", ["\u{1b}[31m\r\n+OK {} é".to_owned()]);
        let english = "The maildrop is in use by ?[31m??+OK {} ?";
        assert_eq!(text.said_in(Language::default()), english);
        let spanish = text.said_in(Language::Spanish);
        assert!(spanish.ends_with(" ?[31m??+OK {} ?") && spanish != english, "{spanish}");
    }

    #[test]
    fn s4_texts_are_cut_between_characters() {
        let text = Text::from("x".repeat(1000));
        assert_eq!(text.said_in(Language::default()).len(), 400);
        assert_eq!(Text::from("é".repeat(300)).said_in(Language::default()), "?".repeat(300));
    }
}
