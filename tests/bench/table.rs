//! The table that is printed: a line a measure, a column a broker.

use serde_json::Value;

/// The table.
#[derive(Default)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

impl Table {
    /// Begins a column, which all values put from now on belong to.
    pub fn column(&mut self, name: &str) {
        self.columns.push(name.to_owned());
    }

    /// Puts a value of the last column; lines are the same where they have the same label.
    pub fn put(&mut self, label: &str, value: f64) {
        let at = self.rows.iter().position(|(known, _)| known == label).unwrap_or_else(|| {
            self.rows.push((label.to_owned(), Vec::new()));
            self.rows.len() - 1
        });
        let values = &mut self.rows[at].1;
        values.resize(self.columns.len(), None);
        if let Some(last) = values.last_mut() {
            *last = Some(value);
        }
    }

    /// Puts every number of a JSON object, labelled by its keys.
    pub fn put_all(&mut self, label: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| self.put_all(&format!("{label}, {}", key.replace('_', " ")), value))
            }
            Value::Number(number) => self.put(label, number.as_f64().unwrap_or_default()),
            _ => {}
        }
    }

    /// As text.
    pub fn text(&self) -> String {
        let width = self.rows.iter().map(|(label, _)| label.chars().count()).chain([7]).max().unwrap_or_default();
        let cells = |values: &[String]| values.iter().map(|value| format!(" {value:>12}")).collect::<String>();
        let mut lines = vec![format!("{:<width$}{}", "measure", cells(&self.columns))];
        for (label, values) in &self.rows {
            let mut values: Vec<String> = values.iter().map(|value| value.map_or_else(|| "-".to_owned(), number)).collect();
            values.resize(self.columns.len(), "-".to_owned());
            lines.push(format!("{label:<width$}{}", cells(&values)));
        }
        lines.join("\n")
    }
}

// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Writes to standard output.
#[expect(clippy::print_stdout, reason = "a benchmark's table is its output")]
pub fn print(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_in_its_column() {
        let mut table = Table::default();
        table.column("redis");
        table.put("intake", 12_345.6);
        table.column("rabbitmq");
        table.put("intake", 9.0);
        table.put_all("sockets", &serde_json::json!({ "kb_each": 12.3 }));
        let text = table.text();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [vec!["measure", "redis", "rabbitmq"], vec!["intake", "12346", "9.00"], vec!["sockets,", "kb", "each", "-", "12.3"]]
        );
    }
}
