//! `capacity_leases`: how much of a limited resource each process of the fleet holds. What is held together never exceeds the limit,
//! because whoever takes units of a resource does so under its lock, and sees what all others hold.

use sqlx::{PgPool, Postgres, Transaction};

use super::Result;

/// The first half of the advisory locks of resources; the second is the resource's hash. Any number that nothing else in the database
/// uses in pairs.
const LOCK_CLASS: i32 = 0x6467_0010;

/// What a process asks of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// `source:{connection}` or `model:{endpoint}`.
    pub resource: String,
    /// Units that the whole fleet may hold.
    pub limit: i32,
    /// Units in use. They stay held, whatever the limit has become, as long as the lease holds.
    pub used: i32,
    /// Units wanted in all, those in use among them. 0: everything is given back.
    pub target: i32,
}

/// How a process stands with one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub resource: String,
    /// Units that the process holds now.
    pub held: u32,
    /// What the others hold and want.
    pub others: Others,
}

/// What the other processes of the fleet hold and want of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Units held.
    pub held: u32,
    /// Units wanted beyond those.
    pub wanted: u32,
    /// Processes that hold or want some.
    pub claimants: u32,
    /// Processes that want some and hold none.
    pub starving: u32,
}

/// Settles what a process holds of these resources, for so many seconds from now: takes what is free, keeps what is in use, gives back
/// the rest, and notes what is wanted beyond that. Rows of others that ran out are removed in passing.
///
/// # Errors
/// If the database fails: then it is not known what was settled.
pub async fn settle(pool: &PgPool, instance: &str, asks: &[Ask], lease_seconds: f64) -> Result<Vec<Standing>> {
    let resources: Vec<String> = asks.iter().map(|ask| ask.resource.clone()).collect();
    let limits: Vec<i32> = asks.iter().map(|ask| ask.limit).collect();
    let used: Vec<i32> = asks.iter().map(|ask| ask.used).collect();
    let targets: Vec<i32> = asks.iter().map(|ask| ask.target).collect();
    let mut tx = pool.begin().await?;
    lock(&mut tx, &resources).await?;
    // A statement of its own: it must see what was committed while this one waited for the lock.
    let rows = sqlx::query!(
        r#"WITH asked AS (
               SELECT * FROM UNNEST($1::text[], $2::int4[], $3::int4[], $4::int4[]) AS a(resource, most, used, target)
           ), others AS (
               SELECT a.resource, coalesce(sum(l.held), 0) AS held, coalesce(sum(l.wanted), 0) AS wanted,
                   count(*) FILTER (WHERE l.held > 0 OR l.wanted > 0) AS claimants,
                   count(*) FILTER (WHERE l.held = 0 AND l.wanted > 0) AS starving
               FROM asked a LEFT JOIN capacity_leases l ON l.resource = a.resource AND l.instance <> $5 AND l.until > dg_now()
               GROUP BY a.resource
           ), decided AS (
               SELECT a.resource, a.target, o.held, o.wanted, o.claimants, o.starving,
                   greatest(least(a.used, coalesce(own.held, 0)), least(a.target::bigint, greatest(a.most - o.held, 0)))::int4 AS given
               FROM asked a JOIN others o ON o.resource = a.resource
               LEFT JOIN capacity_leases own ON own.resource = a.resource AND own.instance = $5 AND own.until > dg_now()
           ), written AS (
               INSERT INTO capacity_leases (resource, instance, held, wanted, until)
               SELECT resource, $5, given, greatest(target - given, 0), dg_now() + $6 * interval '1 second'
               FROM decided WHERE target > 0 OR given > 0
               ON CONFLICT (resource, instance) DO UPDATE SET held = excluded.held, wanted = excluded.wanted, until = excluded.until
           ), removed AS (
               DELETE FROM capacity_leases l USING decided d
               WHERE l.resource = d.resource
                 AND CASE WHEN l.instance = $5 THEN d.target = 0 AND d.given = 0 ELSE l.until <= dg_now() END
           )
           SELECT resource AS "resource!", given AS "given!", held::int8 AS "held!", wanted::int8 AS "wanted!",
               claimants AS "claimants!", starving AS "starving!" FROM decided"#,
        &resources,
        &limits,
        &used,
        &targets,
        instance,
        lease_seconds,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let standings = rows.into_iter().map(|row| Standing {
        resource: row.resource,
        held: count(row.given.into()),
        others: Others { held: count(row.held), wanted: count(row.wanted), claimants: count(row.claimants), starving: count(row.starving) },
    });
    Ok(standings.collect())
}

/// What the others hold and want of these resources. Changes nothing and waits for nobody.
///
/// # Errors
/// If the database fails.
pub async fn look(pool: &PgPool, instance: &str, resources: &[String]) -> Result<Vec<(String, Others)>> {
    let rows = sqlx::query!(
        r#"SELECT r.resource AS "resource!", coalesce(sum(l.held), 0)::int8 AS "held!", coalesce(sum(l.wanted), 0)::int8 AS "wanted!",
               count(*) FILTER (WHERE l.held > 0 OR l.wanted > 0) AS "claimants!",
               count(*) FILTER (WHERE l.held = 0 AND l.wanted > 0) AS "starving!"
           FROM UNNEST($1::text[]) AS r(resource)
           LEFT JOIN capacity_leases l ON l.resource = r.resource AND l.instance <> $2 AND l.until > dg_now()
           GROUP BY r.resource"#,
        resources,
        instance,
    )
    .fetch_all(pool)
    .await?;
    let others = rows.into_iter().map(|row| {
        let others =
            Others { held: count(row.held), wanted: count(row.wanted), claimants: count(row.claimants), starving: count(row.starving) };
        (row.resource, others)
    });
    Ok(others.collect())
}

/// Gives back all that a process holds.
///
/// # Errors
/// If the database fails; the leases then run out by themselves.
pub async fn give_back(pool: &PgPool, instance: &str) -> Result<()> {
    sqlx::query!("DELETE FROM capacity_leases WHERE instance = $1", instance).execute(pool).await?;
    Ok(())
}

// In one order, so that two processes don't wait for each other in a circle.
async fn lock(tx: &mut Transaction<'_, Postgres>, resources: &[String]) -> Result<()> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock($2, hash) FROM (
             SELECT DISTINCT hashtext(resource) AS hash FROM UNNEST($1::text[]) AS r(resource) ORDER BY 1
         ) locks",
        resources,
        LOCK_CLASS
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(())
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
