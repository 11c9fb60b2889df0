//! Codes, and what is told of what.

use super::*;

#[test]
fn codes_are_words_of_their_own_and_only_errors() {
    let mut words: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Code::ALL.len());
    assert!(Code::ALL.iter().all(|code| code.status().as_u16() >= 400));
}

#[test]
fn an_answer_is_short_however_much_was_sent() {
    let long = format!("unknown field `{}`, expected `question`", "가".repeat(100_000));
    let errors = vec![FieldError { field: long.clone(), message: long.clone(), ..FieldError::default() }];
    let problem = Problem::of(Code::InvalidRequest, long, errors, None);
    assert!(problem.detail.starts_with("unknown field `가") && problem.detail.ends_with("`, expected `question`"), "{}", problem.detail);
    let lengths = [problem.detail.len(), problem.errors[0].message.len(), problem.errors[0].field.len()];
    assert!(lengths.iter().zip([4_010, 1_010, 210]).all(|(&length, most)| length < most), "{lengths:?}");
    let short = Problem::of(Code::InvalidRequest, "a short one".to_owned(), Vec::new(), None);
    assert_eq!(short.detail, "a short one");
}

#[test]
fn a_full_disk_is_told_and_anything_else_of_files_is_not() {
    let failed = |kind: std::io::ErrorKind| FilesError::Root { folder: "/srv/files".to_owned(), source: kind.into() };
    let full = ApiError::from(failed(std::io::ErrorKind::StorageFull));
    assert_eq!((full.code, full.code.status().as_u16(), full.retry_after.is_some()), (Code::StorageFull, 507, true));
    let broken = ApiError::from(failed(std::io::ErrorKind::PermissionDenied));
    assert_eq!(broken.code, Code::Internal);
    assert!(!full.detail.contains("/srv") && !broken.detail.contains("/srv"));
}
