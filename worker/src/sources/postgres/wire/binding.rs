//! Binds the password exchange to the certificate that the server showed (RFC 5929, `tls-server-end-point`): somebody in the middle who
//! has no certificate of the server's can't pass the exchange on, also where nobody checks certificates.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// 1.2.840.113549.1.1, the signatures of RSA.
const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4, those of elliptic curves.
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

/// The hash of a certificate that both sides know, by the hash function it is signed with. None: its signature names none, and there
/// is no binding.
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    match signature(certificate)? {
        // MD5 and SHA-1 count as SHA-256.
        [rest @ .., 4 | 5 | 11] if rest == RSA => Some(Sha256::digest(certificate).to_vec()),
        [rest @ .., 12] if rest == RSA => Some(Sha384::digest(certificate).to_vec()),
        [rest @ .., 13] if rest == RSA => Some(Sha512::digest(certificate).to_vec()),
        [rest @ .., 1] if rest == ECDSA => Some(Sha256::digest(certificate).to_vec()),
        [rest @ .., 3, 2] if rest == ECDSA => Some(Sha256::digest(certificate).to_vec()),
        [rest @ .., 3, 3] if rest == ECDSA => Some(Sha384::digest(certificate).to_vec()),
        [rest @ .., 3, 4] if rest == ECDSA => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

/// The object identifier of a certificate's signature: `SEQUENCE { what is signed, SEQUENCE { identifier, … }, … }`.
fn signature(certificate: &[u8]) -> Option<&[u8]> {
    let (body, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(body, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    element(algorithm, OBJECT_IDENTIFIER).map(|(identifier, _)| identifier)
}

/// The content of the first element, if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        // So many bytes of length follow.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if *found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};

    use super::*;

    fn hash(pem: &str) -> Option<String> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate in PEM");
        end_point(&certificate).map(hex::encode)
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        // As `openssl x509 -outform der | sha256sum` gives them.
        assert_eq!(
            hash(include_str!("tls/self_signed.pem")).as_deref(),
            Some("485f5628d2582b6d8df0289925a66a82d35445d22b9ebf60a3f5a5795ed1b9bd")
        );
        assert_eq!(
            hash(include_str!("tls/server.pem")).as_deref(),
            Some("4866d90be0cc7393075e4455b869c98f28fd15c492a958aba77117b9e51ee2c742c0e977a8694ed5572b9bcf7325e808")
        );
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        for wrong in [b"".as_slice(), &[SEQUENCE], &[SEQUENCE, 0x84, 0xff], &[SEQUENCE, 0x80], &[SEQUENCE, 4, SEQUENCE, 0, SEQUENCE, 0]] {
            assert_eq!(end_point(wrong), None, "{wrong:?}");
        }
    }
}
