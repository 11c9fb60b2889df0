//! What a server's certificate must prove in each mode: a server of `authority.pem` for db.example.com, one that signed its own for
//! self.example.com.

use std::time::Duration;

use super::*;

const AUTHORITY: &str = include_str!("authority.pem");
const SERVER: &str = include_str!("server.pem");
const SELF_SIGNED: &str = include_str!("self_signed.pem");
/// Within a century in which all of them are valid, and beyond it.
const IN_2033: u64 = 2_000_000_000;
const IN_2159: u64 = 6_000_000_000;

fn accepts(mode: SslMode, roots: Option<&str>, shown: &str, name: &'static str, seconds: u64) -> bool {
    let trust = match mode {
        SslMode::VerifyCa => Some(Trust::new(roots, false).expect("the roots are certificates")),
        SslMode::VerifyFull => Some(Trust::new(roots, true).expect("the roots are certificates")),
        _ => None,
    };
    let verifier = Verifier { trust, algorithms: ring::default_provider().signature_verification_algorithms };
    let shown = CertificateDer::from_pem_slice(shown.as_bytes()).expect("a certificate in PEM");
    let name = ServerName::try_from(name).expect("a host's name");
    verifier.verify_server_cert(&shown, &[], &name, &[], UnixTime::since_unix_epoch(Duration::from_secs(seconds))).is_ok()
}

#[test]
fn the_chain_leads_to_a_trusted_authority() {
    for mode in [SslMode::VerifyCa, SslMode::VerifyFull] {
        assert!(accepts(mode, Some(AUTHORITY), SERVER, "db.example.com", IN_2033), "{mode:?}");
        assert!(!accepts(mode, Some(AUTHORITY), SELF_SIGNED, "self.example.com", IN_2033), "{mode:?}");
        assert!(!accepts(mode, None, SERVER, "db.example.com", IN_2033), "{mode:?}: no public authority knows it");
        assert!(!accepts(mode, Some(AUTHORITY), SERVER, "db.example.com", IN_2159), "{mode:?}: it is too old");
    }
    assert!(accepts(SslMode::Require, None, SELF_SIGNED, "db.example.com", IN_2159), "nothing was asked for");
}

#[test]
fn only_verify_full_looks_at_the_name() {
    assert!(accepts(SslMode::VerifyCa, Some(AUTHORITY), SERVER, "other.example.com", IN_2033));
    assert!(!accepts(SslMode::VerifyFull, Some(AUTHORITY), SERVER, "other.example.com", IN_2033));
    assert!(accepts(SslMode::VerifyFull, Some(AUTHORITY), SERVER, "127.0.0.1", IN_2033), "an address is a name too");
}

#[test]
fn a_server_may_be_trusted_by_its_own_certificate() {
    let roots = format!("{AUTHORITY}{SELF_SIGNED}");
    assert!(accepts(SslMode::VerifyFull, Some(&roots), SELF_SIGNED, "self.example.com", IN_2033));
    assert!(!accepts(SslMode::VerifyFull, Some(&roots), SELF_SIGNED, "db.example.com", IN_2033), "its name still counts");
    assert!(!accepts(SslMode::VerifyCa, Some(&roots), SELF_SIGNED, "self.example.com", IN_2159), "and its time");
    assert!(accepts(SslMode::VerifyCa, Some(SERVER), SERVER, "db.example.com", IN_2033));
}

#[test]
fn roots_that_are_no_certificates_are_refused() {
    let damaged = AUTHORITY.replace('M', "N");
    for wrong in ["", "secret", damaged.as_str()] {
        for mode in [SslMode::Disable, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert!(matches!(Tls::new(mode, Some(wrong)), Err(SourceError::Refused { .. })), "{mode:?} {wrong}");
        }
    }
    assert_eq!(Tls::new(SslMode::Prefer, None).expect("it can be set up").wish, Wish::IfOffered);
    assert_eq!(Tls::new(SslMode::VerifyFull, Some(AUTHORITY)).expect("it can be set up").wish, Wish::Always);
}
