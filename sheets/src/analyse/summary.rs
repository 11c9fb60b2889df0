//! What a workbook holds, in a few sentences made of the observations.

use datagenie_common::model::language::Language;

use super::{
    View,
    insights::{Observer, count},
};

/// So many tables are described, the longest ones.
const MAX_TABLES: usize = 3;

/// The sentences.
pub(super) fn summary(view: &View<'_>) -> String {
    let tables = view.longest(MAX_TABLES);
    let several = view.analysed.len() > 1;
    let mut sentences = Vec::new();
    if several {
        sentences.push(all(view));
    }
    for table in tables {
        let Some(observer) = Observer::of(view, table) else { continue };
        if several {
            sentences.push(sized(view, &observer));
        } else {
            sentences.push(view.size(observer.seen.rows, observer.seen.columns.len()));
        }
        sentences.extend(observer.span().map(|insight| insight.text));
        sentences.extend(observer.roles.total().and_then(|measure| observer.total(measure)).map(|insight| insight.text));
        sentences.extend(observer.largest().into_iter().next().map(|insight| insight.text));
    }
    sentences.join(" ")
}

fn all(view: &View<'_>) -> String {
    let (tables, rows) = (count(view.analysed.len() as u64), count(view.analysed.iter().map(|table| table.rows).sum()));
    match view.language {
        Language::Korean => format!("표 {tables}개에 모두 {rows}개 행이 있습니다."),
        Language::English => format!("There are {tables} tables with {rows} rows in all."),
    }
}

fn sized(view: &View<'_>, observer: &Observer<'_>) -> String {
    let (rows, columns, name) = (count(observer.seen.rows), count(observer.seen.columns.len() as u64), &observer.seen.name);
    match view.language {
        Language::Korean => format!("‘{name}’ 표: {rows}개 행, {columns}개 열."),
        Language::English => {
            let (row, column) =
                (if observer.seen.rows == 1 { "row" } else { "rows" }, if observer.seen.columns.len() == 1 { "column" } else { "columns" });
            format!("Table “{name}”: {rows} {row}, {columns} {column}.")
        }
    }
}
