//! Sealing of secrets at rest, hashing of passwords, and opaque tokens. No I/O.

pub mod passwords;
pub mod sealing;
pub mod tokens;

pub use passwords::PasswordError;
pub use sealing::{Keyring, SealingError};
pub use tokens::{MintedApiKey, MintedSession, PresentedToken};
