//! What a server is, and what a session is told before a statement runs on it. MariaDB and MySQL differ here and in `explain.rs`.

use std::time::Duration;

use mysql_async::Row;

use super::cells;

/// Asked once for each connection. The third cell tells this server from others that answer at the same address.
pub(super) const ASK: &str =
    "SELECT @@version, @@version_comment, CONCAT_WS(':', @@hostname, @@port, @@server_id), @@lower_case_table_names, DATABASE()";

/// The modes that a session keeps of those it has: they are about values. The others change how a text is read (`ANSI_QUOTES`,
/// `NO_BACKSLASH_ESCAPES`, `PIPES_AS_CONCAT`, `IGNORE_SPACE`, `HIGH_NOT_PRECEDENCE`, `ORACLE` …), which the guard must know beforehand.
const MODES: [&str; 11] = [
    "ONLY_FULL_GROUP_BY",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "NO_UNSIGNED_SUBTRACTION",
    "PAD_CHAR_TO_FULL_LENGTH",
    "TIME_TRUNCATE_FRACTIONAL",
    "TIME_ROUND_FRACTIONAL",
];
/// A statement waits this long for a lock, in seconds: a reader waits only for somebody who changes the table itself.
const LOCK_SECONDS: u64 = 3;
/// How long the server waits for us to take rows, in seconds.
const WRITE_SECONDS: u64 = 60;
/// How long a session may wait for us beyond the statement's time, in seconds; after that the server ends it.
const IDLE_SECONDS: u64 = 30;
/// The longest GROUP_CONCAT, in bytes: MariaDB's default. MySQL's is 1,024, and what is longer is cut off silently.
const CONCAT_BYTES: u64 = 1024 * 1024;
/// Notes that a server keeps, as many as it can: the one that holds an explained statement comes last, and a statement of ours has no room
/// for as many literals that are worth a note.
const NOTES: u64 = 65_535;
/// The most that MySQL takes, which is no limit.
const NO_LIMIT: u64 = u64::MAX;

/// The two products that speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    MariaDb,
    MySql,
}

/// A server as it tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) product: Product,
    pub(super) version: (u16, u16, u16),
    /// Differs from that of another server at the same address.
    pub(super) identity: String,
    /// Whether `Orders` and `orders` are one table.
    pub(super) folds_names: bool,
    /// The connection's database, as the server writes it.
    pub(super) database: String,
}

/// What a statement may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Time on the server.
    pub(super) time: Duration,
    /// Rows after which the server stops by itself, unless the statement has a LIMIT of its own.
    pub(super) rows: Option<u64>,
}

impl Bounds {
    /// Of a look of our own, for each of its statements.
    pub(super) fn look(time: Duration) -> Self {
        Self { time, rows: None }
    }
}

impl Server {
    /// By its answer to [`ASK`].
    pub(super) fn told(row: &Row) -> Option<Self> {
        let (version, comment) = (cells::text(row, 0)?, cells::text(row, 1).unwrap_or_default());
        let identity = cells::text(row, 2).unwrap_or_default();
        let folds_names = cells::count(row, 3).is_some_and(|mode| mode != 0);
        let database = cells::text(row, 4).unwrap_or_default();
        Some(Self { product: product(&version, &comment), version: numbers(&version), identity, folds_names, database })
    }

    /// Product and version in words of ours.
    pub(super) fn title(&self) -> String {
        let product = match self.product {
            Product::MariaDb => "MariaDB",
            Product::MySql => "MySQL",
        };
        let (major, minor, patch) = self.version;
        format!("{product} {major}.{minor}.{patch}")
    }

    /// The statement that sets a session up, of text that is ours alone: one assignment after the other, so that it costs one round trip.
    /// A reset of the connection undoes all of it. Error messages are English, because names are looked for in them. The isolation is the
    /// products' own default: where an administrator made it SERIALIZABLE, what we read would be locked for those who write.
    pub(super) fn settings(&self, bounds: &Bounds) -> String {
        let modes = MODES.map(|mode| format!("IF(FIND_IN_SET('{mode}', @@sql_mode), '{mode}', NULL)")).join(", ");
        let wait = bounds.time.as_secs().saturating_add(IDLE_SECONDS).min(31_536_000);
        let rows = bounds.rows.unwrap_or(NO_LIMIT);
        let isolation = self.isolation();
        let mut sql = format!(
            "SET NAMES utf8mb4, sql_mode = CONCAT_WS(',', {modes}), time_zone = '+00:00', lc_messages = 'en_US', \
             lock_wait_timeout = {LOCK_SECONDS}, innodb_lock_wait_timeout = {LOCK_SECONDS}, \
             net_write_timeout = {WRITE_SECONDS}, wait_timeout = {wait}, {isolation} = 'REPEATABLE-READ', \
             group_concat_max_len = {CONCAT_BYTES}, max_error_count = {NOTES}, sql_quote_show_create = 1, sql_select_limit = {rows}"
        );
        // At least a millisecond: 0 means no limit.
        let time = bounds.time.max(Duration::from_millis(1));
        match self.product {
            Product::MariaDb => sql.push_str(&format!(", max_statement_time = {:.3}", time.as_secs_f64())),
            Product::MySql if self.version >= (5, 7, 8) => sql.push_str(&format!(", max_execution_time = {}", time.as_millis())),
            // Too old to end a statement by itself: the client's own limit does.
            Product::MySql => {}
        }
        sql
    }

    /// The variable of the isolation of transactions, by the name that this version has for it.
    fn isolation(&self) -> &'static str {
        let renamed = match self.product {
            Product::MariaDb => (11, 1, 1),
            Product::MySql => (5, 7, 20),
        };
        if self.version >= renamed { "transaction_isolation" } else { "tx_isolation" }
    }
}

fn product(version: &str, comment: &str) -> Product {
    let is_maria = [version, comment].iter().any(|text| text.to_ascii_lowercase().contains("mariadb"));
    if is_maria { Product::MariaDb } else { Product::MySql }
}

// `10.11.6-MariaDB-0+deb12u1`, `8.0.35-27`. MariaDB may put a version in front that old replicas understand.
fn numbers(version: &str) -> (u16, u16, u16) {
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let mut parts = version[..end].split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, comment: &str) -> Server {
        let (identity, database) = (String::new(), String::new());
        Server { product: product(version, comment), version: numbers(version), identity, folds_names: false, database }
    }

    #[test]
    fn products_and_versions_are_told_apart() {
        let cases = [
            ("10.11.19-MariaDB-0+deb12u1", "Debian 12", "MariaDB 10.11.19"),
            ("5.5.5-10.6.21-MariaDB", "", "MariaDB 10.6.21"),
            ("11.4.2", "mariadb.org binary distribution", "MariaDB 11.4.2"),
            ("8.0.35-27", "Percona Server (GPL)", "MySQL 8.0.35"),
            ("8.4.0", "MySQL Community Server - GPL", "MySQL 8.4.0"),
            ("5.7.25-TiDB-v7.1.0", "", "MySQL 5.7.25"),
            ("odd", "", "MySQL 0.0.0"),
        ];
        for (version, comment, expected) in cases {
            assert_eq!(server(version, comment).title(), expected);
        }
    }

    #[test]
    fn each_product_has_its_own_time_limit() {
        let bounds = Bounds { time: Duration::from_millis(1_500), rows: Some(11) };
        let maria = server("10.11.6-MariaDB", "").settings(&bounds);
        assert!(maria.ends_with("sql_select_limit = 11, max_statement_time = 1.500"), "{maria}");
        let mysql = server("8.0.35", "").settings(&bounds);
        assert!(mysql.ends_with("sql_select_limit = 11, max_execution_time = 1500"), "{mysql}");
        let old = server("5.6.50", "").settings(&bounds);
        assert!(old.ends_with("sql_select_limit = 11"), "it knows neither: {old}");
        let look = Bounds::look(Duration::ZERO);
        let least = server("8.0.35", "").settings(&look);
        assert!(least.ends_with("sql_select_limit = 18446744073709551615, max_execution_time = 1"), "{least}");
    }

    #[test]
    fn what_is_read_is_never_locked() {
        let of = |version| server(version, "").settings(&Bounds::look(Duration::from_secs(1)));
        for (version, name) in [("10.11.6-MariaDB", "tx"), ("11.4.2-MariaDB", "transaction"), ("8.0.35", "transaction"), ("5.7.19", "tx")] {
            let settings = of(version);
            assert!(settings.contains(&format!(", {name}_isolation = 'REPEATABLE-READ', ")), "{version}: {settings}");
        }
    }

    #[test]
    fn only_modes_about_values_are_kept() {
        let sql = server("8.0.35", "").settings(&Bounds::look(Duration::from_secs(1)));
        assert!(sql.contains("IF(FIND_IN_SET('ONLY_FULL_GROUP_BY', @@sql_mode), 'ONLY_FULL_GROUP_BY', NULL)"), "{sql}");
        for mode in ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT"] {
            assert!(!sql.contains(mode), "{mode}");
        }
    }
}
