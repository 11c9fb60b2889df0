//! CSV after RFC 4180, safe to be opened by a spreadsheet program.

use serde_json::Value;

use crate::model::results::{Column, ColumnKind};

/// Tells programs that the text is UTF-8; Excel takes it for the machine's old encoding otherwise.
pub const BOM: &str = "\u{FEFF}";

/// The line of the columns' names.
#[must_use]
pub fn header(columns: &[Column]) -> String {
    record(columns.iter().map(|column| disarmed(&column.name)))
}

/// The line of a row.
#[must_use]
pub fn row(columns: &[Column], row: &[Value]) -> String {
    let kind = |index: usize| columns.get(index).map_or(ColumnKind::Other, |column| column.kind);
    record(row.iter().enumerate().map(|(index, value)| cell(value, kind(index))))
}

/// A line of texts.
#[must_use]
pub fn line(texts: impl Iterator<Item = String>) -> String {
    record(texts.map(|text| disarmed(&text)))
}

fn cell(value: &Value, kind: ColumnKind) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if kind.is_numeric() && is_number(text) => text.clone(),
        Value::String(text) => disarmed(text),
        other => other.to_string(),
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// A text that no spreadsheet program runs: one that begins like a formula gets an apostrophe.
pub(super) fn disarmed(text: &str) -> String {
    // The full-width signs are formulas to Japanese and Korean settings.
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if risky { format!("'{text}") } else { text.to_owned() }
}

/// A line of cells.
pub(super) fn record(cells: impl Iterator<Item = String>) -> String {
    let quoted = |cell: String| {
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let cells: Vec<String> = cells.map(quoted).collect();
    // A line of nothing would be no row at all to most readers.
    if matches!(cells.as_slice(), [only] if only.is_empty()) {
        return "\"\"\r\n".to_owned();
    }
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns(kinds: &[ColumnKind]) -> Vec<Column> {
        kinds.iter().map(|kind| Column { name: "=c".to_owned(), type_name: String::new(), kind: *kind }).collect()
    }

    #[test]
    fn cells_are_quoted_and_formulas_disarmed() {
        let texts = columns(&[ColumnKind::Text; 9]);
        let cells = [
            json!("plain"),
            json!("a,b"),
            json!("say \"hi\""),
            json!("=1+1"),
            json!("-12.50"),
            json!(null),
            json!(-7),
            json!("@x\ny"),
            json!("＝1"),
        ];
        assert_eq!(row(&texts, &cells), "plain,\"a,b\",\"say \"\"hi\"\"\",'=1+1,'-12.50,,-7,\"'@x\ny\",'＝1\r\n");
        for risky in ["=", "+82", "-", "@a", "\ta", "\ra"] {
            assert!(row(&texts, &[json!(risky)]).trim_start_matches('"').starts_with('\''), "{risky:?}");
        }
        assert_eq!(header(&texts[..2]), "'=c,'=c\r\n");
    }

    #[test]
    fn numbers_stay_and_a_lone_gap_is_a_row() {
        let numbers = columns(&[ColumnKind::Number, ColumnKind::Integer]);
        assert_eq!(row(&numbers, &[json!("-12.50"), json!(-3)]), "-12.50,-3\r\n");
        assert_eq!(row(&numbers, &[json!("-1+cmd"), json!(true)]), "'-1+cmd,true\r\n");
        assert_eq!(row(&numbers[..1], &[json!(null)]), "\"\"\r\n");
    }
}
