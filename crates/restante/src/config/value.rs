//! One value of the file on its way to a typed setting; what does not fit says what would.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use restante_maildrop::Owner;
use restante_server::IpNet;
use toml::de::DeValue;

use super::CertificateFiles;

/// A value as the file gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(super) value: &'a DeValue<'a>,
    /// What relative paths are relative to.
    pub(super) folder: &'a Path,
}

impl Given<'_> {
    pub(super) fn text(&self) -> Result<String, String> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.expected("a text in quotes"))
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(*choice);
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Err(format!("`{text}` is none of {}", names.join(", ")))
    }

    /// The same, for a list of them.
    pub(super) fn choices<T: Copy>(&self, choices: &[(&str, T)]) -> Result<Vec<T>, String> {
        let list =
            self.value.as_array().ok_or_else(|| self.expected("a list of texts in quotes"))?;
        list.iter().map(|value| Given { value: value.get_ref(), ..*self }.choice(choices)).collect()
    }

    /// One character that can stand between a user's name and a folder's.
    pub(super) fn separator(&self) -> Result<char, String> {
        let text = self.text()?;
        let mut characters = text.chars();
        let usable = |c: &char| c.is_ascii_punctuation() && !"@/\\.".contains(*c);
        match (characters.next().filter(usable), characters.next()) {
            (Some(separator), None) => Ok(separator),
            _ => Err("expected one of + - = % # ! ~ and the like".to_owned()),
        }
    }

    pub(super) fn name(&self) -> Result<String, String> {
        match self.text()?.as_str() {
            "" => Err("it cannot be empty".to_owned()),
            name => Ok(name.to_owned()),
        }
    }

    /// A folder of a maildrop, which is not the maildrop itself.
    pub(super) fn folder(&self) -> Result<String, String> {
        let text = self.text()?;
        let owner = Owner::new("anybody").map_err(|error| error.to_string())?;
        match owner.in_folder(&text) {
            Ok(owner) if owner.folder().is_some() => Ok(text),
            _ => Err(format!("`{text}` is not a folder's name such as Trash or Archive.Deleted")),
        }
    }

    pub(super) fn path(&self) -> Result<PathBuf, String> {
        match self.value.as_str() {
            Some("") => Err("a path cannot be empty".to_owned()),
            Some(path) => Ok(self.folder.join(path)),
            None => Err(self.expected("a path in quotes")),
        }
    }

    /// `["/var/vmail", ...]`
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, String> {
        let list = self.value.as_array().ok_or_else(|| self.expected("a list of paths"))?;
        list.iter().map(|value| Given { value: value.get_ref(), ..*self }.path()).collect()
    }

    pub(super) fn flag(&self) -> Result<bool, String> {
        self.value.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    pub(super) fn count(&self, range: RangeInclusive<usize>) -> Result<usize, String> {
        let number = self.value.as_integer().and_then(|integer| {
            usize::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
        });
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.expected(&format!("a whole number from {} to {}", range.start(), range.end()))
        })
    }

    pub(super) fn seconds(&self, range: RangeInclusive<usize>) -> Result<Duration, String> {
        self.count(range).map(|seconds| Duration::from_secs(seconds as u64))
    }

    pub(super) fn address(&self) -> Result<SocketAddr, String> {
        let text = self.value.as_str().ok_or_else(|| self.expected("an address and port"))?;
        super::listener::address_of(text)
    }

    /// `["a", "b", ...]`
    pub(super) fn texts(&self) -> Result<Vec<String>, String> {
        const FORM: &str = "a list of texts in quotes";
        let list = self.value.as_array().ok_or_else(|| self.expected(FORM))?;
        let texts = list.iter().map(|value| value.get_ref().as_str().map(str::to_owned));
        let texts: Option<Vec<_>> = texts.collect();
        texts.ok_or_else(|| format!("expected {FORM}, and one of its entries is something else"))
    }

    /// Where requests go.
    pub(super) fn web_address(&self) -> Result<String, String> {
        let text = self.text()?;
        restante_http::check_address(&text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    /// `[110, 995]`
    pub(super) fn ports(&self) -> Result<Vec<u16>, String> {
        const FORM: &str = "a list of ports";
        let list = self.value.as_array().ok_or_else(|| self.expected(FORM))?;
        list.iter()
            .map(|value| {
                let port = Given { value: value.get_ref(), ..*self }.count(1..=65_535)?;
                u16::try_from(port).map_err(|_| self.expected(FORM))
            })
            .collect()
    }

    /// `["192.0.2.0/24", "2001:db8::1", ...]`
    pub(super) fn networks(&self) -> Result<Vec<IpNet>, String> {
        const FORM: &str = "a list of networks";
        let list = self.value.as_array().ok_or_else(|| self.expected(FORM))?;
        list.iter()
            .map(|value| {
                let given = Given { value: value.get_ref(), ..*self };
                let text = value.get_ref().as_str().ok_or_else(|| given.expected("a network"))?;
                network(text).ok_or_else(|| {
                    format!("`{text}` is not a network such as 192.0.2.0/24, 2001:db8::/32 or one address")
                })
            })
            .collect()
    }

    /// `[{ certificate = "FILE", key = "FILE" }, ...]`
    pub(super) fn certificates(&self) -> Result<Vec<CertificateFiles>, String> {
        const FORM: &str = "a list of { certificate = \"FILE\", key = \"FILE\" }";
        let list = self.value.as_array().ok_or_else(|| self.expected(FORM))?;
        let files = |value: &toml::Spanned<DeValue<'_>>| {
            let table = value.get_ref().as_table().filter(|table| table.len() == 2)?;
            let path = |name| match table.get(name)?.get_ref().as_str() {
                Some(path) if !path.is_empty() => Some(self.folder.join(path)),
                _ => None,
            };
            Some(CertificateFiles { certificate: path("certificate")?, key: path("key")? })
        };
        let files: Option<Vec<_>> = list.iter().map(files).collect();
        files.ok_or_else(|| format!("expected {FORM}, and one of its entries is something else"))
    }

    fn expected(&self, what: &str) -> String {
        match self.value {
            DeValue::Integer(integer) => format!("expected {what}, found {}", integer.as_str()),
            other => format!("expected {what}, found {}", article(other.type_str())),
        }
    }
}

/// A network with none of its hosts' bits set, or one address.
fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.into()),
        Err(_) => text.parse::<IpNet>().ok().filter(|network| *network == network.trunc()),
    }
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}
