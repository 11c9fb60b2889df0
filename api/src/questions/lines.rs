//! The stored rows of a result, read as they are needed.

use axum::body::Bytes;
use datagenie_common::{
    files::{FilesError, ObjectPath},
    store::answers::{Rows, RowsFile},
};
use futures::{Stream, StreamExt, stream};

use super::result::gone;
use crate::{
    app::App,
    error::{ApiError, Result},
};

/// Lines that came together, each a row as a JSON array.
pub type Batches = std::pin::Pin<Box<dyn Stream<Item = Result<Vec<Bytes>>> + Send>>;

type Chunks = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// The lines of a result from a row on.
///
/// # Errors
/// 410 where its file is gone.
pub async fn of(app: &App, rows: Rows, first: u64) -> Result<Batches> {
    let (chunks, skip): (Chunks, u64) = match rows {
        Rows::Inline(bytes) => (stream::once(async move { Ok(Bytes::from(bytes)) }).boxed(), first),
        Rows::File(file) => {
            let (offset, at) = nearest(&file, first);
            let path: ObjectPath = file.path.parse().map_err(|_| gone())?;
            let chunks = app.files.stream_from(path, offset).await.map_err(|error| match error {
                FilesError::NotFound(path) => {
                    tracing::error!(%path, "a result's file is gone");
                    gone()
                }
                error => error.into(),
            })?;
            (chunks.map(|chunk| chunk.map(Bytes::from).map_err(ApiError::from)).boxed(), first - at)
        }
    };
    Ok(skipped(split(chunks), usize::try_from(skip).unwrap_or(usize::MAX)))
}

// Where to begin reading for a row, and which row lies there.
fn nearest(file: &RowsFile, first: u64) -> (u64, u64) {
    let stride = file.stride.max(1);
    let index = usize::try_from(first / stride).unwrap_or(usize::MAX).min(file.offsets.len().saturating_sub(1));
    (file.offsets.get(index).copied().unwrap_or_default(), index as u64 * stride)
}

fn skipped(batches: Batches, mut skip: usize) -> Batches {
    batches
        .map(move |batch| {
            batch.map(|mut lines| {
                let gone = skip.min(lines.len());
                skip -= gone;
                lines.drain(..gone);
                lines
            })
        })
        .boxed()
}

// Whole lines of each chunk; what follows the last line's end waits for the next chunk.
fn split(chunks: Chunks) -> Batches {
    let mut begun: Vec<u8> = Vec::new();
    chunks
        .map(move |chunk| {
            let chunk = chunk?;
            let mut lines = Vec::new();
            let mut start = 0;
            for (end, _) in chunk.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                let line = chunk.slice(start..end);
                if begun.is_empty() {
                    lines.push(line);
                } else {
                    begun.extend_from_slice(&line);
                    lines.push(Bytes::from(std::mem::take(&mut begun)));
                }
                start = end + 1;
            }
            begun.extend_from_slice(&chunk[start..]);
            Ok(lines)
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_begins_at_the_nearest_offset() {
        let file = RowsFile { path: String::new(), bytes: 100, offsets: vec![0, 40, 80], stride: 10 };
        assert_eq!(nearest(&file, 0), (0, 0));
        assert_eq!(nearest(&file, 19), (40, 10));
        assert_eq!(nearest(&file, 500), (80, 20));
    }

    #[tokio::test]
    async fn lines_come_whole_whatever_the_chunks_are() {
        for (skip, expected) in [(0, &["[1]", "[2]", "[3]"][..]), (2, &["[3]"]), (9, &[])] {
            let chunks = ["[1", "]\n[2]\n[", "3]", "\n"].map(|text| Ok(Bytes::from_static(text.as_bytes())));
            let found: Vec<Vec<Bytes>> =
                skipped(split(stream::iter(chunks).boxed()), skip).map(|lines| lines.expect("lines")).collect().await;
            assert_eq!(found.concat(), expected, "after {skip}");
        }
    }
}
