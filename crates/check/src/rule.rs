//! A rule: where it stands, how binding it is, and the function that looks for it.

use std::fmt;

use serde::Serialize;

use crate::bench::Bench;
use crate::fault::Outcome;

/// A rule of the protocol that shows from outside.
#[derive(Debug)]
pub struct Rule {
    /// Its identifier: that of the row in docs/conformance.md, with a letter where the row
    /// is looked at in several ways.
    pub id: &'static str,
    /// Where it is written.
    pub section: &'static str,
    /// How binding it is.
    pub level: Level,
    /// What it says.
    pub says: &'static str,
    /// Whether looking for it marks or deletes messages.
    pub deletes: bool,
    pub(crate) probe: fn(&mut Bench) -> Outcome,
}

/// How binding a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// "MUST", "required", or the plain imperative of RFC 1939.
    Must,
    /// "SHOULD", "strongly encouraged".
    Should,
    /// "MAY", "optional": what holds if it is there at all.
    May,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        })
    }
}

impl Rule {
    pub(crate) const fn must(
        id: &'static str,
        section: &'static str,
        says: &'static str,
        probe: fn(&mut Bench) -> Outcome,
    ) -> Self {
        Self { id, section, level: Level::Must, says, deletes: false, probe }
    }

    pub(crate) const fn should(
        id: &'static str,
        section: &'static str,
        says: &'static str,
        probe: fn(&mut Bench) -> Outcome,
    ) -> Self {
        Self { id, section, level: Level::Should, says, deletes: false, probe }
    }

    /// The rule as one that marks or deletes messages.
    pub(crate) const fn deleting(self) -> Self {
        Self { deletes: true, ..self }
    }
}
