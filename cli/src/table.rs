//! Tables for a terminal: Korean widths, numbers on the right, a dozen rows, never wider than the screen.

use serde_json::Value;

use crate::{
    client::{Column, Row},
    text::{clip, grouped, pad, printable, width},
};

/// More rows than these are counted instead of shown.
const MAX_ROWS: usize = 12;
/// No column is wider, however wide the screen is.
const MAX_CELL: usize = 40;
/// No column is cut to less; rather are the last columns left out.
const MIN_CELL: usize = 6;
const GAP: &str = "  ";

/// How the cells of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// As text, on the left.
    Text,
    /// As a number with thousands separators, on the right.
    Number,
    /// As a number without them: years and ids are names, not amounts.
    Plain,
}

/// The lines of a table of at most `columns_wide` terminal columns, with a dozen rows at most. `total` is the number of rows
/// of the whole result.
pub fn render(columns: &[Column], rows: &[Row], total: u64, columns_wide: usize) -> Vec<String> {
    draw(columns, rows, total, &Limits { rows: MAX_ROWS, width: columns_wide, whole: &[] })
}

/// The same with all rows, and with the columns of these places as wide as they need to be: names and ids to be copied. They may make
/// the table wider than the screen.
pub fn render_whole(columns: &[Column], rows: &[Row], whole: &[usize], columns_wide: usize) -> Vec<String> {
    draw(columns, rows, rows.len() as u64, &Limits { rows: rows.len(), width: columns_wide, whole })
}

/// How much of a table is shown.
struct Limits<'a> {
    rows: usize,
    /// Terminal columns.
    width: usize,
    /// Columns that are never cut.
    whole: &'a [usize],
}

fn draw(columns: &[Column], rows: &[Row], total: u64, limits: &Limits<'_>) -> Vec<String> {
    if columns.is_empty() {
        return Vec::new();
    }
    let styles: Vec<Style> = columns.iter().enumerate().map(|(at, column)| style(column, rows, at)).collect();
    let names: Vec<String> = columns.iter().map(|column| printable(&column.name)).collect();
    let shown = &rows[..rows.len().min(limits.rows)];
    let cells: Vec<Vec<String>> = shown
        .iter()
        .map(|row| styles.iter().enumerate().map(|(at, style)| cell(row.get(at).unwrap_or(&Value::Null), *style)).collect())
        .collect();
    let mut widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let most = if limits.whole.contains(&at) { usize::MAX } else { MAX_CELL };
            cells.iter().map(|row| width(&row[at])).fold(width(name), usize::max).clamp(1, most)
        })
        .collect();
    fit(&mut widths, &styles, limits);

    let line = |texts: &[String]| {
        let parts: Vec<String> = widths
            .iter()
            .zip(texts)
            .zip(&styles)
            .map(|((columns, text), style)| pad(&clip(text, *columns), *columns, *style != Style::Text))
            .collect();
        parts.join(GAP).trim_end().to_owned()
    };
    let mut lines = vec![line(&names), widths.iter().map(|columns| "─".repeat(*columns)).collect::<Vec<_>>().join(GAP)];
    lines.extend(cells.iter().map(|row| line(row)));
    let more_rows = total.saturating_sub(shown.len() as u64);
    if total == 0 && shown.is_empty() {
        lines.push("(no rows)".to_owned());
    } else if more_rows > 0 {
        lines.push(format!("… {} more", grouped(&more_rows.to_string())));
    }
    if widths.len() < columns.len() {
        lines.push(format!("… {} more columns: {}", columns.len() - widths.len(), names[widths.len()..].join(", ")));
    }
    lines
}

/// Narrows the widest columns, text before numbers, then leaves out the last ones, until the rest fits.
fn fit(widths: &mut Vec<usize>, styles: &[Style], limits: &Limits<'_>) {
    let needed = |widths: &[usize]| widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
    // What stands before a column that must be there stays too.
    let kept = limits.whole.iter().max().map_or(1, |last| last + 1);
    while needed(widths) > limits.width {
        let widest = (0..widths.len())
            .filter(|at| widths[*at] > MIN_CELL && !limits.whole.contains(at))
            // A cut number misleads, so numbers are cut only when no text can be.
            .max_by_key(|at| (styles[*at] == Style::Text, widths[*at]));
        match widest {
            Some(at) => widths[at] -= 1,
            None if widths.len() > kept => widths.truncate(widths.len() - 1),
            None => return,
        }
    }
}

fn style(column: &Column, rows: &[Row], at: usize) -> Style {
    let values = || rows.iter().filter_map(|row| row.get(at)).filter(|value| !value.is_null());
    let numeric = match column.kind.as_deref() {
        Some(kind) => matches!(kind, "integer" | "number"),
        // SQLite gives no type to an expression: its values tell.
        None => is_numeric_type(&column.type_name) || (values().next().is_some() && values().all(Value::is_number)),
    };
    if !numeric {
        return Style::Text;
    }
    let name = column.name.to_lowercase();
    let is_id = name == "id" || name.ends_with("_id");
    let is_year = (name.contains("year") || name.contains('년') || name.contains("연도"))
        && values().all(|value| value_text(value).parse::<u32>().is_ok_and(|year| (1000..3000).contains(&year)));
    if is_id || is_year { Style::Plain } else { Style::Number }
}

fn is_numeric_type(name: &str) -> bool {
    let name = name.to_lowercase();
    let numeric =
        ["int", "bigint", "smallint", "tinyint", "mediumint", "numeric", "decimal", "number", "real", "double", "float", "serial"];
    // `interval` begins like `int`, and is none.
    !name.starts_with("interval") && numeric.iter().any(|known| name.starts_with(known))
}

fn cell(value: &Value, style: Style) -> String {
    match (value, style) {
        (Value::Null, _) => "null".to_owned(),
        (_, Style::Number) => grouped(&printable(&value_text(value))),
        _ => printable(&value_text(value)),
    }
}

/// A value without JSON's quotes.
fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) if members.contains_key("base64") => "(binary)".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn column(name: &str, type_name: &str) -> Column {
        Column { name: name.to_owned(), type_name: type_name.to_owned(), kind: None }
    }

    fn rows(value: Value) -> Vec<Row> {
        serde_json::from_value(value).expect("rows")
    }

    #[test]
    fn hangul_and_numbers_line_up() {
        let columns = [column("도시", "text"), column("customers", "bigint"), column("평균", "numeric")];
        let lines = render(&columns, &rows(json!([["서울", 1234, "1234567.891234567"], ["New York", 7, null]])), 2, 100);
        assert_eq!(
            lines,
            [
                "도시      customers          평균",
                "────────  ─────────  ────────────",
                "서울          1,234  1,234,567.89",
                "New York          7          null",
            ]
        );
        assert!(lines.iter().all(|line| width(line) == width(&lines[1])), "every line is as wide as the rule");
    }

    #[test]
    fn years_and_ids_are_no_amounts() {
        let columns = [column("order_year", "integer"), column("customer_id", "integer"), column("yearly", "integer")];
        let lines = render(&columns, &rows(json!([[2024, 12345, 45678]])), 1, 100);
        assert_eq!(lines[2], "      2024        12345  45,678");
    }

    #[test]
    fn values_tell_where_the_type_does_not() {
        let columns = [column("SUM(x)", ""), column("name", "")];
        assert_eq!(render(&columns, &rows(json!([[1000, "1000"]])), 1, 100)[2], " 1,000  1000");
        assert!(is_numeric_type("double precision") && is_numeric_type("INT4") && !is_numeric_type("interval"));
    }

    #[test]
    fn a_dozen_rows_are_shown_and_the_rest_is_counted() {
        let all: Vec<Row> = (0..40).map(|n| vec![json!(n)]).collect();
        let lines = render(&[column("n", "int4")], &all, 12_345, 100);
        assert_eq!(lines.len(), 2 + 12 + 1);
        assert_eq!(lines.last().map(String::as_str), Some("… 12,333 more"));
        assert_eq!(render(&[column("n", "int4")], &[], 0, 100).last().map(String::as_str), Some("(no rows)"));
    }

    #[test]
    fn a_table_never_gets_wider_than_the_screen() {
        let columns: Vec<Column> = (0..9).map(|n| column(&format!("열{n}"), "text")).collect();
        let row: Row = (0..9).map(|_| json!("아주 긴 글이 여기에 들어 있습니다")).collect();
        for screen in [100, 60] {
            let lines = render(&columns, std::slice::from_ref(&row), 1, screen);
            assert!(lines[..3].iter().all(|line| width(line) <= screen), "{screen}: {lines:#?}");
            assert!(lines[2].contains('…'));
        }
        let narrow = render(&columns, std::slice::from_ref(&row), 1, 30);
        assert_eq!(narrow.last().map(String::as_str), Some("… 5 more columns: 열4, 열5, 열6, 열7, 열8"));
    }

    #[test]
    fn columns_to_be_copied_are_never_cut() {
        let columns = [column("name", "text"), column("state", "text"), column("id", "text"), column("error", "text")];
        let long = "a-rather-long-name-of-a-connection-that-somebody-gave-it";
        let id = "0193a1f0-0000-7000-8000-000000000000";
        let all = rows(json!([[long, "ready", id, "the database does not answer: connection refused"]]));
        let lines = render_whole(&columns, &all, &[0, 2], 60);
        assert!(lines[2].contains(long) && lines[2].contains(id) && !lines[2].contains("refused"), "{lines:#?}");
        let wide = render_whole(&columns, &all, &[0, 2], 130);
        assert!(wide[2].contains(id) && wide[2].ends_with('…') && width(&wide[2]) <= 130, "{wide:#?}");
    }

    #[test]
    fn numbers_keep_their_digits_while_text_can_be_cut() {
        let columns = [column("amount", "bigint"), column("note", "text")];
        let lines = render(&columns, &rows(json!([[123_456_789_012_i64, "a very long note indeed, it is"]])), 1, 30);
        assert!(lines[2].starts_with("123,456,789,012  ") && lines[2].ends_with('…'), "{lines:#?}");
    }

    #[test]
    fn cells_can_not_drive_the_terminal_and_short_rows_are_filled() {
        let columns = [column("a", "text"), column("b", "text")];
        let lines = render(&columns, &rows(json!([["x\u{1b}[2Jy"], [{"base64": "AAE="}, [1, 2]]])), 2, 100);
        assert!(lines.iter().all(|line| !line.contains('\u{1b}')));
        assert!(lines[2].ends_with("null") && lines[3].starts_with("(binary)") && lines[3].ends_with("[1,2]"));
    }
}
