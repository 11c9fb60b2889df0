//! `user_addresses` and `api_key_addresses`: where somebody has signed in from, and where a key was used.

use std::net::{IpAddr, Ipv6Addr};

use ipnetwork::IpNetwork;
use sqlx::{PgConnection, PgPool};

use super::Result;
use crate::ids::{ApiKeyId, UserId};

/// Addresses kept of a user, the latest.
const OF_A_USER: i64 = 50;
/// Addresses kept of a key, the latest.
const OF_A_KEY: i64 = 1_000;
/// How long an address that somebody does not come from any more is remembered, in days.
const KNOWN_DAYS: i32 = 90;

/// One household: an IPv4 address, or the /64 that an IPv6 address is of, since whoever has one of these addresses has all.
#[must_use]
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Notes that somebody has signed in from there, and forgets where he has not for long.
///
/// # Errors
/// If the database fails.
pub async fn signed_in(conn: &mut PgConnection, user: UserId, address: IpAddr) -> Result<()> {
    sqlx::query!(
        "INSERT INTO user_addresses (user_id, address) VALUES ($1, $2)
         ON CONFLICT (user_id, address) DO UPDATE SET last_login_at = dg_now()",
        user.0,
        IpNetwork::from(household(address)),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM user_addresses WHERE user_id = $1 AND (last_login_at < dg_now() - make_interval(days => $2) OR address IN (
             SELECT address FROM user_addresses WHERE user_id = $1 ORDER BY last_login_at DESC OFFSET $3))",
        user.0,
        KNOWN_DAYS,
        OF_A_USER,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the user of this folded name has signed in from there lately.
///
/// # Errors
/// If the database fails.
pub async fn is_known(pool: &PgPool, username_key: &str, address: IpAddr) -> Result<bool> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM user_addresses a JOIN users u ON u.id = a.user_id
               WHERE u.username_key = $1 AND a.address = $2 AND a.last_login_at > dg_now() - make_interval(days => $3)) AS "known!""#,
        username_key,
        IpNetwork::from(household(address)),
        KNOWN_DAYS,
    )
    .fetch_one(pool)
    .await?;
    Ok(known)
}

/// The folded names of those who have signed in from there lately, at most so many.
///
/// # Errors
/// If the database fails.
pub async fn known_at(pool: &PgPool, address: IpAddr, most: usize) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        "SELECT u.username_key FROM user_addresses a JOIN users u ON u.id = a.user_id
         WHERE a.address = $1 AND a.last_login_at > dg_now() - make_interval(days => $2) ORDER BY a.last_login_at DESC LIMIT $3",
        IpNetwork::from(household(address)),
        KNOWN_DAYS,
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(pool)
    .await?;
    Ok(names)
}

/// Notes that a key is used from there; whether it is for the first time.
///
/// # Errors
/// If the database fails.
pub async fn key_used(conn: &mut PgConnection, key: ApiKeyId, address: IpAddr) -> Result<bool> {
    let first = sqlx::query!(
        "INSERT INTO api_key_addresses (api_key_id, address) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        key.0,
        IpNetwork::from(household(address)),
    )
    .execute(&mut *conn)
    .await?
    .rows_affected()
        > 0;
    if first {
        sqlx::query!(
            "DELETE FROM api_key_addresses WHERE api_key_id = $1 AND address IN (
                 SELECT address FROM api_key_addresses WHERE api_key_id = $1 ORDER BY first_used_at DESC OFFSET $2)",
            key.0,
            OF_A_KEY,
        )
        .execute(conn)
        .await?;
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_one_address_of_a_network_has_all() {
        let of = |text: &str| household(text.parse().expect("an address")).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
