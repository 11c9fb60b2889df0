//! Sealing of secrets at rest with AES-256-GCM under a ring of keys.
//!
//! The first key of the ring seals, every key opens, so a key is changed by putting the new one in front, sealing the old rows again,
//! and then taking the old one away. A sealed value is bound to its place (table, column, row): moved elsewhere it does not open.

use std::{fmt, sync::Arc};

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Nonce, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::STANDARD_NO_PAD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice, zeroize::Zeroizing};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const MAX_ID_CHARS: usize = 32;
const FORMAT: u64 = 1;

const VERIFIER_TABLE: &str = "system_settings";
const VERIFIER_COLUMN: &str = "sealing_check";
const VERIFIER_TEXT: &[u8] = b"datagenie: this opens with the right sealing key";

/// Why a key, a ring of keys or a sealed value can't be used. None of them shows a key or a clear text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// The setting holds no key at all.
    #[error("the sealing key is empty; expected `base64` or `id:base64` of 32 bytes, several separated by commas")]
    NoKey,
    /// One entry of the setting is wrong. Entries count from 1.
    #[error("entry {entry} of the sealing key: {problem}; expected `base64` or `id:base64` of 32 bytes")]
    BadEntry {
        /// Which entry, from 1.
        entry: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The value was sealed with a key that is not on the ring.
    #[error("sealed with key `{0}`, which is not among the configured sealing keys")]
    UnknownKey(String),
    /// The stored check value does not open with the configured key of that id.
    #[error("the configured sealing key `{0}` is not the one the stored data was sealed with")]
    WrongKey(String),
    /// The value was changed, or moved to another row, or another key has taken the id.
    #[error("a sealed value does not open in its place: it was changed or moved, or another key has taken its key's id")]
    Tampered,
    /// The value is no sealed value of a known format.
    #[error("not a sealed value of format 1 (an object of `v`, `key_id`, `nonce` and `ciphertext`)")]
    Malformed,
    /// More than AES-GCM takes at once (64 GiB).
    #[error("the value is too long to be sealed")]
    TooLong,
}

struct RingKey {
    id: String,
    /// The id the key has when none is given, so that giving a key a name later keeps old values readable.
    hashed_id: String,
    cipher: Aes256Gcm,
    /// Derived, so that the sealing key itself does one thing only.
    mac_key: Zeroizing<[u8; KEY_BYTES]>,
}

/// The sealing keys, cheap to clone. Its `Debug` shows ids only.
#[derive(Clone)]
pub struct Keyring {
    first: Arc<RingKey>,
    others: Arc<[RingKey]>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("key_ids", &self.key_ids()).finish()
    }
}

impl Keyring {
    /// Reads the setting `sealing.key`: entries `base64` or `id:base64`, separated by commas, each of 32 bytes in the standard or the
    /// url-safe alphabet, padded or not (so a Fernet key is taken too). Without an id the key is named by the first 8 hex digits of its SHA-256.
    ///
    /// # Errors
    /// [`SealingError::NoKey`] and [`SealingError::BadEntry`], which never show the key.
    pub fn from_setting(text: &str) -> Result<Self, SealingError> {
        if text.trim().is_empty() {
            return Err(SealingError::NoKey);
        }
        let mut keys: Vec<RingKey> = Vec::new();
        for (index, entry) in text.split(',').enumerate() {
            let bad = |problem: String| SealingError::BadEntry { entry: index + 1, problem };
            let key = RingKey::parse(entry.trim()).map_err(bad)?;
            // Nor may one be named by the digest of another: what that one sealed before it had a name would be taken for this one's.
            if keys.iter().any(|known| known.goes_by(&key.id) || known.goes_by(&key.hashed_id) || key.goes_by(&known.id)) {
                return Err(bad(format!("the key or its id `{}` is there twice", key.id)));
            }
            keys.push(key);
        }
        let first = Arc::new(keys.remove(0));
        Ok(Self { first, others: keys.into() })
    }

    /// The ids of all keys; the first one seals.
    #[must_use]
    pub fn key_ids(&self) -> Vec<&str> {
        self.keys().map(|key| key.id.as_str()).collect()
    }

    /// The ids that the key goes by which seals: its own, and the one that it has without a name.
    #[must_use]
    pub fn sealing_ids(&self) -> Vec<String> {
        vec![self.first.id.clone(), self.first.hashed_id.clone()]
    }

    /// The ids that any key of the ring goes by.
    #[must_use]
    pub fn all_ids(&self) -> Vec<String> {
        self.keys().flat_map(|key| [key.id.clone(), key.hashed_id.clone()]).collect()
    }

    /// HMAC-SHA-256 of a text that may hold a secret and is only compared: without the key nobody can try passwords against it.
    /// Under another key the same text has another one: first that of the key that seals, then those of the others, which may have been
    /// the first one a while ago.
    #[must_use]
    pub fn macs(&self, text: &[u8]) -> Vec<Vec<u8>> {
        let mac = |key: &RingKey| {
            // HMAC takes keys of any length.
            let Ok(mac) = Hmac::<Sha256>::new_from_slice(&key.mac_key[..]) else { return Vec::new() };
            mac.chain_update(text).finalize().into_bytes().to_vec()
        };
        self.keys().map(mac).collect()
    }

    /// Seals `clear` for one place: `{"v": 1, "key_id", "nonce", "ciphertext"}`, the last two in base64.
    ///
    /// # Errors
    /// [`SealingError::TooLong`].
    pub fn seal(&self, table: &str, column: &str, row: Uuid, clear: &[u8]) -> Result<Value, SealingError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        rand::fill(&mut nonce[..]);
        let place = place(table, column, row);
        let payload = Payload { msg: clear, aad: place.as_bytes() };
        let sealed = self.first.cipher.encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload).map_err(|_| SealingError::TooLong)?;
        Ok(json!({
            "v": FORMAT,
            "key_id": self.first.id,
            "nonce": STANDARD.encode(nonce),
            "ciphertext": STANDARD.encode(sealed),
        }))
    }

    /// Opens what [`seal`](Self::seal) made for the same place. The clear text is wiped when dropped.
    ///
    /// # Errors
    /// [`SealingError::Malformed`], [`SealingError::UnknownKey`] and [`SealingError::Tampered`].
    pub fn open(&self, table: &str, column: &str, row: Uuid, sealed: &Value) -> Result<SecretSlice<u8>, SealingError> {
        if sealed.get("v").and_then(Value::as_u64) != Some(FORMAT) {
            return Err(SealingError::Malformed);
        }
        let id = text_of(sealed, "key_id").ok_or(SealingError::Malformed)?;
        let nonce: [u8; NONCE_BYTES] = bytes_of(sealed, "nonce").and_then(|bytes| bytes.try_into().ok()).ok_or(SealingError::Malformed)?;
        let ciphertext = bytes_of(sealed, "ciphertext").ok_or(SealingError::Malformed)?;
        let Some(key) = self.keys().find(|key| key.goes_by(id)) else {
            return Err(SealingError::UnknownKey(id.chars().take(MAX_ID_CHARS).collect()));
        };
        let place = place(table, column, row);
        let payload = Payload { msg: &ciphertext, aad: place.as_bytes() };
        let clear = key.cipher.decrypt(&Nonce::<Aes256Gcm>::from(nonce), payload).map_err(|_| SealingError::Tampered)?;
        // Copied to its exact size, so that nothing is left behind unwiped when the secret is boxed.
        Ok(SecretSlice::from(Zeroizing::new(clear).to_vec()))
    }

    /// Whether the value should be sealed again because another key than the first one sealed it (or it is no sealed value at all).
    #[must_use]
    pub fn needs_reseal(&self, sealed: &Value) -> bool {
        text_of(sealed, "key_id").is_none_or(|id| !self.first.goes_by(id))
    }

    /// The same value sealed with the first key, for the same place.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reseal(&self, table: &str, column: &str, row: Uuid, sealed: &Value) -> Result<Value, SealingError> {
        let clear = self.open(table, column, row, sealed)?;
        self.seal(table, column, row, clear.expose_secret())
    }

    /// A check value to store in `system_settings` under `sealing_check`: a constant sealed with the first key.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn verifier(&self) -> Result<Value, SealingError> {
        self.seal(VERIFIER_TABLE, VERIFIER_COLUMN, Uuid::nil(), VERIFIER_TEXT)
    }

    /// Whether this ring opens the stored check value, so that a wrong key is found at start and not at the first question.
    ///
    /// # Errors
    /// [`SealingError::UnknownKey`] if the key is missing, [`SealingError::WrongKey`] if another key has its id, [`SealingError::Malformed`].
    pub fn verify(&self, stored: &Value) -> Result<(), SealingError> {
        let wrong = || SealingError::WrongKey(text_of(stored, "key_id").unwrap_or_default().chars().take(MAX_ID_CHARS).collect());
        match self.open(VERIFIER_TABLE, VERIFIER_COLUMN, Uuid::nil(), stored) {
            Ok(clear) if clear.expose_secret() == VERIFIER_TEXT => Ok(()),
            Ok(_) | Err(SealingError::Tampered) => Err(wrong()),
            Err(other) => Err(other),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &RingKey> {
        std::iter::once(self.first.as_ref()).chain(self.others.iter())
    }
}

impl RingKey {
    fn parse(entry: &str) -> Result<Self, String> {
        if entry.is_empty() {
            return Err("it is empty".to_owned());
        }
        let (id, text) = match entry.split_once(':') {
            Some((id, text)) => (Some(id.trim()), text.trim()),
            None => (None, entry),
        };
        if id.is_some_and(|id| !is_id(id)) {
            return Err(format!("the id before `:` is not 1 to {MAX_ID_CHARS} of letters, digits, `-`, `_` and `.`"));
        }
        let bytes = decode_key(text)?;
        let mut hashed_id = hex::encode(Sha256::digest(bytes.as_slice()));
        hashed_id.truncate(8);
        let cipher = Aes256Gcm::new_from_slice(&bytes).map_err(|_| format!("it is {} bytes long", bytes.len()))?;
        let mac_key = Sha256::new().chain_update(b"datagenie mac").chain_update(bytes.as_slice()).finalize();
        let mac_key = Zeroizing::new(mac_key.into());
        Ok(Self { id: id.map_or_else(|| hashed_id.clone(), str::to_owned), hashed_id, cipher, mac_key })
    }

    fn goes_by(&self, id: &str) -> bool {
        self.id == id || self.hashed_id == id
    }
}

/// A new random key in the form `sealing.key` takes: 44 characters of base64.
#[must_use]
pub fn generate_key() -> String {
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    rand::fill(&mut key[..]);
    STANDARD.encode(key.as_slice())
}

fn decode_key(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let plain: String = text.trim_end_matches('=').chars().map(standard_alphabet).collect();
    let plain = Zeroizing::new(plain);
    let bytes = STANDARD_NO_PAD.decode(plain.as_bytes()).map(Zeroizing::new).map_err(|_| "it is not base64".to_owned())?;
    if bytes.len() == KEY_BYTES { Ok(bytes) } else { Err(format!("it decodes to {} bytes", bytes.len())) }
}

fn standard_alphabet(c: char) -> char {
    match c {
        '-' => '+',
        '_' => '/',
        other => other,
    }
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn place(table: &str, column: &str, row: Uuid) -> String {
    format!("dg1|{table}|{column}|{row}")
}

fn text_of<'a>(sealed: &'a Value, field: &str) -> Option<&'a str> {
    sealed.get(field).and_then(Value::as_str)
}

fn bytes_of(sealed: &Value, field: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text_of(sealed, field)?).ok()
}

#[cfg(test)]
mod tests;
