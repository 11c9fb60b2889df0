//! Passwords: argon2id with OWASP's parameters (19 MiB, two passes, one lane), as PHC strings, off the async threads.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// The longest password taken, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

const PARAMS: Params = match Params::new(19 * 1024, 2, 1, None) {
    Ok(params) => params,
    Err(_) => panic!("the parameters are within argon2's bounds"),
};

/// A hash that no password has, with the parameters of real ones: verifying against it costs what verifying a real one costs.
pub const DUMMY_PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$ZGF0YWdlbmllLW5vYm9keQ$sREO9eHbddJw/zpRyavmcHoW1/9+fCDGqZQtNPpAbzk";

/// Each hash takes 19 MiB and a core for some 20 ms: no more than two at once, the rest of the sign-ins wait.
static PERMITS: Semaphore = Semaphore::const_new(2);

/// Why a password was not hashed or checked. Says nothing of the password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Empty or too long.
    #[error("a password has 1 to 1024 bytes")]
    Length,
    /// The algorithm refused (out of memory, no randomness).
    #[error("the password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
    /// The program is stopping.
    #[error("the password could not be hashed because the program is stopping")]
    Stopping,
}

/// Hashes a password to a PHC string with a random salt. Takes some 20 ms of a core: async code uses [`hash_blocking`].
///
/// # Errors
/// [`PasswordError::Length`] and [`PasswordError::Hash`].
pub fn hash(password: &SecretString) -> Result<String, PasswordError> {
    let clear = password.expose_secret().as_bytes();
    if clear.is_empty() || clear.len() > MAX_PASSWORD_BYTES {
        return Err(PasswordError::Length);
    }
    let hashed: PasswordHash = hasher().hash_password(clear).map_err(PasswordError::Hash)?;
    Ok(hashed.to_string())
}

/// Whether the password is the one of the PHC string. A string that is no argon2 hash, or asks for absurd work, matches nothing.
#[must_use]
pub fn verify(password: &SecretString, phc: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(phc) else { return false };
    let Ok(params) = Params::try_from(&parsed) else { return false };
    if params.m_cost() > 16 * PARAMS.m_cost() || params.t_cost() > 16 || params.p_cost() > 16 {
        return false;
    }
    hasher().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok()
}

/// [`hash`] on a blocking thread, two at a time.
///
/// # Errors
/// As [`hash`], and [`PasswordError::Stopping`].
pub async fn hash_blocking(password: SecretString) -> Result<String, PasswordError> {
    let permit = PERMITS.acquire().await.map_err(|_| PasswordError::Stopping)?;
    let work = spawn_blocking(move || {
        // The permit ends with the work, also when nobody waits for it any more.
        let _permit = permit;
        hash(&password)
    });
    work.await.map_err(|_| PasswordError::Stopping)?
}

/// [`verify`] on a blocking thread, two at a time. Without a PHC string (nobody has that name) the same work is done, and the answer is no.
///
/// # Errors
/// [`PasswordError::Stopping`].
pub async fn verify_blocking(password: SecretString, phc: Option<String>) -> Result<bool, PasswordError> {
    let permit = PERMITS.acquire().await.map_err(|_| PasswordError::Stopping)?;
    let work = spawn_blocking(move || {
        let _permit = permit;
        let matches = verify(&password, phc.as_deref().unwrap_or(DUMMY_PHC));
        matches && phc.is_some()
    });
    work.await.map_err(|_| PasswordError::Stopping)
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_hash_verifies_its_password_only() {
        let phc = hash(&secret("비밀번호 123")).expect("hashes");
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(&secret("비밀번호 123"), &phc));
        assert!(!verify(&secret("비밀번호 124"), &phc));
        assert_ne!(phc, hash(&secret("비밀번호 123")).expect("hashes"));
    }

    #[test]
    fn the_dummy_costs_what_a_real_hash_costs() {
        let dummy = PasswordHash::new(DUMMY_PHC).expect("a PHC string");
        let params = Params::try_from(&dummy).expect("argon2 parameters");
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (PARAMS.m_cost(), PARAMS.t_cost(), PARAMS.p_cost()));
        assert!(!verify(&secret(""), DUMMY_PHC));
    }

    #[test]
    fn strange_hashes_match_nothing() {
        assert!(!verify(&secret("x"), ""));
        assert!(!verify(&secret("x"), "x"));
        assert!(!verify(&secret("x"), "$2b$12$abcdefghijklmnopqrstuv"));
        assert!(!verify(&secret("x"), &DUMMY_PHC.replace("m=19456", "m=4000000")));
    }

    #[test]
    fn lengths_are_bounded() {
        assert!(matches!(hash(&secret("")), Err(PasswordError::Length)));
        assert!(matches!(hash(&secret(&"x".repeat(MAX_PASSWORD_BYTES + 1))), Err(PasswordError::Length)));
    }

    #[tokio::test]
    async fn nobody_is_never_signed_in() {
        let phc = hash_blocking(secret("right")).await.expect("hashes");
        assert!(verify_blocking(secret("right"), Some(phc)).await.expect("runs"));
        assert!(!verify_blocking(secret("right"), None).await.expect("runs"));
    }
}
