//! The user databases as the configuration names them: `[[users]]`, a table each, in order.
//!
//! In: the tables. Out: [`UserTable`]s that need no further checks, or what is wrong with the
//! first of them that cannot be used.

use std::path::{Path, PathBuf};

use restante_spool::Layout;
use toml::Value;
use toml::de::DeValue;

use super::value::Given;

/// One user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserTable {
    /// What it is.
    pub(crate) kind: UserKind,
    /// Where maildrops of its users lie, unless it says so itself.
    pub(crate) maildrop: Option<String>,
}

/// What a user database is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserKind {
    /// A file in Dovecot's passwd-file syntax.
    PasswdFile { path: PathBuf },
    /// Every name, without a password.
    Static,
}

impl UserTable {
    /// The table that stands for a passwd-file and nothing else.
    pub(crate) const fn passwd_file(path: PathBuf) -> Self {
        Self { kind: UserKind::PasswdFile { path }, maildrop: None }
    }

    /// Where maildrops of its users lie.
    pub(crate) fn layout(
        &self,
        data: &Path,
    ) -> Option<Result<Layout, restante_spool::LayoutError>> {
        self.maildrop.as_deref().map(|template| Layout::parse(template, data))
    }

    /// As it would stand in the file.
    pub(super) fn to_value(&self) -> Value {
        let mut table = toml::Table::new();
        let mut put = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
        match &self.kind {
            UserKind::PasswdFile { path } => {
                put("type", "passwd-file".into());
                put("path", path.to_string_lossy().into_owned().into());
            }
            UserKind::Static => put("type", "static".into()),
        }
        if let Some(maildrop) = &self.maildrop {
            put("maildrop", maildrop.clone().into());
        }
        Value::Table(table)
    }
}

/// Reads all tables.
pub(super) fn tables(given: &Given<'_>) -> Result<Vec<UserTable>, String> {
    let list = given.value.as_array().ok_or("write [[users]] and its keys below")?;
    if list.is_empty() {
        return Err("there must be one at least".to_owned());
    }
    let mut tables = Vec::new();
    for (number, entry) in list.iter().enumerate() {
        let entry = Given { value: entry.get_ref(), folder: given.folder };
        let table = Keys::of(&entry).and_then(table);
        tables.push(table.map_err(|problem| format!("table {}: {problem}", number + 1))?);
    }
    let behind = tables.iter().position(|table| table.kind == UserKind::Static);
    if behind.is_some_and(|position| position + 1 < tables.len()) {
        return Err("the static one knows every name, so it must be the last".to_owned());
    }
    Ok(tables)
}

fn table(mut keys: Keys<'_>) -> Result<UserTable, String> {
    let kind = match keys.need("type", Given::text)?.as_str() {
        "passwd-file" => UserKind::PasswdFile { path: keys.need("path", Given::path)? },
        "static" => UserKind::Static,
        other => return Err(format!("`type`: `{other}` is none of {TYPES}")),
    };
    let maildrop = keys.take("maildrop", Given::text)?;
    if let Some(template) = &maildrop {
        let layout = Layout::parse(template, Path::new("/"));
        layout.map_err(|error| format!("`maildrop`: {error}"))?;
    }
    keys.finish()?;
    Ok(UserTable { kind, maildrop })
}

/// The keys of one table; each is taken once, and none may be left.
struct Keys<'a> {
    left: Vec<(&'a str, &'a DeValue<'a>)>,
    folder: &'a Path,
}

impl<'a> Keys<'a> {
    fn of(given: &Given<'a>) -> Result<Self, String> {
        let table = given.value.as_table().ok_or("write [[users]] and its keys below")?;
        let left = table.iter().map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()));
        Ok(Self { left: left.collect(), folder: given.folder })
    }

    fn take<T>(
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

    fn need<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Given<'a>) -> Result<T, String>,
    ) -> Result<T, String> {
        self.take(key, read)?.ok_or_else(|| format!("`{key}` is missing"))
    }

    fn finish(self) -> Result<(), String> {
        match self.left.first() {
            Some((key, _)) => Err(format!("`{key}` is no key of a table of this type")),
            None => Ok(()),
        }
    }
}

const TYPES: &str = "passwd-file, static";
