//! Some rows of a table as text. MySQL has no way to pick rows from all over a table, so they are the first ones. Bytes, which would say
//! nothing as text, are left out.

use futures::FutureExt as _;
use mysql_async::{Conn, Error, Row, prelude::Queryable as _};

use super::{cells, connect::Sessions, server::Bounds, session::GRACE, types};
use crate::sources::{Sample, SampledRow, SourceError, sql_text::quote_in_backticks};

/// Reads a sample.
pub(super) async fn read(sessions: &Sessions, sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError> {
    if sample.columns.is_empty() || sample.rows == 0 {
        return Ok(Vec::new());
    }
    let session = sessions.begin_to_look(&Bounds::look(sample.time)).await?;
    let asked = Asked::new(sample);
    session.look(sample.time + GRACE, move |conn| asked.rows(conn).boxed()).await
}

/// What is asked for, without what borrows from the caller.
struct Asked {
    columns: Vec<String>,
    from: String,
    rows: usize,
    chars: usize,
}

impl Asked {
    fn new(sample: &Sample<'_>) -> Self {
        Self {
            columns: sample.columns.iter().map(|column| quote_in_backticks(column)).collect(),
            from: format!("{}.{}", quote_in_backticks(sample.schema), quote_in_backticks(sample.table)),
            rows: sample.rows,
            chars: sample.chars,
        }
    }

    /// Of catalogue names only, each of them quoted, and prepared all the same: whatever a name holds, it is one statement.
    async fn rows(self, conn: &mut Conn) -> Result<Vec<SampledRow>, Error> {
        let described = conn.prep(format!("SELECT {} FROM {} LIMIT 0", self.columns.join(", "), self.from)).await?;
        let definitions = described.columns();
        let texts = self.columns.iter().zip(definitions.iter()).map(|(column, definition)| self.text(column, definition));
        let sql = format!("SELECT {} FROM {} LIMIT {}", texts.collect::<Vec<_>>().join(", "), self.from, self.rows);
        let rows: Vec<Row> = conn.exec(sql, ()).await?;
        Ok(rows.iter().map(|row| (0..self.columns.len()).map(|place| cells::text(row, place)).collect()).collect())
    }

    /// A column as text, cut on the server: a long value costs little on the wire.
    fn text(&self, column: &str, definition: &mysql_async::Column) -> String {
        if types::is_binary(definition) {
            return "NULL".to_owned();
        }
        let number = if types::is_bits(definition) { " + 0" } else { "" };
        format!("LEFT(CAST({column}{number} AS CHAR), {})", self.chars)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mysql_async::consts::ColumnType;

    use super::*;

    #[test]
    fn names_are_quoted_and_values_cut() {
        let columns = ["status".to_owned(), "a`b".to_owned()];
        let time = Duration::from_secs(1);
        let sample = Sample { schema: "shop", table: "or`ders", columns: &columns, row_estimate: None, rows: 10, chars: 60, time };
        let asked = Asked::new(&sample);
        assert_eq!((asked.from.as_str(), asked.columns[1].as_str()), ("`shop`.`or``ders`", "`a``b`"));
        let of = |column_type, character_set| mysql_async::Column::new(column_type).with_character_set(character_set);
        assert_eq!(asked.text("`c`", &of(ColumnType::MYSQL_TYPE_VAR_STRING, 45)), "LEFT(CAST(`c` AS CHAR), 60)");
        assert_eq!(asked.text("`c`", &of(ColumnType::MYSQL_TYPE_BIT, 63)), "LEFT(CAST(`c` + 0 AS CHAR), 60)");
        assert_eq!(asked.text("`c`", &of(ColumnType::MYSQL_TYPE_BLOB, 63)), "NULL");
    }
}
