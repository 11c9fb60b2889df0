//! Telephone numbers as people in Korea and elsewhere write them.

/// Whether the text is a telephone number. Digits alone are one only where they begin with a zero: otherwise they are a number of anything.
pub(super) fn is_phone(text: &str) -> bool {
    let (plus, rest) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if !rest.chars().all(|c| c.is_ascii_digit() || " -.()".contains(c)) {
        return false;
    }
    let groups: Vec<&str> = rest.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let digits = groups.concat();
    if plus {
        return (8..=15).contains(&digits.len()) && !digits.starts_with('0');
    }
    match groups.len() {
        0 => false,
        1 => in_korea(&digits) && rest.len() == digits.len(),
        _ => in_korea(&digits) || from_abroad(&digits) || is_short(&groups) || in_america(&groups),
    }
}

/// `010-1234-5678`, `02-123-4567`, `031 1234 5678`, `070-1234-5678`, `0505-123-4567`.
fn in_korea(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    match bytes.get(..3) {
        Some([b'0', b'1', b'0' | b'1' | b'6'..=b'9']) => (10..=11).contains(&digits.len()),
        Some([b'0', b'2', _]) => (9..=10).contains(&digits.len()),
        Some([b'0', b'3'..=b'6', b'1'..=b'5']) => (10..=11).contains(&digits.len()),
        Some([b'0', b'7' | b'8', b'0']) => (10..=11).contains(&digits.len()),
        Some([b'0', b'5', b'0']) => (11..=12).contains(&digits.len()),
        _ => false,
    }
}

/// `82-10-1234-5678`
fn from_abroad(digits: &str) -> bool {
    digits.starts_with("82") && (10..=12).contains(&digits.len())
}

/// `1588-1234`
fn is_short(groups: &[&str]) -> bool {
    match groups {
        [first, second] => first.len() == 4 && second.len() == 4 && ["15", "16", "18"].iter().any(|head| first.starts_with(head)),
        _ => false,
    }
}

/// `(555) 123-4567`, `1-555-123-4567`
fn in_america(groups: &[&str]) -> bool {
    let groups = groups.strip_prefix(&["1"]).unwrap_or(groups);
    match groups {
        [area, exchange, line] => area.len() == 3 && exchange.len() == 3 && line.len() == 4 && !area.starts_with(['0', '1']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn numbers_of_korea_and_of_the_world_are_found() {
        for text in [
            "010-1234-5678", "010 1234 5678", "010.1234.5678", "01012345678", "011-123-4567", "02-123-4567", "02)1234-5678", "(02) 123-4567",
            "0212345678", "031-123-4567", "064-123-4567", "070-1234-5678", "080-123-4567", "0505-123-4567", "1588-1234", "82-10-1234-5678",
            "+82 10-1234-5678", "+821012345678", "+82-2-123-4567", "+1 (555) 123-4567", "+44 20 7946 0958", "+81-3-1234-5678",
            "(555) 123-4567", "555-123-4567", "1-555-123-4567",
        ] {
            assert!(is_phone(text), "{text}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn other_numbers_are_not() {
        for text in [
            "", "-", "+", "()", "5551234567", "821012345678", "12345678", "2024-03-05", "20240305", "123-45-67890", "880101-1234567", "192.168.0.1",
            "06236", "3.14", "-5", "1,234", "010-1234", "010-1234-56789", "4111-1111-1111-1111", "15-20", "+1", "+0 123 456 789",
            "010-1234-5678 (집)", "2020-2021",
        ] {
            assert!(!is_phone(text), "{text}");
        }
    }
}
