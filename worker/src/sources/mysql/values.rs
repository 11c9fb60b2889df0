//! Values of the binary protocol in the contract's form: exact, or as the server would write them.

use datagenie_common::model::results::Row;
use mysql_async::Value;
use serde_json::Value as Json;

use super::types::{Decoder, TypedColumn};
use crate::sources::values;

/// A row, in the order of its columns.
pub(super) fn decode_row(row: mysql_async::Row, columns: &[TypedColumn]) -> Row {
    row.unwrap().into_iter().zip(columns).map(|(value, typed)| decode(value, typed.decoder)).collect()
}

fn decode(value: Value, decoder: Decoder) -> Json {
    match value {
        Value::NULL => Json::Null,
        Value::Int(number) => values::integer(number),
        Value::UInt(number) => unsigned(number),
        Value::Float(number) => short(number),
        Value::Double(number) => values::float(number),
        Value::Date(year, month, day, hour, minute, second, micros) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            let Decoder::Moment { decimals, is_instant } = decoder else { return Json::String(date) };
            let text = format!("{date} {hour:02}:{minute:02}:{second:02}{}", fraction(micros, decimals));
            if year == 0 || month == 0 || day == 0 {
                // MySQL's own dates that are none: no calendar has them.
                return Json::String(text);
            }
            values::moment(&if is_instant { format!("{text}+00") } else { text })
        }
        Value::Time(is_negative, days, hours, minutes, seconds, micros) => {
            let decimals = if let Decoder::Time { decimals } = decoder { decimals } else { u8::MAX };
            let sign = if is_negative { "-" } else { "" };
            let hours = u64::from(days) * 24 + u64::from(hours);
            Json::String(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(micros, decimals)))
        }
        Value::Bytes(bytes) => match decoder {
            Decoder::Bits => bits(&bytes),
            Decoder::Bytes => values::binary(&bytes, false),
            Decoder::Document => values::document(&text(bytes)),
            _ => Json::String(text(bytes)),
        },
    }
}

fn unsigned(number: u64) -> Json {
    i64::try_from(number).map_or_else(|_| Json::String(number.to_string()), values::integer)
}

/// The shortest number that is the same FLOAT: as a double, 0.1 would be 0.10000000149011612.
fn short(number: f32) -> Json {
    values::float(number.to_string().parse().unwrap_or_else(|_| f64::from(number)))
}

fn bits(bytes: &[u8]) -> Json {
    // At most 64 of them, the first byte the highest.
    unsigned(bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// Sessions speak utf8mb4; what is none all the same is replaced by U+FFFD.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The digits of a second that a type has; where it does not say, those that there are.
fn fraction(micros: u32, decimals: u8) -> String {
    let digits = format!("{micros:06}");
    match decimals {
        0 => String::new(),
        1..=6 => format!(".{}", &digits[..usize::from(decimals).min(digits.len())]),
        _ if micros == 0 => String::new(),
        _ => format!(".{}", digits.trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn moment(value: Value, decimals: u8, is_instant: bool) -> Json {
        decode(value, Decoder::Moment { decimals, is_instant })
    }

    fn bytes(text: &str, decoder: Decoder) -> Json {
        decode(Value::Bytes(text.as_bytes().to_vec()), decoder)
    }

    #[test]
    fn numbers_arrive_exactly() {
        assert_eq!(decode(Value::Int(-42), Decoder::Integer), json!(-42));
        assert_eq!(decode(Value::Int(9_007_199_254_740_993), Decoder::Integer), json!("9007199254740993"));
        assert_eq!(decode(Value::UInt(u64::MAX), Decoder::Integer), json!("18446744073709551615"));
        assert_eq!(decode(Value::UInt(1_999), Decoder::Integer), json!(1_999));
        assert_eq!(decode(Value::Float(0.1), Decoder::Float), json!(0.1));
        assert_eq!(decode(Value::Float(3.402_823_5e38), Decoder::Float), json!(3.402_823_5e38));
        assert_eq!(decode(Value::Double(1e300), Decoder::Float), json!(1e300));
        let decimal = "12345678901234567890123456789012345.123456789012345678901234567890";
        assert_eq!(bytes(decimal, Decoder::Text), json!(decimal));
        assert_eq!(decode(Value::NULL, Decoder::Integer), Json::Null);
    }

    #[test]
    fn bits_are_a_number() {
        assert_eq!(decode(Value::Bytes(vec![1]), Decoder::Bits), json!(1));
        assert_eq!(decode(Value::Bytes(vec![0x02, 0xAA]), Decoder::Bits), json!(682));
        assert_eq!(decode(Value::Bytes(vec![0xFF; 8]), Decoder::Bits), json!("18446744073709551615"));
    }

    #[test]
    fn dates_and_times_are_written_as_the_type_says() {
        let at = Value::Date(2024, 3, 5, 10, 20, 30, 120_000);
        assert_eq!(decode(at.clone(), Decoder::Day), json!("2024-03-05"));
        assert_eq!(moment(at.clone(), 0, false), json!("2024-03-05T10:20:30"));
        assert_eq!(moment(at.clone(), 3, false), json!("2024-03-05T10:20:30.120"));
        assert_eq!(moment(at.clone(), 6, true), json!("2024-03-05T10:20:30.120000Z"));
        assert_eq!(moment(at, 31, false), json!("2024-03-05T10:20:30.12"));
        assert_eq!(moment(Value::Date(2024, 3, 5, 0, 0, 0, 0), 0, false), json!("2024-03-05T00:00:00"));
        let time = |value, decimals| decode(value, Decoder::Time { decimals });
        assert_eq!(time(Value::Time(true, 34, 22, 59, 59, 0), 0), json!("-838:59:59"));
        assert_eq!(time(Value::Time(false, 4, 4, 0, 0, 250_000), 2), json!("100:00:00.25"));
        assert_eq!(time(Value::Time(false, 0, 0, 0, 0, 0), 0), json!("00:00:00"));
    }

    #[test]
    fn dates_that_are_none_stay_the_servers_text() {
        assert_eq!(decode(Value::Date(0, 0, 0, 0, 0, 0, 0), Decoder::Day), json!("0000-00-00"));
        assert_eq!(moment(Value::Date(0, 0, 0, 0, 0, 0, 0), 0, false), json!("0000-00-00 00:00:00"));
        assert_eq!(moment(Value::Date(2024, 0, 0, 1, 2, 3, 0), 1, true), json!("2024-00-00 01:02:03.0"));
    }

    #[test]
    fn texts_bytes_and_documents() {
        assert_eq!(bytes("서울", Decoder::Text), json!("서울"));
        assert_eq!(decode(Value::Bytes(vec![b'a', 0xFF]), Decoder::Text), json!("a\u{FFFD}"));
        assert_eq!(bytes("abc", Decoder::Bytes), json!({ "base64": "YWJj", "truncated": false }));
        assert_eq!(bytes(r#"{"a": [1, 2.5]}"#, Decoder::Document), json!({ "a": [1, 2.5] }));
    }
}
