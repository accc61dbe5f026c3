//! What was found.

use serde::Serialize;

use crate::Level;

/// What was found about a server.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The server, as `host:port`.
    pub server: String,
    /// Its greeting, without the line end.
    pub greeting: String,
    /// What `CAPA` announces before the login; nothing if it has no `CAPA`.
    pub capabilities: Option<Vec<String>>,
    /// A finding for each rule, in the table's order.
    pub findings: Vec<Finding>,
}

/// What was found about one rule.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// The rule's identifier.
    pub id: &'static str,
    /// Where it is written.
    pub section: &'static str,
    /// How binding it is.
    pub level: Level,
    /// What it says.
    pub rule: &'static str,
    /// Whether the server keeps it.
    pub verdict: Verdict,
    /// Why not, or why that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was said, where the rule is broken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<String>,
}

/// Whether a server keeps a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It does.
    Kept,
    /// It does not.
    Broken,
    /// That cannot be told.
    Untestable,
}

impl Report {
    /// How many findings have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// Whether a rule is broken that must be kept.
    #[must_use]
    pub fn breaks_a_must(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Broken && finding.level == Level::Must)
    }
}
