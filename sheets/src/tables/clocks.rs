//! Texts that are times of day and durations.

use chrono::{NaiveTime, Timelike};

/// Clocks that people name, with the minutes by which they are ahead of UTC.
const ZONES: &[(&str, i16)] = &[("Z", 0), ("UTC", 0), ("GMT", 0), ("KST", 540), ("JST", 540)];

/// A time of day, or a duration of a day and more with its seconds (`36:15:00`): microseconds.
pub(super) fn elapsed(text: &str) -> Option<i64> {
    if let Some(time) = time(text) {
        return Some(i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000));
    }
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = parts[..] else { return None };
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok())?
    };
    let (hours, minutes, seconds) = (number(hours, 1..=4)?, number(minutes, 2..=2)?, number(seconds, 2..=2)?);
    (minutes < 60 && seconds < 60).then_some((hours * 3_600 + minutes * 60 + seconds) * 1_000_000)
}

/// What stands before a zone (`Z`, `+09:00`, ` UTC`), and by how many minutes it is ahead of UTC. Only behind seconds is a sign that of a
/// zone: `09:00-10:00` is from one time to another.
pub(super) fn zone(text: &str) -> (&str, Option<i16>) {
    for (name, ahead) in ZONES {
        if let Some(before) = text.strip_suffix(name).filter(|before| before.ends_with(|c: char| c.is_ascii_digit() || c == ' ')) {
            return (before.trim_end(), Some(*ahead));
        }
    }
    let Some(at) = text.rfind(['+', '-']).filter(|at| text.get(..*at).is_some_and(|before| before.matches(':').count() == 2)) else {
        return (text, None);
    };
    let (before, offset) = text.split_at(at);
    let digits: String = offset.chars().skip(1).filter(|c| *c != ':').collect();
    let plain = matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = |range: std::ops::Range<usize>| digits.get(range).map_or(Some(0), |part| part.parse::<i16>().ok());
    match (plain, number(0..2), number(2..4)) {
        (true, Some(hours @ 0..=14), Some(minutes @ 0..=59)) => {
            let ahead = hours * 60 + minutes;
            (before.trim_end(), Some(if offset.starts_with('-') { -ahead } else { ahead }))
        }
        _ => (text, None),
    }
}

/// A time of day: `14:30`, `2:30 PM`, `오후 2:30`, `14시 30분`.
pub(super) fn time(text: &str) -> Option<NaiveTime> {
    const HALVES: &[(&str, bool)] = &[
        ("오전", false),
        ("오후", true),
        ("AM", false),
        ("PM", true),
        ("am", false),
        ("pm", true),
        ("a.m.", false),
        ("p.m.", true),
        ("A.M.", false),
        ("P.M.", true),
    ];
    let mut rest = text.trim();
    let mut half = None;
    for (word, afternoon) in HALVES {
        if let Some(inner) = rest.strip_prefix(word).or_else(|| rest.strip_suffix(word)) {
            (half, rest) = (Some(*afternoon), inner.trim());
            break;
        }
    }
    if !rest.contains([':', '시']) && half.is_none() {
        return None;
    }
    let korean = || rest.replace("시 ", ":").replace('시', ":").replace("분 ", ":").replace(['분', '초'], "");
    let korean = if rest.contains('시') { korean() } else { String::new() };
    let rest = if korean.is_empty() { rest } else { korean.trim_end_matches(':') };
    let bare = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let hour_only = bare && (half.is_some() || text.contains('시'));
    let rest = if hour_only { format!("{rest}:00") } else { rest.to_owned() };
    let (clock, fraction) = rest.split_once(['.', ',']).map_or((rest.as_str(), ""), |(clock, fraction)| (clock, fraction));
    let parts: Vec<&str> = clock.split(':').collect();
    if !(2..=3).contains(&parts.len())
        || parts.iter().any(|part| !(1..=2).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let number = |place: usize| parts.get(place).map_or(Some(0), |part| part.parse::<u32>().ok());
    let (mut hour, minute, second) = (number(0)?, number(1)?, number(2)?);
    if let Some(afternoon) = half {
        // 오후 14:30 says it twice.
        if !(hour <= 12 || afternoon && hour < 24) {
            return None;
        }
        hour = if hour > 12 { hour } else { hour % 12 + if afternoon { 12 } else { 0 } };
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || (!fraction.is_empty() && parts.len() < 3) {
        return None;
    }
    let micros: u32 = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").get(..6)?.parse().ok()? };
    NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        let at = |hour, minute, second| NaiveTime::from_hms_opt(hour, minute, second);
        for (text, expected) in [
            ("14:30", at(14, 30, 0)),
            ("오후 2:30", at(14, 30, 0)),
            ("2:30 PM", at(14, 30, 0)),
            ("2:30 p.m.", at(14, 30, 0)),
            ("12:00 AM", at(0, 0, 0)),
            ("오후 12시", at(12, 0, 0)),
            ("14시 30분", at(14, 30, 0)),
            ("9시", at(9, 0, 0)),
            ("오전 9시 5분 7초", at(9, 5, 7)),
            ("25:00", None),
            ("12", None),
            ("1.5", None),
            ("3:1.5", None),
            ("시", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_go_on_after_a_day() {
        assert_eq!(elapsed("36:15:00"), Some(130_500_000_000));
        assert_eq!(elapsed("01:02:03"), Some(3_723_000_000));
        assert_eq!((elapsed("98:102"), elapsed("36:15"), elapsed("1:2:3:4"), elapsed("36:75:00")), (None, None, None, None));
    }

    #[test]
    fn zones_end_a_time() {
        assert_eq!(zone("14:30:00+09:00"), ("14:30:00", Some(540)));
        assert_eq!((zone("14:30 UTC"), zone("14:30Z")), (("14:30", Some(0)), ("14:30", Some(0))));
        for text in ["2024-03-05", "14:30:00-99:00", "09:00-10:00"] {
            assert_eq!(zone(text), (text, None));
        }
    }
}
