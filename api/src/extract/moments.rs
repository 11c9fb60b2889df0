//! Times as clients may give them.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer, de::Error};

/// The years of RFC 3339 but for its year 0. Parsers take others too, among them such as the database can't hold.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// For a field that is a time, or not given.
///
/// # Errors
/// If it is none of RFC 3339.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    match Option::<DateTime<Utc>>::deserialize(deserializer)? {
        Some(time) if !YEARS.contains(&time.year()) => Err(D::Error::custom("the year of a time must be 0001 to 9999")),
        time => Ok(time),
    }
}

/// For a field that is a time.
///
/// # Errors
/// If it is none of RFC 3339.
pub fn given_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    moment(deserializer)?.ok_or_else(|| D::Error::custom("expected a time, as 2026-01-31T09:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Times {
        #[serde(default, deserialize_with = "moment")]
        may: Option<DateTime<Utc>>,
        #[serde(deserialize_with = "given_moment")]
        must: DateTime<Utc>,
    }

    #[test]
    fn times_are_of_years_that_people_and_databases_know() {
        let read = |text: &str| serde_json::from_str::<Times>(text).map(|times| (times.may.is_some(), times.must.to_rfc3339()));
        for (text, expected) in [
            (r#"{"must":"0001-01-01T00:00:00Z"}"#, Some((false, "0001-01-01T00:00:00+00:00"))),
            (r#"{"may":null,"must":"9999-12-31T23:59:59.999999999Z"}"#, Some((false, "9999-12-31T23:59:59.999999999+00:00"))),
            (r#"{"may":"2026-01-01T00:00:00+14:00","must":"2026-01-01T00:00:00+09:00"}"#, Some((true, "2025-12-31T15:00:00+00:00"))),
            (r#"{"must":"0000-01-01T00:00:00Z"}"#, None),
            (r#"{"must":"9999-12-31T23:59:59-23:59"}"#, None),
            (r#"{"must":"+10000-01-01T00:00:00Z"}"#, None),
            (r#"{"must":"-262143-01-01T00:00:00Z"}"#, None),
            (r#"{"must":"2026-01-01T00:00:00+24:00"}"#, None),
            (r#"{"must":"2026-02-30T00:00:00Z"}"#, None),
            (r#"{"must":"2026-01-01"}"#, None),
            (r#"{"must":null}"#, None),
            (r#"{"may":"-0001-01-01T00:00:00Z","must":"2026-01-01T00:00:00Z"}"#, None),
        ] {
            let read = read(text).ok();
            assert_eq!(read.as_ref().map(|(may, must)| (*may, must.as_str())), expected, "{text}");
        }
    }
}
