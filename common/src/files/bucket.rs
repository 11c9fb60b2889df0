//! Files in a bucket of S3, or of a server that speaks its protocol.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, Error as StorageError, ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    prefix::PrefixStore,
};
use secrecy::ExposeSecret;

use super::FilesError;
use crate::settings::Bucket;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long nothing may come of a request. A whole one has no limit: a result may be read for as long as its client reads.
const SILENCE: Duration = Duration::from_secs(20);
/// A request that fails is tried again so often, and so long: who waits for it waits no longer.
const RETRIES: usize = 3;
const RETRYING: Duration = Duration::from_secs(10);

/// Opens a bucket. Nothing is asked of it yet.
pub(super) fn open(bucket: &Bucket) -> Result<Arc<dyn ObjectStore>, FilesError> {
    // Every TLS of the process is ring's; a second call is of no account.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store = client(bucket).map_err(FilesError::Bucket)?;
    Ok(match bucket.prefix.as_str() {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}

fn client(bucket: &Bucket) -> Result<AmazonS3, StorageError> {
    let options = ClientOptions::new()
        .with_allow_http(bucket.allow_http)
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        .with_timeout_disabled();
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_virtual_hosted_style_request(!bucket.path_style)
        // One object a request: not every server knows the call for many.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRYING })
        .with_client_options(options);
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(host_of(bucket, endpoint));
    }
    if let Some(key) = &bucket.key {
        builder = builder.with_access_key_id(&key.id).with_secret_access_key(key.secret.expose_secret());
    }
    builder.build()
}

/// The address that requests go to: in the virtual-hosted style the bucket is a part of it.
fn host_of(bucket: &Bucket, endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, host)) if !bucket.path_style => format!("{scheme}://{}.{host}", bucket.name),
        _ => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::{
        files::Files,
        settings::{BucketKey, FileRoot},
    };

    fn bucket(path_style: bool) -> Bucket {
        Bucket {
            name: "books".to_owned(),
            prefix: "of/tests".to_owned(),
            endpoint: Some("https://minio.example:9000/".to_owned()),
            region: "us-east-1".to_owned(),
            key: Some(BucketKey { id: "id".to_owned(), secret: SecretString::from("the secret of the tests") }),
            path_style,
            allow_http: false,
        }
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        assert_eq!(host_of(&bucket(true), "https://minio.example:9000/"), "https://minio.example:9000");
        assert_eq!(host_of(&bucket(false), "https://minio.example:9000/"), "https://books.minio.example:9000");
    }

    #[test]
    fn no_debug_shows_the_secret() {
        let root = FileRoot::Bucket(bucket(true));
        let files = Files::open(&root).expect("nothing is asked of it");
        assert!(!format!("{root:?} {files:?} {:?}", open(&bucket(false))).contains("the secret"));
    }
}
