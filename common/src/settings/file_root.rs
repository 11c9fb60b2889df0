//! Where files lie: in a folder that all processes share, or in a bucket.

use std::path::PathBuf;

use secrecy::SecretString;

/// What `files.root` and the settings of a bucket say.
#[derive(Clone, Debug)]
pub enum FileRoot {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of S3, or of a server that speaks its protocol.
    Bucket(Bucket),
}

impl FileRoot {
    /// The folder, if it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket(_) => None,
        }
    }
}

/// A bucket and how it is reached.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all paths in it begin with, without a slash at either end; may be empty.
    pub prefix: String,
    /// The address of a server other than AWS's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The key; none: the role of the machine.
    pub key: Option<BucketKey>,
    /// Whether the bucket's name is a part of the path, not of the host.
    pub path_style: bool,
    /// Whether it may be reached without TLS.
    pub allow_http: bool,
}

/// Whose requests they are.
#[derive(Clone, Debug)]
pub struct BucketKey {
    /// The access key's id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

const SCHEME: &str = "s3://";

/// Bucket and prefix of `s3://BUCKET/PREFIX`; none: it is a folder.
///
/// # Errors
/// What is wrong with it.
pub(super) fn bucket_of(text: &str) -> Result<Option<(&str, &str)>, String> {
    let Some(rest) = text.strip_prefix(SCHEME) else {
        let other = text.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains('/'));
        return other.map_or(Ok(None), |_| Err("is a URL of another kind".to_owned()));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_name) || bucket.contains("..") {
        return Err("names no bucket (3 to 63 small letters, digits, - and .)".to_owned());
    }
    let prefix = prefix.trim_end_matches('/');
    let is_part = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=".contains(c))
    };
    if !prefix.is_empty() && !prefix.split('/').all(is_part) {
        return Err("has a prefix with other characters than letters, digits, - _ . = and /".to_owned());
    }
    Ok(Some((bucket, prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_folder_or_a_bucket() {
        for (text, expected) in [
            ("/srv/files", Ok(None)),
            (".datagenie/files", Ok(None)),
            ("s3://books", Ok(Some(("books", "")))),
            ("s3://my.books-2/", Ok(Some(("my.books-2", "")))),
            ("s3://books/data/genie/", Ok(Some(("books", "data/genie")))),
        ] {
            assert_eq!(bucket_of(text), expected, "{text}");
        }
        for wrong in
            ["s3://", "s3://b", "s3://Books", "s3://a..b", "s3://books//x", "s3://books/../x", "s3://books/a b", "gs://books", "http://x/y"]
        {
            assert!(bucket_of(wrong).is_err(), "{wrong}");
        }
    }
}
