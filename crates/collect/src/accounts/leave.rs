//! What stays on the server: the keys `leave`, `quota` and `largest`.

use toml::{Spanned, Value};

use super::{RawAccount, Reader};
use crate::Leave;

impl Reader<'_> {
    /// ```text
    /// leave = "never" / "always" / number ["day" / "days"] / "until deleted here"
    ///       / "newest" number / "while under" number "% of quota"
    /// ```
    pub(super) fn leave(&mut self, raw: &RawAccount) -> Option<Leave> {
        let quota_octets = self.octets(raw.quota.as_ref())?;
        // Nothing is deleted unless its owner says so.
        let Some(value) = &raw.leave else { return Some(Leave::Always) };
        let leave = match value.as_ref() {
            Value::Integer(number) => u32::try_from(*number).ok().map(Leave::Days),
            Value::String(words) => {
                match words.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
                    ["never"] => Some(Leave::Never),
                    ["always"] => Some(Leave::Always),
                    ["until", "deleted", "here"] => Some(Leave::UntilDeletedHere),
                    ["newest", number] => {
                        number.parse().ok().filter(|&newest| newest > 0).map(Leave::Newest)
                    }
                    ["while", "under", percent, "of", "quota"] => {
                        let Some(quota_octets) = quota_octets else {
                            self.problem(value, "quota is missing (quota = \"2 GB\")");
                            return None;
                        };
                        let percent = percent.strip_suffix('%').and_then(|p| p.parse().ok());
                        percent
                            .filter(|percent| (1..=100).contains(percent))
                            .map(|percent| Leave::UnderQuota { percent, quota_octets })
                    }
                    [number] | [number, "day" | "days"] => number.parse().ok().map(Leave::Days),
                    _ => None,
                }
            }
            _ => None,
        };
        if leave.is_none() {
            self.problem(
                value,
                "leave is \"never\", \"always\", a number of days (\"14 days\"), \
                 \"until deleted here\", \"newest 500\" or \"while under 80% of quota\"",
            );
        }
        leave
    }

    /// `size = number [unit]`; the outer `None` when there is a problem with it.
    #[expect(clippy::option_option, reason = "no key and a wrong one are two things")]
    pub(super) fn octets(&mut self, value: Option<&Spanned<Value>>) -> Option<Option<u64>> {
        let Some(value) = value else { return Some(None) };
        let octets = match value.as_ref() {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::String(words) => size(words),
            _ => None,
        };
        let octets = octets.filter(|&octets| octets > 0);
        if octets.is_none() {
            self.problem(value, "a size is a number of octets, kB, MB, GB, KiB, MiB or GiB");
        }
        octets.map(Some)
    }
}

fn size(words: &str) -> Option<u64> {
    let digits = words.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = words.split_at_checked(digits)?;
    let unit: u64 = match unit.trim() {
        "" | "octets" => 1,
        "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
