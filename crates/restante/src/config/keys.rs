//! The keys of one table in a list of tables.
//!
//! In: the table. Out: its values, one after the other; a key that nobody asked for is an error.

use std::path::Path;

use toml::de::DeValue;

use super::value::Given;

/// The keys of one table; each is taken once, and none may be left.
pub(super) struct Keys<'a> {
    left: Vec<(&'a str, &'a DeValue<'a>)>,
    folder: &'a Path,
}

impl<'a> Keys<'a> {
    pub(super) fn of(given: &Given<'a>) -> Result<Self, String> {
        let table = given.value.as_table().ok_or("write [[users]] and its keys below")?;
        let left = table.iter().map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()));
        Ok(Self { left: left.collect(), folder: given.folder })
    }

    pub(super) fn take<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Given<'a>) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let Some(place) = self.left.iter().position(|(name, _)| *name == key) else {
            return Ok(None);
        };
        let (_, value) = self.left.swap_remove(place);
        let given = Given { value, folder: self.folder };
        read(&given).map(Some).map_err(|problem| format!("`{key}`: {problem}"))
    }

    pub(super) fn need<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Given<'a>) -> Result<T, String>,
    ) -> Result<T, String> {
        self.take(key, read)?.ok_or_else(|| format!("`{key}` is missing"))
    }

    pub(super) fn finish(self) -> Result<(), String> {
        match self.left.first() {
            Some((key, _)) => Err(format!("`{key}` is no key of a table of this type")),
            None => Ok(()),
        }
    }
}
