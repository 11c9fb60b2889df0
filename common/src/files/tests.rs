//! Writing, reading and deleting in a folder of its own.

use std::path::PathBuf;

use uuid::Uuid;

use super::*;
use crate::ids::{JobId, LeaseId, QuestionId};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("datagenie-files-{}", Uuid::new_v4())))
    }

    fn open(&self) -> Files {
        Files::in_folder(&self.0).expect("a folder")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn rows(job: JobId) -> ObjectPath {
    ObjectPath::Rows { job, lease: LeaseId::new() }
}

#[tokio::test]
async fn what_is_put_is_read_whole_and_in_part() {
    let folder = Folder::new();
    let files = folder.open();
    let path = rows(JobId::new());
    files.put_bytes(path, b"0123456789".to_vec()).await.expect("writes");
    assert_eq!(files.get_bytes(path).await.expect("reads"), b"0123456789");
    assert_eq!(files.size(path).await.expect("is there"), 10);
    assert_eq!(files.get_range(path, 2..5).await.expect("reads"), b"234");
    assert_eq!(files.get_range(path, 8..99).await.expect("reads"), b"89");
    assert!(files.get_range(path, 10..99).await.expect("reads").is_empty());
    let pieces: Vec<Vec<u8>> = files.stream(path).await.expect("is there").try_collect().await.expect("reads");
    assert_eq!(pieces.concat(), b"0123456789");
    let again = Files::in_folder(&folder.0).expect("opens again");
    assert_eq!(again.get_bytes(path).await.expect("is still there"), b"0123456789");
}

#[tokio::test]
async fn a_large_object_is_written_in_pieces() {
    let folder = Folder::new();
    let files = folder.open();
    let path = rows(JobId::new());
    let piece = vec![b'x'; 700_000];
    let mut writer = files.writer(path);
    for _ in 0..5 {
        writer.write(piece.clone()).await.expect("writes");
    }
    assert_eq!(writer.written(), 3_500_000);
    assert!(matches!(files.size(path).await, Err(FilesError::NotFound(_))), "it appears when it is complete");
    assert_eq!(writer.finish().await.expect("completes"), 3_500_000);
    assert_eq!(files.get_bytes(path).await.expect("reads"), piece.repeat(5));
}

#[tokio::test]
async fn small_and_empty_objects_can_be_streamed_too() {
    let folder = Folder::new();
    let files = folder.open();
    let (small, empty) = (rows(JobId::new()), rows(JobId::new()));
    let mut writer = files.writer(small);
    writer.write(b"[1]\n".to_vec()).await.expect("writes");
    assert_eq!(writer.finish().await.expect("completes"), 4);
    assert_eq!(files.get_bytes(small).await.expect("reads"), b"[1]\n");
    assert_eq!(files.writer(empty).finish().await.expect("completes"), 0);
    assert!(files.get_bytes(empty).await.expect("reads").is_empty());
}

#[tokio::test]
async fn what_is_given_up_never_appears() {
    let folder = Folder::new();
    let files = folder.open();
    let path = rows(JobId::new());
    let mut writer = files.writer(path);
    writer.write(vec![b'x'; 3_000_000]).await.expect("writes");
    writer.abort().await.expect("gives up");
    assert!(matches!(files.get_bytes(path).await, Err(FilesError::NotFound(found)) if found == path));
}

#[tokio::test]
async fn deleting_a_folder_leaves_its_neighbours() {
    let folder = Folder::new();
    let files = folder.open();
    let (job, other) = (JobId::new(), JobId::new());
    let (first, second, kept) = (rows(job), rows(job), rows(other));
    for path in [first, second, kept] {
        files.put_bytes(path, b"x".to_vec()).await.expect("writes");
    }
    assert_eq!(files.delete_prefix(ObjectPrefix::Job(job)).await.expect("deletes"), 2);
    assert_eq!(files.delete_prefix(ObjectPrefix::Job(job)).await.expect("finds none"), 0);
    assert!(matches!(files.get_bytes(first).await, Err(FilesError::NotFound(_))));
    assert!(files.delete(kept).await.expect("deletes"));
    assert!(!files.delete(kept).await.expect("finds none"));
}

#[test]
fn paths_are_read_back_and_nothing_else_is() {
    let (job, question) = (JobId::new(), QuestionId::new());
    for path in [rows(job), ObjectPath::ChartSvg { question, job }, ObjectPath::ChartPng { question, job }] {
        assert_eq!(path.to_string().parse::<ObjectPath>().expect("a path"), path);
    }
    let upper = ObjectPath::ChartSvg { question, job }.to_string().to_uppercase();
    let gif = format!("charts/{question}/{job}.gif");
    let rooted = format!("/charts/{question}/{job}.svg");
    for text in ["", "results", "results/../../etc/passwd", gif.as_str(), rooted.as_str(), upper.as_str()] {
        assert!(matches!(text.parse::<ObjectPath>(), Err(FilesError::NotAPath)), "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = Folder::new();
    std::fs::write(&folder.0, b"a file in its place").expect("writes");
    let error = Files::in_folder(&folder.0.join("below")).expect_err("no folder");
    assert!(matches!(error, FilesError::Root { .. }));
    std::fs::remove_file(&folder.0).expect("removes");
}
