//! How the wire is secured: whether TLS is spoken at all, and what the server's certificate must prove. The provider is named here, so
//! nothing depends on what a program installed as its default.

use std::sync::Arc;

use datagenie_common::model::connections::SslMode;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};

use crate::sources::SourceError;

/// Whether TLS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Never,
    IfOffered,
    Always,
}

/// What a connection's configuration says of TLS.
pub struct Tls {
    pub wish: Wish,
    pub config: Arc<ClientConfig>,
}

impl Tls {
    /// Of a mode, and the authorities that are trusted instead of the public ones.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if `roots` is no PEM of certificates.
    pub fn new(mode: SslMode, roots: Option<&str>) -> Result<Self, SourceError> {
        let wish = match mode {
            SslMode::Disable => Wish::Never,
            SslMode::Prefer => Wish::IfOffered,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Wish::Always,
        };
        let trust = match mode {
            SslMode::Disable | SslMode::Prefer | SslMode::Require => {
                // Read in any mode: a mistake in it shall show before the day when it matters.
                roots.map(|roots| Trust::new(Some(roots), false)).transpose()?;
                None
            }
            SslMode::VerifyCa => Some(Trust::new(roots, false)?),
            SslMode::VerifyFull => Some(Trust::new(roots, true)?),
        };
        let provider = ring::default_provider();
        let verifier = Verifier { trust, algorithms: provider.signature_verification_algorithms };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|_unusable| SourceError::internal("TLS could not be set up"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self { wish, config: Arc::new(config) })
    }
}

/// Whose certificates are trusted.
#[derive(Debug)]
struct Trust {
    roots: RootCertStore,
    /// Certificates that were given: a server that shows one of these itself needs no authority over it.
    given: Vec<CertificateDer<'static>>,
    checks_name: bool,
}

impl Trust {
    fn new(pem: Option<&str>, checks_name: bool) -> Result<Self, SourceError> {
        let Some(pem) = pem else {
            let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            return Ok(Self { roots, given: Vec::new(), checks_name });
        };
        let given: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let given = given.unwrap_or_default();
        let mut roots = RootCertStore::empty();
        let all_fit = given.iter().all(|certificate| roots.add(certificate.clone()).is_ok());
        if given.is_empty() || !all_fit {
            return Err(SourceError::refused("ssl_root_cert must hold certificates in PEM"));
        }
        Ok(Self { roots, given, checks_name })
    }

    fn accepts(
        &self,
        shown: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(shown)?;
        let chain = verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, above, now, algorithms.all);
        match chain {
            // Its own authority, as a self-signed one is: but its time still counts.
            Err(error) if !self.given.iter().any(|given| given.as_ref() == shown.as_ref()) || is_about_time(&error) => return Err(error),
            _ => {}
        }
        if self.checks_name { verify_server_name(&parsed, name) } else { Ok(()) }
    }
}

fn is_about_time(error: &Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(error, Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }))
}

/// Checks certificates as far as the mode says. Without trust the other side only proves that the certificate is its own, which is what
/// binds the password exchange to this wire.
#[derive(Debug)]
struct Verifier {
    trust: Option<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            trust.accepts(end_entity, intermediates, server_name, now, &self.algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
