//! Points in time as people write them (RFC 3339), in UTC, to the second.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// `2027-01-01T00:00:00Z`
pub(crate) fn to_text(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

/// Reads a point in time; a date alone is its beginning.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let timestamp = match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp,
        Err(_) => text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    };
    let seconds = u64::try_from(timestamp.as_second()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        for (text, written) in [
            ("2027-01-01", Some("2027-01-01T00:00:00Z")),
            ("2027-01-01T12:00:05Z", Some("2027-01-01T12:00:05Z")),
            ("2027-01-01T12:00:05.9+01:00", Some("2027-01-01T11:00:05Z")),
            ("tomorrow", None),
            ("2027-13-01", None),
            ("1969-01-01", None),
            ("", None),
        ] {
            assert_eq!(parse(text).map(to_text).as_deref(), written, "{text}");
        }
    }
}
