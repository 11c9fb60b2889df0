//! How the wire is secured: libpq's words as options of the driver, and what went wrong with a handshake in words of ours.

use datagenie_common::model::connections::{ServerConfig, SslMode};
use mysql_async::{SslOpts, TlsError};
use rustls::{
    CertificateError, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::sources::SourceError;

/// The host name that is asked for under `verify-ca`, where none matters. The driver forgives a wrong name only if the words of the error
/// hold `NotValidForName`, which those of this rustls no longer do; they repeat the name that was asked for, though, and a name is looked
/// at only once the chain was found good. So a certificate of a trusted authority passes whatever its names, and no other one does.
const ANY_HOST: &str = "NotValidForName.invalid";

/// The driver's options; none: plain text.
///
/// # Errors
/// [`SourceError::Tls`] if the given certificates can't be read.
pub(super) fn options(config: &ServerConfig) -> Result<Option<SslOpts>, SourceError> {
    // Read in any mode: a mistake in it shall show before the day when it matters.
    let roots = config.ssl_root_cert.as_deref().map(checked).transpose()?;
    let trusting = match roots {
        Some(pem) => SslOpts::default().with_root_certs(vec![pem.into()]).with_disable_built_in_roots(true),
        None => SslOpts::default(),
    };
    Ok(match config.effective_ssl_mode() {
        SslMode::Disable => None,
        SslMode::Prefer | SslMode::Require => Some(SslOpts::default().with_danger_accept_invalid_certs(true)),
        SslMode::VerifyCa => Some(trusting.with_danger_skip_domain_validation(true).with_danger_tls_hostname_override(Some(ANY_HOST))),
        SslMode::VerifyFull => Some(trusting),
    })
}

fn checked(pem: &str) -> Result<Vec<u8>, SourceError> {
    let unreadable = || SourceError::Tls { reason: "ssl_root_cert holds no certificates in PEM".to_owned() };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        store.add(certificate.map_err(|_| unreadable())?).map_err(|_| unreadable())?;
    }
    if store.is_empty() { Err(unreadable()) } else { Ok(pem.as_bytes().to_vec()) }
}

/// What rustls did not like about the handshake.
pub(super) fn refused(error: &rustls::Error) -> SourceError {
    let reason = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the server's certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "the server's certificate is not valid yet",
            CertificateError::UnknownIssuer => "the server's certificate is signed by an authority that is not trusted",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another host name"
            }
            _ => "the server's certificate is not accepted: it must be one for servers, of X.509's version 3",
        },
        rustls::Error::PeerIncompatible(_) => "the server offers no version of TLS, or no cipher, that is accepted",
        rustls::Error::AlertReceived(_) => "the server broke the handshake off",
        _ => "the handshake failed",
    };
    SourceError::Tls { reason: reason.to_owned() }
}

/// What kept the driver from a handshake.
pub(super) fn failed(error: &TlsError) -> SourceError {
    match error {
        TlsError::Tls(error) => refused(error),
        TlsError::InvalidDnsName(_) => SourceError::Tls { reason: "the host is no name that a certificate could have".to_owned() },
        TlsError::Pem(_) | TlsError::VerifierBuilderError(_) => {
            SourceError::Tls { reason: "the certificates of the trusted authorities can't be used".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBejCCASGgAwIBAgIUP/y4knGDEY+y785a60CiGaZRKikwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHdGVzdCBDQTAgFw0yNjExMjkwMTU2MzZaGA8yMTI2MTEwNTAx
NTYzNlowEjEQMA4GA1UEAwwHdGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABBbQEf17rkyiIw9yzgIveqXJBFipyH94uCIYLxy3OPZzKtGaHHku3ijeWT3h
VYED9BiWZGRQXp5a8sRUUajeq7GjUzBRMB0GA1UdDgQWBBQEh5vrCp97LKG9NRxk
shokhbHbozAfBgNVHSMEGDAWgBQEh5vrCp97LKG9NRxkshokhbHbozAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIGezJz44tbDApF8x1wvJa6jUrUsQ
OkhJivhBzQ7uGsgJAiBxgot9HzsBEUX9xn6Nm2fj3Wnrx8kbwYIVdGvBIiWung==
-----END CERTIFICATE-----
";

    fn config(host: &str, mode: Option<SslMode>, pem: Option<&str>) -> ServerConfig {
        ServerConfig {
            host: host.to_owned(),
            port: 3306,
            database: "shop".to_owned(),
            username: "reader".to_owned(),
            password: SecretString::from("secret"),
            ssl_mode: mode,
            ssl_root_cert: pem.map(str::to_owned),
            pool_size: None,
            max_overflow: None,
        }
    }

    fn of(mode: SslMode, pem: Option<&str>) -> Option<SslOpts> {
        options(&config("db.example.com", Some(mode), pem)).expect("the certificates are good")
    }

    #[test]
    fn each_mode_checks_what_it_says() {
        assert_eq!(of(SslMode::Disable, None), None);
        for mode in [SslMode::Prefer, SslMode::Require] {
            assert!(of(mode, Some(CA)).is_some_and(|options| options.accept_invalid_certs()));
        }
        let ca = of(SslMode::VerifyCa, Some(CA)).expect("it is secured");
        assert!(!ca.accept_invalid_certs() && ca.skip_domain_validation() && ca.disable_built_in_roots());
        let full = of(SslMode::VerifyFull, Some(CA)).expect("it is secured");
        assert!(!full.accept_invalid_certs() && !full.skip_domain_validation());
        assert_eq!((full.tls_hostname_override(), full.root_certs().len()), (None, 1));
        let public = of(SslMode::VerifyFull, None).expect("it is secured");
        assert!(!public.disable_built_in_roots() && public.root_certs().is_empty());
        assert!(options(&config("10.0.0.5", None, None)).expect("no certificates").is_some(), "TLS is required by default");
    }

    #[test]
    fn bad_certificates_are_refused_in_any_mode() {
        let cut = &CA[..CA.len() / 2];
        for pem in ["", "not PEM", cut, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            for mode in [SslMode::Disable, SslMode::VerifyFull] {
                let refused = options(&config("localhost", Some(mode), Some(pem)));
                assert!(matches!(refused, Err(SourceError::Tls { .. })), "{pem}");
            }
        }
    }

    #[test]
    fn a_forgiven_name_is_still_in_the_words_that_the_driver_looks_at() {
        let error = rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: rustls::pki_types::ServerName::try_from(ANY_HOST).expect("it is a name"),
            presented: Vec::new(),
        });
        assert!(error.to_string().contains("NotValidForName"), "{error}");
        assert!(matches!(refused(&error), SourceError::Tls { reason } if reason.contains("another host name")));
    }
}
