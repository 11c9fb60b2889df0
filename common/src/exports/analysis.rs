//! The analysis of a spreadsheet as a workbook (summary, figures of every column, pictures, assumptions, relations) and as CSV.

use std::fs::File;

use rust_xlsxwriter::{Format, Image, Workbook};
use serde_json::Value;

use super::{
    ExportError,
    cells::{self, Cell, Losses},
    csv,
    result::saved,
    sheet::{self, Sheet},
    words,
};
use crate::{
    analyses::{AnalysedColumn, AnalysedTable, Analysis, Quantiles, TopValue},
    charts::PICTURE_HEIGHT,
    model::{language::Language, results::ColumnKind, workbooks::SheetColumnType},
};

/// Rows of a sheet that a picture covers: they are 20 pixels high.
const PICTURE_ROWS: u32 = PICTURE_HEIGHT / 20 + 3;

/// The workbook: a temporary file without a name, to be read from its beginning. Draws the charts, which takes some ten milliseconds each.
///
/// # Errors
/// [`ExportError`]. A chart that cannot be drawn is left out and logged.
pub fn analysis_xlsx(analysis: &Analysis, language: Language) -> Result<File, ExportError> {
    let mut workbook = sheet::workbook()?;
    let mut losses = Losses::default();
    let names = words::names(language);
    let said = std::iter::once(analysis.summary.as_str()).chain(analysis.insights.iter().map(|insight| insight.text.as_str()));
    let said: Vec<String> = said.filter(|text| !text.is_empty()).map(|text| cells::fitting(text, &mut losses)).collect();
    sentences(&mut workbook, names.summary, &said)?;
    figures(&mut workbook, analysis, language, &mut losses)?;
    pictures(&mut workbook, analysis, language)?;
    assumptions(&mut workbook, analysis, language, &mut losses)?;
    relations(&mut workbook, analysis, language, &mut losses)?;
    sentences(&mut workbook, names.notes, &words::losses(losses, language))?;
    saved(&mut workbook)
}

/// The figures of every column as CSV, a line a column, of UTF-8 without a byte order mark ([`csv::BOM`]).
#[must_use]
pub fn analysis_csv(analysis: &Analysis, language: Language) -> String {
    let mut text = csv::record(figure_names(language).iter().map(|name| (*name).to_owned()));
    for (table, column) in columns(analysis) {
        text.push_str(&csv::record(figures_of(table, column).iter().map(plain)));
    }
    text
}

fn columns(analysis: &Analysis) -> impl Iterator<Item = (&AnalysedTable, &AnalysedColumn)> {
    analysis.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)))
}

/// A figure: of the file's own values, or computed.
enum Figure {
    Own(Value, ColumnKind),
    Text(String),
    Count(u64),
    Computed(Option<f64>),
}

fn figure_names(language: Language) -> [&'static str; 25] {
    match language {
        Language::Korean => [
            "표",
            "시트",
            "범위",
            "행 수",
            "열",
            "이름",
            "유형",
            "빈 값",
            "오류",
            "서로 다른 값",
            "최솟값",
            "최댓값",
            "평균",
            "합계",
            "표준편차",
            "5%",
            "25%",
            "중앙값",
            "75%",
            "95%",
            "이상치 수",
            "이상치 하한",
            "이상치 상한",
            "이상치 셀",
            "자주 나오는 값",
        ],
        Language::English => [
            "table",
            "sheet",
            "range",
            "rows",
            "column",
            "name",
            "type",
            "nulls",
            "errors",
            "distinct",
            "min",
            "max",
            "mean",
            "sum",
            "std_dev",
            "p05",
            "p25",
            "median",
            "p75",
            "p95",
            "outliers",
            "lower_fence",
            "upper_fence",
            "outlier_cells",
            "top_values",
        ],
    }
}

fn figures_of(table: &AnalysedTable, column: &AnalysedColumn) -> [Figure; 25] {
    let text = |text: &str| Figure::Text(text.to_owned());
    let own = |value: &Option<Value>| Figure::Own(value.clone().unwrap_or_default(), kind(column.kind));
    let quantile = |of: fn(&Quantiles) -> f64| Figure::Computed(column.quantiles.as_ref().map(of));
    let outliers = column.outliers.as_ref();
    let cells = outliers.map(|outliers| outliers.examples.iter().map(|outlier| outlier.cell.as_str()).collect::<Vec<_>>().join(" "));
    [
        text(&table.name),
        text(&table.sheet),
        text(&table.range),
        Figure::Count(table.rows),
        text(&column.column),
        text(&column.name),
        text(column.kind.as_str()),
        Figure::Count(column.nulls),
        Figure::Count(column.errors),
        Figure::Count(column.distinct),
        own(&column.min),
        own(&column.max),
        Figure::Computed(column.mean),
        Figure::Computed(column.sum),
        Figure::Computed(column.std_dev),
        quantile(|quantiles| quantiles.p05),
        quantile(|quantiles| quantiles.p25),
        quantile(|quantiles| quantiles.p50),
        quantile(|quantiles| quantiles.p75),
        quantile(|quantiles| quantiles.p95),
        outliers.map_or(Figure::Computed(None), |outliers| Figure::Count(outliers.count)),
        Figure::Computed(outliers.map(|outliers| outliers.low)),
        Figure::Computed(outliers.map(|outliers| outliers.high)),
        Figure::Text(cells.unwrap_or_default()),
        Figure::Text(frequent(&column.top_values)),
    ]
}

fn kind(kind: SheetColumnType) -> ColumnKind {
    match kind {
        SheetColumnType::Integer => ColumnKind::Integer,
        SheetColumnType::Number => ColumnKind::Number,
        SheetColumnType::Date => ColumnKind::Date,
        SheetColumnType::Timestamp => ColumnKind::Timestamp,
        SheetColumnType::Time => ColumnKind::Time,
        SheetColumnType::Boolean => ColumnKind::Boolean,
        SheetColumnType::Text | SheetColumnType::Mixed | SheetColumnType::Empty => ColumnKind::Text,
    }
}

// `서울 (12), 부산 (7)`
fn frequent(values: &[TopValue]) -> String {
    let one = |top: &TopValue| match &top.value {
        Value::String(text) => format!("{text} ({})", top.count),
        other => format!("{other} ({})", top.count),
    };
    values.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn typed(figure: &Figure, losses: &mut Losses) -> Cell {
    match figure {
        Figure::Own(value, kind) => cells::cell(value, *kind, losses),
        Figure::Text(text) if text.is_empty() => Cell::Empty,
        Figure::Text(text) => Cell::Text(cells::fitting(text, losses)),
        Figure::Count(count) => cells::cell(&Value::from(*count), ColumnKind::Integer, losses),
        Figure::Computed(number) => number.filter(|number| number.is_finite()).map_or(Cell::Empty, Cell::Number),
    }
}

fn plain(figure: &Figure) -> String {
    match figure {
        Figure::Own(Value::Null, _) => String::new(),
        Figure::Own(Value::String(text), _) => csv::disarmed(text),
        Figure::Own(value, _) => value.to_string(),
        Figure::Text(text) => csv::disarmed(text),
        Figure::Count(count) => count.to_string(),
        Figure::Computed(number) => number.filter(|number| number.is_finite()).map(|number| number.to_string()).unwrap_or_default(),
    }
}

fn figures(workbook: &mut Workbook, analysis: &Analysis, language: Language, losses: &mut Losses) -> Result<(), ExportError> {
    let mut sheet = Sheet::new(workbook, words::names(language).figures)?;
    sheet.header(figure_names(language).into_iter())?;
    for (table, column) in columns(analysis) {
        if sheet.is_full() {
            break;
        }
        sheet.row(figures_of(table, column).iter().map(|figure| typed(figure, losses)))?;
    }
    sheet.finish(workbook)
}

fn pictures(workbook: &mut Workbook, analysis: &Analysis, language: Language) -> Result<(), ExportError> {
    let mut drawn = Vec::new();
    for (index, analysed) in analysis.charts.iter().enumerate().filter(|(_, analysed)| analysed.chart.has_picture()) {
        match analysed.chart.png() {
            Ok(picture) => drawn.push((analysed, picture)),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, index, "a chart of an analysis can't be drawn"),
        }
    }
    if drawn.is_empty() {
        return Ok(());
    }
    let sheet = workbook.add_worksheet().set_name(words::names(language).charts)?;
    let bold = Format::new().set_bold();
    let mut row = 0;
    for (analysed, picture) in drawn {
        let table = analysis.tables.get(analysed.table).map_or("", |table| table.name.as_str());
        let title = cells::fitting(&format!("{table} · {}", analysed.chart.title), &mut Losses::default());
        sheet.write_string_with_format(row, 0, title, &bold)?;
        sheet.insert_image(row + 1, 0, &Image::new_from_buffer(&picture)?)?;
        row += PICTURE_ROWS;
    }
    Ok(())
}

fn assumptions(workbook: &mut Workbook, analysis: &Analysis, language: Language, losses: &mut Losses) -> Result<(), ExportError> {
    let mut sheet = Sheet::new(workbook, words::names(language).assumptions)?;
    let names = match language {
        Language::Korean => ["표", "시트", "범위", "종류", "설명"],
        Language::English => ["table", "sheet", "range", "kind", "text"],
    };
    sheet.header(names.into_iter())?;
    let of_tables = analysis.tables.iter().flat_map(|table| {
        table.assumptions.iter().map(move |assumption| {
            let range = assumption.range.as_deref().unwrap_or_default();
            [table.name.as_str(), table.sheet.as_str(), range, assumption.kind.as_str(), assumption.text.as_str()]
        })
    });
    let of_sheets = analysis.skipped.iter().map(|skipped| ["", skipped.sheet.as_str(), "", skipped.reason.as_str(), skipped.text.as_str()]);
    let of_file = analysis.notes.iter().map(|note| ["", "", "", "", note.as_str()]);
    for line in of_file.chain(of_sheets).chain(of_tables) {
        if sheet.is_full() {
            break;
        }
        sheet.row(line.iter().map(|text| typed(&Figure::Text((*text).to_owned()), losses)))?;
    }
    sheet.finish(workbook)
}

fn relations(workbook: &mut Workbook, analysis: &Analysis, language: Language, losses: &mut Losses) -> Result<(), ExportError> {
    if analysis.relations.is_empty() {
        return Ok(());
    }
    let mut sheet = Sheet::new(workbook, words::names(language).relations)?;
    let names = match language {
        Language::Korean => ["종류", "표", "열", "다른 표", "다른 열", "정도", "행 수"],
        Language::English => ["kind", "table", "column", "other_table", "other_column", "strength", "rows"],
    };
    sheet.header(names.into_iter())?;
    for relation in &analysis.relations {
        if sheet.is_full() {
            break;
        }
        let text = |text: &str| Figure::Text(text.to_owned());
        let other = |text: &Option<String>| Figure::Text(text.clone().unwrap_or_default());
        let line = [
            text(&relation.kind),
            text(&relation.table),
            text(&relation.column),
            other(&relation.other_table),
            other(&relation.other_column),
            Figure::Computed(relation.strength),
            Figure::Count(relation.rows),
        ];
        sheet.row(line.iter().map(|figure| typed(figure, losses)))?;
    }
    sheet.finish(workbook)
}

// A sentence a row; no sheet of no sentences.
fn sentences(workbook: &mut Workbook, name: &str, sentences: &[String]) -> Result<(), ExportError> {
    if sentences.is_empty() {
        return Ok(());
    }
    let mut sheet = Sheet::new(workbook, name)?;
    for sentence in sentences {
        sheet.sentence(sentence)?;
    }
    sheet.finish(workbook)
}
