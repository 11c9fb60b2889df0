//! Sealing of secrets at rest, hashing of passwords, opaque tokens, and signatures of webhooks. No I/O.

pub mod password_policy;
pub mod passwords;
pub mod sealing;
pub mod signing;
pub mod tokens;

pub use passwords::PasswordError;
pub use sealing::{Keyring, SealingError};
pub use signing::SigningSecret;
pub use tokens::{MintedApiKey, MintedSession, PresentedToken};
