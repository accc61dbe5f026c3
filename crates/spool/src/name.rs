//! File names in a Maildir: what other programs' names tell, and fresh names of our own.
//!
//! `name = base [ ":" flags ]`, where `base` never changes while flags do.
//! `base = 1*DIGIT ".M" 1*DIGIT ... "." host [ ",S=" 1*DIGIT ] [ ",W=" 1*DIGIT ]` by custom; any
//! other base is as good. Nothing here can fail but the machine's randomness.

use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use restante_host::Host;
use restante_maildrop::{MessageKey, UniqueId};
use sha2::{Digest, Sha256};

/// What stands before the flags.
pub(crate) fn base(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b':').next().unwrap_or_default()
}

/// The order of messages: seconds and microseconds of delivery, as far as the name tells. The
/// base name decides between equals.
pub(crate) fn delivered(base: &[u8]) -> (u64, u64) {
    let (seconds, rest) = digits(base);
    let microseconds = match rest.strip_prefix(b".M") {
        Some(rest) => digits(rest).0,
        None => None,
    };
    (seconds.unwrap_or(0), microseconds.unwrap_or(0))
}

/// When the message was delivered, if that is what the name says: by custom it begins with the
/// seconds since 1970 and a dot. There was no Maildir before 1995, so smaller numbers (a date, a
/// count) mean something else.
pub(crate) fn arrived(base: &[u8]) -> Option<SystemTime> {
    let (seconds, rest) = digits(base);
    let seconds = seconds.filter(|seconds| SECONDS_CREDIBLE.contains(seconds))?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    time.filter(|_| rest.first() == Some(&b'.'))
}

/// `S` and `W`: octets in the file, and as RFC 1939 counts them.
pub(crate) fn sizes(base: &[u8]) -> Option<(u64, u64)> {
    let field = |letter: &[u8]| {
        let mut fields = base.split(|&byte| byte == b',').skip(1);
        let value = fields.find_map(|field| field.strip_prefix(letter))?;
        match digits(value) {
            (value, []) => value,
            _ => None,
        }
    };
    Some((field(b"S=")?, field(b"W=")?))
}

/// Whether the name is one that [`Namer`] makes, whose `W` counts a missing last line end as
/// RFC 1939 does. Dovecot's does not.
pub(crate) fn is_ours(base: &[u8]) -> bool {
    let mut parts = base.splitn(3, |&byte| byte == b'.').skip(1);
    let Some(middle) = parts.next().and_then(|middle| middle.strip_prefix(b"M")) else {
        return false;
    };
    match digits(middle).1 {
        [b'K', ..] => true,
        [b'P', rest @ ..] => match digits(rest).1 {
            [b'Q', rest @ ..] => digits(rest).1.first() == Some(&b'R'),
            _ => false,
        },
        _ => false,
    }
}

/// The collector's key, where the name carries one.
pub(crate) fn key(base: &[u8]) -> Option<MessageKey> {
    let middle = base.split(|&byte| byte == b'.').nth(1)?.strip_prefix(b"M")?;
    let key = digits(middle).1.strip_prefix(b"K")?;
    MessageKey::new(str::from_utf8(key).ok()?)
}

/// The unique-id: the base name when that is a legal one, else a hash of it, so that the id
/// outlives flags, moves, restores and the index.
pub(crate) fn unique_id(base: &[u8]) -> UniqueId {
    let legal = str::from_utf8(base).ok().and_then(UniqueId::new);
    legal.unwrap_or_else(|| hashed_id(&[base]))
}

/// An id of 32 hexadecimal digits: 128 bits of the SHA-256 of `parts`.
#[expect(clippy::expect_used, reason = "32 hexadecimal digits are a legal unique-id")]
pub(crate) fn hashed_id(parts: &[&[u8]]) -> UniqueId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    UniqueId::new(&hex(hash.finalize().get(..16).unwrap_or_default())).expect("a legal unique-id")
}

/// Whether a name read from the disk names a message in one of the directories.
pub(crate) fn is_message(name: &[u8]) -> bool {
    !matches!(name.first(), None | Some(b'.')) && !name.iter().any(|byte| b"/\0".contains(byte))
}

/// What a message is called that was moved to the trash: the base name stays. It is no news any
/// more (S), and not T, which would have the next expunge of an IMAP client remove it; keywords
/// (small letters) mean something else in each folder. `copy` counts messages of one base name.
pub(crate) fn discarded(name: &[u8], copy: u32) -> Vec<u8> {
    let base = base(name);
    let flags = name.get(base.len()..).and_then(|rest| rest.strip_prefix(b":2,"));
    let mut flags: Vec<u8> = flags.unwrap_or_default().to_vec();
    flags.retain(|flag| flag.is_ascii_uppercase() && !b"ST".contains(flag));
    flags.push(b'S');
    flags.sort_unstable();
    flags.dedup();
    let copy = if copy == 0 { String::new() } else { format!("_{copy}") };
    [base, copy.as_bytes(), b":2,", &flags].concat()
}

/// Leading digits as a number (saturating), and the rest.
fn digits(text: &[u8]) -> (Option<u64>, &[u8]) {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(len).unwrap_or((&[], text));
    let value = digits.iter().fold(0_u64, |value, &digit| {
        value.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
    });
    ((len > 0).then_some(value), rest)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Makes names that no other delivery has: by time, process, count and chance.
#[derive(Debug)]
pub(crate) struct Namer {
    host: Host,
    machine: String,
    process: u32,
    count: AtomicU32,
}

/// A name to which only the sizes must be added.
#[derive(Debug)]
pub(crate) struct Stem {
    unique: String,
    machine: String,
}

impl Namer {
    pub(crate) fn new(host: Host) -> Self {
        let fit = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let mut machine: String =
            restante_host::host_name().chars().take_while(|c| *c != '.').filter(fit).collect();
        if machine.is_empty() {
            machine.push_str("localhost");
        }
        Self { host, machine, process: std::process::id(), count: AtomicU32::new(0) }
    }

    /// A name for a delivery (`<sec>.M<usec>P<pid>Q<n>R<random>`), or for the message a collector
    /// knows by `key` (`<sec>.M<usec>K<key>`).
    pub(crate) fn stem(&self, key: Option<&MessageKey>) -> io::Result<Stem> {
        let now = self.host.clock.wall().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let (seconds, microseconds) = (now.as_secs(), now.subsec_micros());
        let unique = if let Some(key) = key {
            format!("{seconds}.M{microseconds:06}K{}", key.as_str())
        } else {
            let mut random = [0; 3];
            self.host.rng.fill(&mut random)?;
            // Short enough that the whole name can be a unique-id; chance does the rest.
            let count = self.count.fetch_add(1, Ordering::Relaxed) % 1_000_000;
            let (process, random) = (self.process, hex(&random));
            format!("{seconds}.M{microseconds:06}P{process}Q{count}R{random}")
        };
        Ok(Stem { unique, machine: self.machine.clone() })
    }
}

impl Stem {
    /// The name in `tmp/`, where the sizes are not known yet.
    pub(crate) fn temporary(&self) -> String {
        self.with("")
    }

    /// The name in `new/`.
    pub(crate) fn sized(&self, file_octets: u64, wire_octets: u64) -> String {
        self.with(&format!(",S={file_octets},W={wire_octets}"))
    }

    /// Cuts the machine's name so that the whole is at most 70 octets, as a unique-id must be.
    fn with(&self, sizes: &str) -> String {
        let taken = self.unique.len().saturating_add(1).saturating_add(sizes.len());
        let room = UniqueId::OCTETS_MAX.saturating_sub(taken).max(1);
        let machine: String = self.machine.chars().take(room).collect();
        format!("{}.{machine}{sizes}", self.unique)
    }
}

/// From 1995 to 2106.
const SECONDS_CREDIBLE: RangeInclusive<u64> = 788_918_400..=0xffff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s42_a_name_tells_when_its_message_arrived_or_nothing() {
        for (name, seconds) in [
            ("1127836300.M5P9.host,S=5000", Some(1_127_836_300)),
            ("817776000.1.host", Some(817_776_000)),
            ("20240131.1.host", None),
            ("1706659200000.1.host", None),
            ("1127836300-a", None),
            ("1127836300", None),
            ("1.a", None),
            ("a", None),
            ("", None),
        ] {
            let seconds = seconds.map(Duration::from_secs);
            let time = seconds.map(|seconds| SystemTime::UNIX_EPOCH + seconds);
            assert_eq!(arrived(name.as_bytes()), time, "{name}");
        }
    }

    #[test]
    fn names_of_other_programs_are_understood() {
        for (name, order, sizes_told) in [
            ("1127836300.M5P9.host,S=5000:2,S", (1_127_836_300, 5), None),
            ("1127836300.M5P9.host,S=5000,W=5120:2,S", (1_127_836_300, 5), Some((5000, 5120))),
            ("1127836300.M5P9.host,W=5120,S=5000", (1_127_836_300, 5), Some((5000, 5120))),
            ("1127836300.5_9.host,S=5x,W=1", (1_127_836_300, 0), None),
            ("1127836300.5_9.host,S=,W=1", (1_127_836_300, 0), None),
            ("no digits,S=1,W=2", (0, 0), Some((1, 2))),
            ("99999999999999999999999.M1", (u64::MAX, 1), None),
            ("", (0, 0), None),
        ] {
            let base = base(name.as_bytes());
            assert_eq!((delivered(base), sizes(base)), (order, sizes_told), "{name}");
        }
    }

    #[test]
    fn s29_ids_are_base_names_or_hashes() {
        let (longest, too_long) = ("x".repeat(70), "x".repeat(71));
        for (name, id) in [
            ("1.M2P3.host,S=1:2,RS", "1.M2P3.host,S=1"),
            (&longest, &longest),
            // printf %s NAME | sha256sum | cut -c-32
            ("a b", "c8687a08aa5d6ed2044328fa6a697ab8"),
            ("", "e3b0c44298fc1c149afbf4c8996fb924"),
        ] {
            assert_eq!(unique_id(base(name.as_bytes())).as_str(), id, "{name}");
        }
        assert_eq!(unique_id(too_long.as_bytes()).as_str().len(), 32);
        assert_eq!(unique_id(b"caf\xc3\xa9").as_str().len(), 32);
    }

    #[test]
    fn fresh_names_are_distinct_ours_and_short_enough_to_be_ids() {
        let namer = Namer::new(Host::real());
        let (one, two) = (namer.stem(None).unwrap(), namer.stem(None).unwrap());
        assert_ne!(one.temporary(), two.temporary());
        for stem in [one, Stem { machine: "m".repeat(64), ..two }] {
            for (octets, wire) in [(0, 0), (1234, 1300), (9_999_999_999, 9_999_999_999)] {
                let name = stem.sized(octets, wire);
                assert_eq!(unique_id(name.as_bytes()).as_str(), name);
                assert_eq!(sizes(name.as_bytes()), Some((octets, wire)));
                assert!(is_ours(name.as_bytes()) && is_message(name.as_bytes()));
                assert_eq!(key(name.as_bytes()), None);
            }
        }
        assert!(!is_ours(b"1127836300.M5P9.host,S=5000,W=5120"));
    }

    #[test]
    fn discarded_messages_keep_their_base_names() {
        for (name, copy, expected) in [
            ("1.M2P3.host,S=1,W=2", 0, "1.M2P3.host,S=1,W=2:2,S"),
            ("1.a:2,", 0, "1.a:2,S"),
            ("1.a:2,FRSTab", 0, "1.a:2,FRS"),
            ("1.a:2,DPT", 2, "1.a_2:2,DPS"),
            ("1.a:1,experimental", 0, "1.a:2,S"),
        ] {
            let name = discarded(name.as_bytes(), copy);
            assert_eq!(String::from_utf8(name).unwrap(), expected);
        }
    }

    #[test]
    fn keys_are_found_again() {
        let namer = Namer::new(Host::real());
        for text in ["a", "0123456789abcdef0123456789ABCDEF", &"9".repeat(64)] {
            let wanted = MessageKey::new(text).unwrap();
            let name = namer.stem(Some(&wanted)).unwrap().sized(12, 13) + ":2,FS";
            assert_eq!(key(base(name.as_bytes())), Some(wanted));
            assert!(is_ours(base(name.as_bytes())));
        }
        for name in ["1.M2P3.host", "1.K2.host", "1.M2K.host", "1.M2Ka_b.host", "1", ""] {
            assert_eq!(key(name.as_bytes()), None, "{name}");
        }
    }
}
