//! Opaque tokens: `dgs_{session id}_{secret}` for a session and `dg_{prefix}_{secret}` for an API key.
//!
//! Only the SHA-256 of the whole token is stored; the id or prefix finds the row. A secret is 32 random bytes, so a plain hash is enough.
//! Parts are cut at fixed lengths, because the secret's alphabet holds `_`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids::SessionId;

/// No token is longer; longer input is refused unread.
pub const MAX_TOKEN_BYTES: usize = 128;
/// Characters of an API key's prefix, each of `[a-z0-9]`.
pub const PREFIX_CHARS: usize = 12;

const SESSION_START: &str = "dgs_";
const KEY_START: &str = "dg_";
const SESSION_ID_CHARS: usize = 22;
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;
const PREFIX_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A new session token. The token is shown to its user once; the hash is stored.
#[derive(Debug)]
pub struct MintedSession {
    /// What the user keeps.
    pub token: SecretString,
    /// Lower-case hex SHA-256 of the token.
    pub hash: String,
}

/// A new API key. The key is shown to its user once; prefix and hash are stored.
#[derive(Debug)]
pub struct MintedApiKey {
    /// The public part, by which the row is found and the key recognised in lists.
    pub prefix: String,
    /// What the user keeps.
    pub key: SecretString,
    /// Lower-case hex SHA-256 of the key.
    pub hash: String,
}

/// A well-formed token as a caller presented it; whether it is known and valid is the store's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresentedToken<'a> {
    /// Of a login session.
    Session {
        /// Which session it claims to be.
        id: SessionId,
        /// Lower-case hex SHA-256 of the whole token.
        hash: String,
    },
    /// An API key.
    ApiKey {
        /// Which key it claims to be.
        prefix: &'a str,
        /// Lower-case hex SHA-256 of the whole key.
        hash: String,
    },
}

/// Mints the token of a session.
#[must_use]
pub fn mint_session(id: SessionId) -> MintedSession {
    let secret = random_secret();
    let token = Zeroizing::new(format!("{SESSION_START}{}_{}", URL_SAFE_NO_PAD.encode(id.0.as_bytes()), secret.as_str()));
    MintedSession { hash: hash_of(&token), token: SecretString::from(token.as_str()) }
}

/// Mints an API key with a random prefix. Prefixes may collide (one in 10^18); the store's unique index says so.
#[must_use]
pub fn mint_api_key() -> MintedApiKey {
    let prefix: String = (0..PREFIX_CHARS).map(|_| char::from(PREFIX_ALPHABET[rand::random_range(0..PREFIX_ALPHABET.len())])).collect();
    let secret = random_secret();
    let key = Zeroizing::new(format!("{KEY_START}{prefix}_{}", secret.as_str()));
    MintedApiKey { hash: hash_of(&key), key: SecretString::from(key.as_str()), prefix }
}

/// Reads a presented token; none if it has neither form. What is refused is refused without a copy or a hash of it.
#[must_use]
pub fn parse(text: &str) -> Option<PresentedToken<'_>> {
    if text.len() > MAX_TOKEN_BYTES || !text.is_ascii() {
        return None;
    }
    if let Some(rest) = text.strip_prefix(SESSION_START) {
        let id = SessionId(session_uuid(cut(rest, SESSION_ID_CHARS)?)?);
        return Some(PresentedToken::Session { id, hash: hash_of(text) });
    }
    let prefix = cut(text.strip_prefix(KEY_START)?, PREFIX_CHARS)?;
    let known = prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    known.then(|| PresentedToken::ApiKey { prefix, hash: hash_of(text) })
}

/// The lower-case hex SHA-256 of a whole token, as stored.
#[must_use]
pub fn hash_of(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Whether two hashes are equal, in a time that tells nothing of where they differ.
#[must_use]
pub fn same_hash(left: &str, right: &str) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let difference = left.bytes().zip(right.bytes()).fold(0_u8, |all, (l, r)| std::hint::black_box(all | (l ^ r)));
    difference == 0
}

/// The first `length` characters of ASCII `rest`, if exactly `_` and a secret follow.
fn cut(rest: &str, length: usize) -> Option<&str> {
    let (head, tail) = rest.split_at_checked(length)?;
    let secret = tail.strip_prefix('_')?;
    let well_formed = secret.len() == SECRET_CHARS && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    well_formed.then_some(head)
}

fn session_uuid(text: &str) -> Option<Uuid> {
    let mut bytes = [0_u8; 18];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    Uuid::from_slice(bytes.get(..length)?).ok()
}

fn random_secret() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
    rand::fill(&mut bytes[..]);
    Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_session_token_is_read_back() {
        let id = SessionId(Uuid::from_u128(0xfbff_ffff_ffff_7fff_bfff_ffff_ffff_ffff));
        let minted = mint_session(id);
        let token = minted.token.expose_secret();
        assert_eq!(token.len(), 70);
        assert_eq!(parse(token), Some(PresentedToken::Session { id, hash: minted.hash.clone() }));
        assert_eq!(minted.hash.len(), 64);
    }

    #[test]
    fn an_api_key_is_read_back() {
        let minted = mint_api_key();
        let key = minted.key.expose_secret();
        assert_eq!(key.len(), 59);
        assert_eq!(parse(key), Some(PresentedToken::ApiKey { prefix: &minted.prefix, hash: minted.hash.clone() }));
        assert_ne!(mint_api_key().prefix, minted.prefix);
    }

    #[test]
    fn secrets_may_hold_underscores_and_hyphens() {
        let key = format!("dg_abcdefghij01_{}", "_-".repeat(21) + "_");
        assert!(matches!(parse(&key), Some(PresentedToken::ApiKey { prefix: "abcdefghij01", .. })));
    }

    #[test]
    fn anything_else_is_refused() {
        let secret = "A".repeat(43);
        for text in [
            String::new(),
            "dg_".to_owned(),
            "dgs_".to_owned(),
            format!("dg_abcdefghij0_{secret}"),
            format!("dg_ABCDEFGHIJ01_{secret}"),
            format!("dg_abcdefghij01-{secret}"),
            format!("dg_abcdefghij01_{secret}A"),
            format!("dg_abcdefghij01_{}", &secret[1..]),
            format!("dg_abcdefghij01_{}=", &secret[1..]),
            format!("dg_abcdefghij01_{} ", &secret[1..]),
            format!("dgs_{}_{secret}", "A".repeat(21)),
            format!("dgs_{}_{secret}", "A".repeat(21) + "."),
            format!("dgs_{}_{secret}", "A".repeat(21) + "B"),
            format!("dgx_{}_{secret}", "A".repeat(22)),
            format!("dg_가나다라_{secret}"),
            "x".repeat(MAX_TOKEN_BYTES + 1),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
    }

    #[test]
    fn hashes_compare() {
        let hash = hash_of("token");
        assert!(same_hash(&hash, &hash));
        assert!(!same_hash(&hash, &hash_of("tokem")));
        assert!(!same_hash(&hash, &hash[1..]));
    }

    #[test]
    fn debug_hides_the_token() {
        let minted = mint_api_key();
        assert!(!format!("{minted:?}").contains(minted.key.expose_secret()));
    }
}
