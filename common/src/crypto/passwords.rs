//! Passwords: argon2id with OWASP's parameters (19 MiB, two passes, one lane), as PHC strings, off the async threads.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
};

use super::password_policy::prepared;

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
/// How many may be at it or wait; more are told to come again, so that nobody waits for long and memory stays bounded.
static PLACES: Semaphore = Semaphore::const_new(66);

/// Why a password was not hashed or checked. Says nothing of the password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Empty or too long.
    #[error("a password has 1 to 1024 bytes")]
    Length,
    /// The algorithm refused (out of memory, no randomness).
    #[error("the password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
    /// As many as may wait do.
    #[error("too many passwords are being checked")]
    Busy,
    /// The program is stopping.
    #[error("the password could not be hashed because the program is stopping")]
    Stopping,
}

/// A new password of 25 random characters in groups, 120 bits, that can be read out: none of them looks like another.
#[must_use]
pub fn generate() -> SecretString {
    const ALPHABET: &[u8; 28] = b"abcdefghjkmnpqrstuvwxyz23456";
    let group = || (0..5).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect::<String>();
    SecretString::from((0..5).map(|_| group()).collect::<Vec<_>>().join("-"))
}

/// Hashes a password to a PHC string with a random salt. Takes some 20 ms of a core: async code uses [`hash_blocking`].
///
/// # Errors
/// [`PasswordError::Length`] and [`PasswordError::Hash`].
pub fn hash(password: &SecretString) -> Result<String, PasswordError> {
    let clear = password.expose_secret();
    if clear.is_empty() || clear.len() > MAX_PASSWORD_BYTES {
        return Err(PasswordError::Length);
    }
    let clear = Zeroizing::new(prepared(clear));
    let hashed: PasswordHash = hasher().hash_password(clear.as_bytes()).map_err(PasswordError::Hash)?;
    Ok(hashed.to_string())
}

/// Whether the password is the one of the PHC string. A string that is no argon2 hash, or asks for absurd work, matches nothing, and
/// costs what any other costs: how long it takes does not tell that there is such a user.
#[must_use]
pub fn verify(password: &SecretString, phc: &str) -> bool {
    let Some(parsed) = usable(phc) else {
        if let Ok(dummy) = PasswordHash::new(DUMMY_PHC) {
            let _ = hasher().verify_password(&[], &dummy);
        }
        return false;
    };
    let given = password.expose_secret();
    if given.len() > MAX_PASSWORD_BYTES {
        // Nobody has such a password; the work is that of any other.
        let _ = hasher().verify_password(&[], &parsed);
        return false;
    }
    let clear = Zeroizing::new(prepared(given));
    let matches = |text: &str| hasher().verify_password(text.as_bytes(), &parsed).is_ok();
    // Hashes of before were made of what was sent.
    matches(&clear) || (clear.as_str() != given && matches(given))
}

fn usable(phc: &str) -> Option<PasswordHash> {
    let parsed = PasswordHash::new(phc).ok()?;
    let params = Params::try_from(&parsed).ok()?;
    let is_bounded = params.m_cost() <= 16 * PARAMS.m_cost() && params.t_cost() <= 16 && params.p_cost() <= 16;
    is_bounded.then_some(parsed)
}

/// A turn at hashing, two at a time; its place in the line is given back with it.
async fn turn() -> Result<(SemaphorePermit<'static>, SemaphorePermit<'static>), PasswordError> {
    let place = PLACES.try_acquire().map_err(|_| PasswordError::Busy)?;
    let permit = PERMITS.acquire().await.map_err(|_| PasswordError::Stopping)?;
    Ok((place, permit))
}

/// [`hash`] on a blocking thread, two at a time.
///
/// # Errors
/// As [`hash`], [`PasswordError::Busy`] and [`PasswordError::Stopping`].
pub async fn hash_blocking(password: SecretString) -> Result<String, PasswordError> {
    let turn = turn().await?;
    let work = spawn_blocking(move || {
        // The turn ends with the work, also when nobody waits for it any more.
        let _turn = turn;
        hash(&password)
    });
    work.await.map_err(|_| PasswordError::Stopping)?
}

/// [`verify`] on a blocking thread, two at a time. Without a PHC string (nobody has that name) the same work is done, and the answer is no.
///
/// # Errors
/// [`PasswordError::Busy`] and [`PasswordError::Stopping`].
pub async fn verify_blocking(password: SecretString, phc: Option<String>) -> Result<bool, PasswordError> {
    let turn = turn().await?;
    let work = spawn_blocking(move || {
        let _turn = turn;
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
    fn a_password_matches_however_its_letters_are_composed() {
        let phc = hash(&secret("caf\u{e9} \u{d55c}\u{ae00}")).expect("hashes");
        assert!(verify(&secret("cafe\u{301}\u{a0}\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"), &phc));
        assert!(!verify(&secret("cafe \u{d55c}\u{ae00}"), &phc));
    }

    #[tokio::test]
    async fn more_than_may_wait_are_told_to_come_again() {
        let calls = (0..PLACES.available_permits() + 20).map(|_| verify_blocking(secret("x"), None));
        let answers = futures::future::join_all(calls).await;
        let busy = answers.iter().filter(|answer| matches!(answer, Err(PasswordError::Busy))).count();
        assert!(busy >= 20, "{busy}");
        assert!(answers.len() - busy > 40, "the others are served");
    }

    #[test]
    fn a_generated_password_is_one_that_is_taken() {
        let (first, second) = (generate(), generate());
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert_eq!(first.expose_secret().len(), 29);
        assert_eq!(super::super::password_policy::check(first.expose_secret(), &["admin"], 12), Ok(()));
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
