//! The table in docs/collector.md, between two marks.

use std::path::PathBuf;

use crate::fault::Fault;
use crate::tool::Tool;
use crate::trial::Trial;

const BEGIN: &str = "<!-- written by contrib/collectors/run -->\n";
const END: &str = "<!-- end -->\n";

/// Asserts that the second column says what was seen.
pub(crate) fn assert_says(fault: Fault, seen: &str) {
    let text = std::fs::read_to_string(page()).unwrap();
    let (_, table, _) = parts(&text);
    let row = table.lines().find(|row| row.split('|').nth(1).unwrap().trim() == fault.name());
    let cell = row.and_then(|row| row.split('|').nth(2)).map(str::trim);
    assert_eq!(cell, Some(seen), "{fault:?}: run contrib/collectors/run and look at what changed");
}

/// Runs the other collectors, too, and writes the table anew.
pub(crate) fn rewrite(column: &[String]) {
    let mut table = format!("| what goes wrong | {}", Tool::Restante.version());
    Tool::OTHERS.iter().for_each(|tool| table += &format!(" | {}", tool.version()));
    table += " |\n|---|---|---|---|---|\n";
    for (fault, ours) in Fault::ALL.into_iter().zip(column) {
        table += &format!("| {} | {ours} |", fault.name());
        for tool in Tool::OTHERS {
            table += &format!(" {} |", Trial::run(tool, fault).cell());
        }
        table += "\n";
    }
    let text = std::fs::read_to_string(page()).unwrap();
    let (before, _, behind) = parts(&text);
    std::fs::write(page(), format!("{before}{BEGIN}{table}{END}{behind}")).unwrap();
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/collector.md")
}

fn parts(text: &str) -> (&str, &str, &str) {
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, behind) = rest.split_once(END).unwrap();
    (before, table, behind)
}
