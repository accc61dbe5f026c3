//! The languages replies are written in (RFC 6856 section 3), each a table of its own.
//!
//! In: a language range, or an English text. Out: a language, or the text in it. The tables are
//! gettext's `.po` files, so that translators have their tools; they are compiled in. A text that
//! a table lacks is said in English, and a debug build stops at a text that no table has.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::text::PLACE;

/// A language replies can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Language {
    /// `i-default`: English in ASCII, until something else is asked for (RFC 2277 section 4.5).
    #[default]
    Default,
    /// `de`
    German,
    /// `en`
    English,
    /// `es`
    Spanish,
    /// `fr`
    French,
}

impl Language {
    /// All there are, in the order of their tags.
    pub const ALL: [Self; 5] =
        [Self::German, Self::English, Self::Spanish, Self::French, Self::Default];

    /// Its tag (RFC 5646).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Default => "i-default",
            Self::German => "de",
            Self::English => "en",
            Self::Spanish => "es",
            Self::French => "fr",
        }
    }

    /// Its name in itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "Default language",
            Self::German => "Deutsch",
            Self::English => "English",
            Self::Spanish => "Español",
            Self::French => "Français",
        }
    }

    /// The language for a basic language range: the range itself, or what is left of it when
    /// subtags are taken off its end (RFC 4647 section 3.4), so that `es-MX` gets Spanish.
    #[must_use]
    pub fn matching(range: &str) -> Option<Self> {
        let mut rest = range;
        loop {
            let known = Self::ALL.into_iter().find(|known| known.tag().eq_ignore_ascii_case(rest));
            if known.is_some() {
                return known;
            }
            (rest, _) = rest.rsplit_once('-')?;
        }
    }

    /// The English text in this language.
    pub(super) fn translate(self, english: &'static str) -> &'static str {
        debug_assert!(
            english == PLACE || TABLES.iter().any(|(_, table)| table.contains_key(english)),
            "\"{english}\" has no translation: add it to crates/proto/src/pop3/languages/*.po"
        );
        let table = TABLES.iter().find(|(language, _)| *language == self);
        table.and_then(|(_, table)| table.get(english)).copied().unwrap_or(english)
    }
}

type Table = HashMap<&'static str, &'static str>;

static TABLES: LazyLock<[(Language, Table); 3]> =
    LazyLock::new(|| FILES.map(|(language, file)| (language, read(file))));

const FILES: [(Language, &str); 3] = [
    (Language::German, include_str!("languages/de.po")),
    (Language::Spanish, include_str!("languages/es.po")),
    (Language::French, include_str!("languages/fr.po")),
];

/// Reads the part of gettext's format that is used: pairs of `msgid "..."` and `msgstr "..."`,
/// each on a line of its own, without escapes.
fn read(file: &'static str) -> Table {
    let quoted = |line: &'static str, word| {
        let text: &'static str = line.strip_prefix(word)?;
        text.trim().strip_prefix('"')?.strip_suffix('"')
    };
    let mut table = Table::new();
    let mut key = None;
    for line in file.lines() {
        key = quoted(line, "msgid ").or(key);
        if let (Some(text), Some(english)) = (quoted(line, "msgstr "), key)
            && !english.is_empty()
        {
            table.insert(english, text);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn s83_ranges_find_their_languages() {
        for (range, tag) in [
            ("es", Some("es")),
            ("ES-mx", Some("es")),
            ("de-Latn-AT-1996", Some("de")),
            ("en", Some("en")),
            ("I-DEFAULT", Some("i-default")),
            ("i", None),
            ("sv", None),
            ("e", None),
            ("esp", None),
            ("", None),
            ("-", None),
            ("*", None),
            ("es\u{e9}", None),
        ] {
            assert_eq!(Language::matching(range).map(Language::tag), tag, "{range:?}");
        }
    }

    #[test]
    fn s83_every_language_has_every_text_once() {
        let keys = |table: &Table| table.keys().copied().collect::<BTreeSet<_>>();
        let (_, first) = &TABLES[0];
        assert!(first.len() > 50, "{} texts", first.len());
        for ((language, table), (_, file)) in TABLES.iter().zip(FILES) {
            assert_eq!(keys(table), keys(first), "{language:?}");
            let pairs = file.lines().filter(|line| line.starts_with("msgid \"")).count();
            assert_eq!(pairs, table.len() + 1, "{language:?}: a text stands there twice");
        }
        let translated = TABLES.len() + 2;
        assert_eq!(translated, Language::ALL.len());
    }

    #[test]
    fn s4_s44_no_translation_is_long_or_passes_for_a_code() {
        for (language, table) in TABLES.iter() {
            for (english, text) in table {
                let places = |text: &str| text.matches(PLACE).count();
                assert!(!text.is_empty() && text.len() <= 300, "{language:?}: {english}");
                assert!(english.is_ascii(), "i-default is ASCII: {english}");
                assert!(!text.starts_with('[') && !english.starts_with('['), "{english}");
                assert!(!text.chars().any(char::is_control), "{language:?}: {english}");
                assert!(!text.contains(['\\', '"']), "{language:?}: {english}");
                assert_eq!(places(text), places(english), "{language:?}: {english}");
            }
        }
    }
}
