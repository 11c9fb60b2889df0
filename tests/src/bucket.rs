//! A bucket of one test's own on the S3 of the run, which can be made to be away.

use std::net::SocketAddr;

use datagenie_common::{
    files::Files,
    settings::{Bucket, BucketKey, FileRoot},
};
use datagenie_local::{
    S3,
    with_servers::{S3_URL, TempFolder},
};
use reqwest::Method;
use secrecy::SecretString;

use crate::{builder::TestAppBuilder, client::Client, processes::bin_dir, proxy::Proxy, servers::word};

const KEY_ID: &str = "key-of-the-tests";
const SECRET: &str = "secret-of-the-tests";
const PREFIX: &str = "of/the/tests";

/// The bucket. What the programs of a test do with it goes through the proxy; what the test looks at does not.
pub struct TestBucket {
    /// Between the programs and the server.
    pub proxy: Proxy,
    /// The same files, past the proxy.
    pub files: Files,
    name: String,
    server: Client,
    // Stops with its owner.
    _private: Option<(S3, TempFolder)>,
}

impl TestBucket {
    /// Makes an empty one, on the server that all tests share (`datagenie-local with-servers --s3` names it), or on a private one.
    ///
    /// # Panics
    /// If there is none and none can be started.
    pub async fn make() -> Self {
        let shared = std::env::var(S3_URL).ok().filter(|url| !url.is_empty());
        let (url, private) = match shared {
            Some(url) => (url, None),
            None => {
                let folder = TempFolder::new("s3").expect("a folder for temporary files");
                let server = S3::start(&bin_dir(), folder.path()).await.unwrap_or_else(|error| panic!("{error}"));
                (server.url(), Some((server, folder)))
            }
        };
        let name = format!("datagenie-{}", word());
        let server = Client::anonymous(&url);
        let _ = server.send(server.request(Method::PUT, format!("/{name}"))).await.expect(200);
        let address: SocketAddr = url.trim_start_matches("http://").parse().expect("the URL of the S3 is an address");
        let root = FileRoot::Bucket(Bucket {
            name: name.clone(),
            prefix: PREFIX.to_owned(),
            endpoint: Some(url),
            region: "us-east-1".to_owned(),
            key: Some(BucketKey { id: KEY_ID.to_owned(), secret: SecretString::from(SECRET) }),
            path_style: true,
            allow_http: true,
        });
        let files = Files::open(&root).expect("the bucket's settings are right");
        Self { proxy: Proxy::start(address).await, files, name, server, _private: private }
    }

    /// An app whose files lie in it.
    #[must_use]
    pub fn of(&self, app: TestAppBuilder) -> TestAppBuilder {
        app.with_setting("files.root", format!("s3://{}/{PREFIX}", self.name))
            .with_setting("files.s3_endpoint", format!("http://{}", self.proxy.address()))
            .with_setting("files.s3_key_id", KEY_ID)
            .with_setting("files.s3_secret_key", SECRET)
            .with_setting("files.s3_path_style", "true")
            .with_setting("files.s3_allow_http", "true")
    }

    /// The paths of all objects in it, in order.
    ///
    /// # Panics
    /// If they can't be listed.
    pub async fn objects(&self) -> Vec<String> {
        let mut walk = self.files.walk();
        let mut paths = Vec::new();
        while let Some(found) = walk.recv().await {
            paths.push(found.expect("the bucket is listed").path);
        }
        paths.sort();
        paths
    }

    /// Uploads in parts that were begun, and neither completed nor given up.
    ///
    /// # Panics
    /// If they can't be listed.
    pub async fn unfinished(&self) -> usize {
        let listed = self.server.get(format!("/{}?uploads", self.name), None).await.expect(200);
        listed.text.matches("<UploadId>").count()
    }
}
