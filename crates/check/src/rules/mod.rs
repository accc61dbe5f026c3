//! The table of rules, by topic. Each rule is a function on the [`crate::bench::Bench`]: it returns
//! nothing if the rule is kept, or the fault it found.

mod capabilities;
mod framing;
mod language;
mod listing;
mod login;
mod marks;
mod pipelining;
mod retrieval;
mod sasl;
mod states;
mod tls;

use crate::Rule;

/// Every rule, in the order in which they are looked for: what closes or locks comes last.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        framing::RULES,
        capabilities::RULES,
        listing::RULES,
        retrieval::RULES,
        pipelining::RULES,
        states::RULES,
        language::RULES,
        tls::RULES,
        login::RULES,
        sasl::RULES,
        marks::RULES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn identifiers_are_the_rows_and_differ() {
        let mut seen = BTreeSet::new();
        for rule in rules() {
            assert!(seen.insert(rule.id), "{} is there twice", rule.id);
            let row = rule.id.trim_end_matches(|c: char| c.is_ascii_lowercase());
            let number = row.strip_prefix('S').and_then(|number| number.parse::<u32>().ok());
            assert!(number.is_some(), "{}", rule.id);
            assert!(!rule.says.ends_with('.') && !rule.section.is_empty(), "{}", rule.id);
        }
    }
}
