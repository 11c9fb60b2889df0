//! Masking by code: `mask_personal_data()` of the design document for values on their way out. Short values are masked wholly.

use datagenie_common::model::policies::MaskKind;
use serde_json::Value;

/// What stands for a value of its kind. NULL stays NULL; a value that is no text is masked wholly.
#[must_use]
pub fn mask(kind: MaskKind, value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) => Value::String(mask_text(kind, text)),
        Value::Number(number) => Value::String(mask_text(kind, &number.to_string())),
        _ => Value::String("***".to_owned()),
    }
}

fn mask_text(kind: MaskKind, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let ends = |head: usize, stars: &str, tail: usize| {
        let first: String = chars[..head].iter().collect();
        let last: String = chars[chars.len() - tail..].iter().collect();
        format!("{first}{stars}{last}")
    };
    match kind {
        MaskKind::Email => match text.split_once('@') {
            Some((local, domain)) if local.chars().count() >= 3 && !domain.is_empty() && !domain.contains('@') => {
                format!("{}***@{domain}", local.chars().take(2).collect::<String>())
            }
            _ => "***".to_owned(),
        },
        MaskKind::Phone if chars.len() > 7 => ends(3, "***", 4),
        MaskKind::Phone => "***".to_owned(),
        MaskKind::CardNumber if chars.len() > 8 => ends(4, "****", 4),
        MaskKind::CardNumber => "****".to_owned(),
        MaskKind::Name if chars.len() > 1 => format!("{}{}", chars[0], "*".repeat(chars.len() - 1)),
        MaskKind::Name => "*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn masks_as_the_database_function_does() {
        let cases = [
            (MaskKind::Email, "user1@example.com", "us***@example.com"),
            (MaskKind::Email, "ab@example.com", "***"),
            (MaskKind::Email, "no address", "***"),
            (MaskKind::Email, "abc@d@e.com", "***"),
            (MaskKind::Phone, "010-1234-5678", "010***5678"),
            (MaskKind::Phone, "1234567", "***"),
            (MaskKind::CardNumber, "4111111111111111", "4111****1111"),
            (MaskKind::CardNumber, "12345678", "****"),
            (MaskKind::Name, "김철수", "김**"),
            (MaskKind::Name, "김", "*"),
            (MaskKind::Name, "", "*"),
        ];
        for (kind, value, masked) in cases {
            assert_eq!(mask(kind, &json!(value)), json!(masked), "{kind} {value}");
        }
        assert_eq!(mask(MaskKind::Name, &Value::Null), Value::Null);
        assert_eq!(mask(MaskKind::Phone, &json!(821_012_345_678_i64)), json!("821***5678"));
        assert_eq!(mask(MaskKind::Email, &json!({"a": "b@c.de"})), json!("***"));
    }
}
