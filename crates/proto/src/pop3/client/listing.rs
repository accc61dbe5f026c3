//! Reply lines, read leniently.
//!
//! In: a line without its line end. Out: what it says, or `None` when it says nothing usable.
//! Anything behind the fields that matter is ignored; any run of spaces and tabs separates.
//!
//! `status = ("+OK" / "-ERR" / "+") [text]`, `scan = number SP size`, `id = number SP unique-id`

use bytes::Bytes;

use crate::pop3::Capability;
use crate::{MessageNumber, Octets};

/// A line of a `LIST` reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLine {
    /// Which message.
    pub number: MessageNumber,
    /// Its size: a hint only, servers count differently. `None` where it makes no sense.
    pub octets: Option<Octets>,
}

/// A line of a `UIDL` reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdLine {
    /// Which message.
    pub number: MessageNumber,
    /// Its unique-id, verbatim: it may be empty, repeated, or longer than the 70 octets RFC 1939
    /// allows.
    pub id: Bytes,
}

/// How a status line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status<'a> {
    Ok(&'a [u8]),
    Err(&'a [u8]),
    Continue(&'a [u8]),
}

pub(super) fn status(line: &[u8]) -> Option<Status<'_>> {
    let tagged = |tag: &[u8]| {
        let (head, text) = line.split_at_checked(tag.len())?;
        head.eq_ignore_ascii_case(tag).then(|| text.trim_ascii())
    };
    if let Some(text) = tagged(b"+OK") {
        Some(Status::Ok(text))
    } else if let Some(text) = tagged(b"-ERR") {
        Some(Status::Err(text))
    } else {
        line.strip_prefix(b"+").map(|text| Status::Continue(text.trim_ascii()))
    }
}

/// The first `<local@host>` in a greeting, if it is strictly one.
pub(super) fn stamp(text: &[u8]) -> Option<String> {
    let text = str::from_utf8(text).ok()?;
    let (_, rest) = text.split_once('<')?;
    let (inner, _) = rest.split_once('>')?;
    let (local, host) = inner.split_once('@')?;
    let strict = !local.is_empty()
        && !host.is_empty()
        && !host.contains('@')
        && inner.len() <= STAMP_OCTETS_MAX
        && inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<');
    strict.then(|| format!("<{inner}>"))
}

pub(super) fn stat(text: &[u8]) -> Option<(u32, Option<Octets>)> {
    let mut fields = fields(text);
    let messages = number(fields.next()?)?;
    Some((u32::try_from(messages).ok()?, fields.next().and_then(octets)))
}

pub(super) fn capability(line: &[u8]) -> Option<Capability> {
    let line = String::from_utf8_lossy(line);
    let line = line.trim();
    (!line.is_empty()).then(|| Capability::parse(line))
}

pub(super) fn scan(line: &[u8]) -> Option<ScanLine> {
    let mut fields = fields(line);
    let number = message_number(fields.next()?)?;
    Some(ScanLine { number, octets: fields.next().and_then(octets) })
}

pub(super) fn id(line: &[u8]) -> Option<IdLine> {
    let mut fields = fields(line);
    let number = message_number(fields.next()?)?;
    Some(IdLine { number, id: Bytes::copy_from_slice(fields.next().unwrap_or_default()) })
}

fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty())
}

fn message_number(field: &[u8]) -> Option<MessageNumber> {
    number(field).and_then(|number| u32::try_from(number).ok()).and_then(MessageNumber::new)
}

/// A size. Servers with a counter that overflowed send negative ones (SmarterMail).
fn octets(field: &[u8]) -> Option<Octets> {
    number(field).map(Octets::new)
}

/// Digits only: no sign, which `parse` would take.
fn number(field: &[u8]) -> Option<u64> {
    let digits = field.iter().all(u8::is_ascii_digit);
    str::from_utf8(field).ok().filter(|_| digits)?.parse().ok()
}

/// No conforming message-id is longer.
const STAMP_OCTETS_MAX: usize = 255;
