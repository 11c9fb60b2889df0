//! Signatures of webhooks by the symmetric scheme of Standard Webhooks (<https://www.standardwebhooks.com>): `v1,` and the base64 of
//! HMAC-SHA-256 over `id.timestamp.body`, with a secret that its owner sees as `whsec_` and base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString, zeroize::Zeroizing};
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;

use super::{Keyring, SealingError};

const PREFIX: &str = "whsec_";
const BYTES: usize = 32;
const COLUMN: &str = "secret";

/// What a secret signs for; sealed, it is bound to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// The deliveries to one endpoint.
    Endpoint(Uuid),
    /// The callbacks of one user.
    Callbacks(Uuid),
}

impl Signs {
    fn place(self) -> (&'static str, Uuid) {
        match self {
            Self::Endpoint(id) => ("webhook_endpoints", id),
            Self::Callbacks(user) => ("webhook_callback_secrets", user),
        }
    }
}

/// A secret that signs webhooks. Its `Debug` shows nothing.
#[derive(Clone, Debug)]
pub struct SigningSecret(SecretSlice<u8>);

impl SigningSecret {
    /// A new random one.
    #[must_use]
    pub fn mint() -> Self {
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        rand::fill(&mut bytes[..]);
        Self(SecretSlice::from(bytes.to_vec()))
    }

    /// As its owner keeps it: `whsec_…`.
    #[must_use]
    pub fn text(&self) -> SecretString {
        let encoded = Zeroizing::new(STANDARD.encode(self.0.expose_secret()));
        SecretString::from(format!("{PREFIX}{}", encoded.as_str()))
    }

    /// Sealed, to be stored.
    ///
    /// # Errors
    /// As [`Keyring::seal`].
    pub fn seal(&self, keyring: &Keyring, signs: Signs) -> Result<Value, SealingError> {
        let (table, row) = signs.place();
        keyring.seal(table, COLUMN, row, self.0.expose_secret())
    }

    /// Opens a stored one; one that was rotated out is still sealed for its first place.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn open(keyring: &Keyring, signs: Signs, sealed: &Value) -> Result<Self, SealingError> {
        let (table, row) = signs.place();
        keyring.open(table, COLUMN, row, sealed).map(Self)
    }

    /// The signature of a message: `v1,…`. `timestamp` is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // HMAC takes keys of any length.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return String::new() };
        let mac = mac.chain_update(id).chain_update(b".").chain_update(timestamp.to_string()).chain_update(b".").chain_update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sealing::generate_key;

    #[test]
    fn the_example_of_the_standard_is_signed_as_there() {
        // From the test vectors of the public libraries.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let secret = SigningSecret(SecretSlice::from(key));
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_opens_in_its_place_only_and_shows_nowhere() {
        let keyring = Keyring::from_setting(&generate_key()).expect("a key");
        let (secret, place) = (SigningSecret::mint(), Signs::Endpoint(Uuid::now_v7()));
        let sealed = secret.seal(&keyring, place).expect("it is sealed");
        let opened = SigningSecret::open(&keyring, place, &sealed).expect("it opens");
        assert_eq!(opened.text().expose_secret(), secret.text().expose_secret());
        assert!(SigningSecret::open(&keyring, Signs::Callbacks(Uuid::now_v7()), &sealed).is_err());
        let text = secret.text();
        assert!(text.expose_secret().starts_with("whsec_") && text.expose_secret().len() == 50);
        assert!(!format!("{secret:?}{text:?}").contains(&text.expose_secret()[6..]));
    }
}
