//! What lines of `SHOW GRANTS` mean.

use super::*;

const READER: [&str; 3] = [
    "GRANT USAGE ON *.* TO `reader`@`%` IDENTIFIED BY PASSWORD '*CBCAA2506B362426934B0E582FB80F1C43EC04BF'",
    "GRANT SELECT, SHOW VIEW ON `shop`.* TO `reader`@`%`",
    "GRANT SELECT (`x`, `y`) ON `other`.`t2` TO `reader`@`%`",
];

fn writable(line: &str) -> Vec<String> {
    read([line]).writable
}

#[test]
fn a_role_that_reads_can_do_nothing_else() {
    assert_eq!(read(READER), Grants::default());
    let everything = read(["GRANT SELECT, SHOW DATABASES, SHOW VIEW ON *.* TO 'reader'@'%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3"]);
    assert!(everything.writable.is_empty() && everything.reads_everything);
}

#[test]
fn everything_else_is_told() {
    let cases = [
        ("GRANT SELECT, INSERT, UPDATE ON `shop`.* TO `app`@`%`", "has INSERT, UPDATE on `shop`.*"),
        ("GRANT SELECT (`x`), INSERT (`y`) ON `shop`.`t` TO `app`@`%`", "has INSERT on `shop`.`t`"),
        ("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", "has ALL PRIVILEGES, GRANT OPTION on *.*"),
        ("GRANT SELECT, FILE, PROCESS ON *.* TO `app`@`%`", "has FILE, PROCESS on *.*"),
        ("GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `app`@`%`", "has EXECUTE on PROCEDURE `shop`.`p`"),
        ("GRANT SELECT ON `shop`.* TO `app`@`%` WITH GRANT OPTION", "has GRANT OPTION on `shop`.*"),
        ("GRANT PROXY ON ''@'%' TO 'root'@'localhost'", "has PROXY on ''@'%'"),
        ("GRANT A_LATER_PRIVILEGE ON *.* TO `app`@`%`", "has A_LATER_PRIVILEGE on *.*"),
        ("GRANT SELECT, DROP ON `test`.* TO PUBLIC", "has, as everybody does, DROP on `test`.*"),
        (
            "GRANT SELECT, CREATE, DROP, ALTER, INDEX, EVENT, TRIGGER ON `x`.* TO `a`@`%`",
            "has CREATE, DROP, ALTER, INDEX, EVENT and more on `x`.*",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(writable(line), [expected], "{line}");
    }
}

#[test]
fn roles_are_found_and_what_they_may_do_counts() {
    let grants = read([
        "GRANT `analyst` TO `reader`@`%`",
        READER[1],
        "GRANT `inner` TO `analyst`",
        "GRANT USAGE ON *.* TO `analyst`",
        "GRANT USAGE ON *.* TO `inner`",
        "GRANT INSERT ON `shop`.* TO `inner`",
        "SET DEFAULT ROLE `analyst` FOR `reader`@`%`",
    ]);
    assert_eq!((grants.roles, grants.writable), (Vec::new(), vec!["has INSERT on `shop`.*".to_owned()]));
    assert_eq!(read(["GRANT `analyst` TO `reader`@`%`", READER[1]]).roles, ["analyst"], "nothing is said of it");
    let mysql = read(["GRANT `a`@`%`,`b`@`localhost` TO `reader`@`%` WITH ADMIN OPTION"]);
    assert_eq!(mysql.roles, ["a", "b"]);
    assert_eq!(mysql.writable, ["may give others the roles a, b"]);
}

#[test]
fn what_cannot_be_read_counts() {
    for line in ["", "GRANT", "GRANT SELECT ON `shop`.*", "GRANT , ON `x`.* TO `a`", "GRANT 'odd' ON *.* TO `a`", "ALLOW everything"] {
        assert_eq!(writable(line), ["has a privilege that DataGenie can't read"], "{line}");
    }
    assert!(read([READER[0], "REVOKE SELECT ON `mysql`.* FROM `reader`@`%`"]).writable.is_empty());
    assert_eq!(read([]).writable, ["has privileges that DataGenie can't read"]);
}

#[test]
fn long_lists_are_cut_and_hashes_never_told() {
    let lines: Vec<String> = (0..9).map(|n| format!("GRANT INSERT ON `t{n}`.* TO `a`@`%` IDENTIFIED BY PASSWORD '*ABC'")).collect();
    let grants = read(lines.iter().map(String::as_str));
    assert_eq!((grants.writable.len(), grants.writable[TOLD].as_str()), (TOLD + 1, "and more"));
    assert!(!format!("{grants:?}").contains("*ABC"));
}
