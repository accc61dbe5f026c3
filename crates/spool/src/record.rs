//! Sealed records: the form of the binary files this crate keeps beside the mail.
//!
//! `file = magic(8) *OCTET crc32c(4)`, all integers little-endian. In and out: integers and short
//! byte strings. A file that was cut or changed anywhere does not open; what opens is still
//! checked for length at every step, as the maildrop's owner could write one by hand.

/// Builds a sealed file.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(magic: [u8; 8]) -> Self {
        Self(magic.to_vec())
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// At most 65,535 octets; `false` when there are more, and nothing is written.
    #[must_use]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> bool {
        let Ok(len) = u16::try_from(bytes.len()) else { return false };
        self.0.extend_from_slice(&len.to_le_bytes());
        self.0.extend_from_slice(bytes);
        true
    }

    pub(crate) fn seal(mut self) -> Vec<u8> {
        let checksum = crc32c::crc32c(&self.0);
        self.0.extend_from_slice(&checksum.to_le_bytes());
        self.0
    }
}

/// Reads a sealed file.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// `None` when the seal is broken or the file is of another kind.
    pub(crate) fn open(contents: &'a [u8], magic: [u8; 8]) -> Option<Self> {
        let (sealed, checksum) = contents.split_last_chunk::<4>()?;
        let whole = crc32c::crc32c(sealed) == u32::from_le_bytes(*checksum);
        if whole { sealed.strip_prefix(&magic).map(Self) } else { None }
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (value, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*value)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*value))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*value))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 8] = *b"RSTTEST1";

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::new(MAGIC);
        writer.u8(7);
        assert!(writer.bytes(b"name"));
        assert!(!writer.bytes(&[0; 65_536]));
        writer.u64(u64::MAX);
        writer.u16(0x1234);
        let sealed = writer.seal();
        let mut reader = Reader::open(&sealed, MAGIC).unwrap();
        assert_eq!(reader.u8(), Some(7));
        assert_eq!(reader.bytes(), Some(&b"name"[..]));
        assert!(!reader.is_done());
        assert_eq!(reader.u64(), Some(u64::MAX));
        assert_eq!(reader.u16(), Some(0x1234));
        assert!(reader.is_done());
        assert_eq!(
            (reader.u8(), reader.u16(), reader.u64(), reader.bytes()),
            (None, None, None, None)
        );
        assert!(Reader::open(&sealed, *b"RSTTEST2").is_none());
    }

    #[test]
    fn any_damage_breaks_the_seal() {
        let mut writer = Writer::new(MAGIC);
        assert!(writer.bytes(b"some contents"));
        let sealed = writer.seal();
        for at in 0..sealed.len() {
            assert!(Reader::open(&sealed[..at], MAGIC).is_none(), "cut at {at}");
            let mut damaged = sealed.clone();
            damaged[at] ^= 0x10;
            assert!(Reader::open(&damaged, MAGIC).is_none(), "changed at {at}");
        }
    }
}
