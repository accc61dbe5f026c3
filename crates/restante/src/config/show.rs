//! The configuration in force, as a file that could be read again, and as JSON.

use std::fmt::Write as _;

use super::Config;
use super::setting::SETTINGS;

/// As TOML, every setting with its meaning; one that is off stands in a comment.
pub(crate) fn to_toml(config: &Config) -> String {
    let default = Config::default();
    let mut text = String::new();
    let mut current = "";
    for setting in SETTINGS {
        let (table, key) = setting.split();
        if !text.is_empty() {
            text.push('\n');
        }
        if table != current {
            let _ = writeln!(text, "[{table}]");
            current = table;
        }
        let _ = writeln!(text, "# {}", setting.doc);
        let value = (setting.show)(config);
        let usual = (setting.show)(&default);
        if value != usual {
            match &usual {
                Some(usual) => drop(writeln!(text, "# Default: {usual}")),
                None => text.push_str("# Default: unset\n"),
            }
        }
        let _ = match value {
            Some(value) => writeln!(text, "{key} = {value}"),
            None => writeln!(text, "# {key} = (unset)"),
        };
    }
    text
}

/// As JSON: tables are objects, what is off is null.
pub(crate) fn to_json(config: &Config) -> serde_json::Value {
    let mut root = serde_json::Map::new();
    for setting in SETTINGS {
        let (table, key) = setting.split();
        let value = (setting.show)(config);
        // A setting is a text, a number or a flag, all of which JSON has.
        let value = serde_json::to_value(value).unwrap_or_default();
        let place = if table.is_empty() {
            &mut root
        } else {
            let entry = root.entry(table).or_insert_with(|| serde_json::Map::new().into());
            match entry.as_object_mut() {
                Some(place) => place,
                None => continue,
            }
        };
        place.insert(key.to_owned(), value);
    }
    root.into()
}
