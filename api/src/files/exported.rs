//! An analysis as a file: JSON, CSV and xlsx.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    analyses::Analysis,
    exports::{CSV_TYPE, ExportError, XLSX_TYPE, analysis_csv, analysis_xlsx, csv},
    model::language::Language,
    word_enum,
};
use tokio::sync::Semaphore;

use super::{names, stored::Stored};
use crate::{
    error::{ApiError, Result},
    questions::sent,
};

word_enum! {
    /// The form of an analysis.
    pub enum Format {
        /// As it is shown.
        Json = "json",
        /// The figures of every column, a line a column.
        Csv = "csv",
        /// A workbook with figures and pictures.
        Xlsx = "xlsx",
    }
}

/// Analyses written at once by this process: each takes a core. The others wait.
static WRITERS: Semaphore = Semaphore::const_new(2);

enum Made {
    Text(String),
    File(std::fs::File),
}

/// The analysis of a file as CSV (with a byte order mark if one is wanted) or xlsx, called after it.
///
/// # Errors
/// 507 if the disk is full, 500 if the analysis can't be read.
pub(super) async fn exported(found: Stored, file: &str, format: Format, bom: bool, language: Language) -> Result<Response> {
    let _turn = WRITERS.acquire().await.map_err(|error| ApiError::internal(&error))?;
    let making = tokio::task::spawn_blocking(move || make(&found, format, bom, language));
    let made = making.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::of_files(&error))?;
    let (ending, content_type) = match format {
        Format::Xlsx => ("analysis.xlsx", XLSX_TYPE),
        Format::Json | Format::Csv => ("analysis.csv", CSV_TYPE),
    };
    let name = names::attachment(file, ending);
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type)), (header::CONTENT_DISPOSITION, name)];
    Ok(match made {
        Made::Text(text) => (headers, text).into_response(),
        Made::File(file) => (headers, sent(file)?).into_response(),
    })
}

fn make(found: &Stored, format: Format, bom: bool, language: Language) -> std::result::Result<Made, ExportError> {
    let text = serde_json::to_vec(found).map_err(std::io::Error::from)?;
    let analysis: Analysis = serde_json::from_slice(&text).map_err(std::io::Error::from)?;
    drop(text);
    Ok(match format {
        Format::Xlsx => Made::File(analysis_xlsx(&analysis, language)?),
        Format::Json | Format::Csv => Made::Text(format!("{}{}", if bom { csv::BOM } else { "" }, analysis_csv(&analysis, language))),
    })
}
