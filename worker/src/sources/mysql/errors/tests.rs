//! What the errors of servers become.

use datagenie_common::model::questions::{FailureCode, Position};

use super::*;

const SQL: &str = "SELECT c.nam, nope(1),\n  SUM(o.amount) FROM `Order Items` o WHERE c.email = 'kim@example.com'";

fn ran() -> Ran<'static> {
    Ran { sql: SQL, seconds: 30, bytes: 1_000 }
}

fn server(code: u16, message: &str) -> SourceError {
    let error = ServerError { code, message: message.to_owned(), state: "HY000".to_owned() };
    running(&Error::Server(error), &ran())
}

fn io_error(error: io::Error) -> Error {
    Error::Io(IoError::Io(error))
}

#[test]
fn names_and_places_come_from_the_statement() {
    for message in ["Unknown column 'c.nam' in 'SELECT'", "Unknown column 'c.nam' in 'field list'"] {
        let error = server(1054, message);
        assert_eq!(error.to_string(), "the statement names a column that does not exist: `c.nam`");
        assert_eq!(error.failure().position, Some(Position { line: 1, column: 8 }));
    }
    let error = server(1146, "Table 'shop.Order Items' doesn't exist");
    assert!(error.to_string().ends_with("``Order Items``"), "{error}");
    assert_eq!(error.failure().position, Some(Position { line: 2, column: 22 }));
    for (code, message) in [
        (1305, "FUNCTION shop.nope does not exist"),
        (1128, "Function 'nope' is not defined"),
        (1370, "execute command denied to user 'reader'@'%' for routine 'shop.nope'"),
    ] {
        let error = server(code, message);
        assert!(matches!(&error, SourceError::UnknownFunction { name: Some(name), .. } if name == "nope"), "{error:?}");
    }
}

#[test]
fn what_the_statement_does_not_say_is_not_told() {
    let error = server(1054, "Unknown column 'hidden.column' in 'SELECT'");
    assert!(matches!(error, SourceError::UnknownColumn { name: None, position: None }), "{error:?}");
    let error = server(1292, "Truncated incorrect DOUBLE value: 'kim@example.com'");
    assert!(!format!("{error:?}").contains("kim"), "{error:?}");
    let error = server(9_999, "odd words about 'kim@example.com'");
    assert_eq!(error.to_string(), "the database rejects the statement (its error 9999)");
}

#[test]
fn a_syntax_error_has_its_place() {
    let rest = &SQL[SQL.find("FROM").expect("it is there")..];
    let error = server(1064, &format!("You have an error in your SQL syntax; … to use near '{rest}' at line 2"));
    assert_eq!(error.to_string(), "the statement has a syntax error, near `FROM`");
    assert_eq!(error.failure().position, Some(Position { line: 2, column: 17 }));
}

#[test]
fn codes_map_to_the_contract() {
    let cases = [
        (1064, FailureCode::SqlInvalid),
        (1242, FailureCode::SqlInvalid),
        (1792, FailureCode::SqlInvalid),
        (1142, FailureCode::SourcePermission),
        (1143, FailureCode::SourcePermission),
        (1044, FailureCode::SourcePermission),
        (1317, FailureCode::Timeout),
        (1969, FailureCode::Timeout),
        (3024, FailureCode::Timeout),
        (1045, FailureCode::SourceRefused),
        (1698, FailureCode::SourceRefused),
        (1205, FailureCode::SourceRefused),
        (1040, FailureCode::SourceRefused),
        (2013, FailureCode::SourceUnreachable),
        (1053, FailureCode::SourceUnreachable),
    ];
    for (code, expected) in cases {
        assert_eq!(server(code, "").failure().code, expected, "{code}");
    }
    for code in [1040, 1203, 1226] {
        assert!(server(code, "").is_outage(), "{code}");
    }
    assert!(!server(1045, "").is_outage());
    let no_database = Error::Server(ServerError { code: 1049, message: "Unknown database 'shop'".to_owned(), state: "42000".to_owned() });
    assert!(matches!(connecting(&no_database), SourceError::NoSuchDatabase));
}

#[test]
fn a_broken_socket_is_an_outage() {
    let refused = connecting(&io_error(io::Error::from(io::ErrorKind::ConnectionRefused)));
    assert!(refused.is_outage());
    assert_eq!(refused.to_string(), "the database does not answer: connection refused");
    let at_once = connecting(&io_error(io::Error::from(io::ErrorKind::UnexpectedEof)));
    assert_eq!(at_once.to_string(), "the database does not answer: the server closed the connection at once");
    assert!(running(&io_error(io::Error::from(io::ErrorKind::ConnectionReset)), &ran()).is_outage());
    assert!(connecting(&Error::Driver(DriverError::PacketOutOfOrder)).to_string().contains("MySQL's protocol"));
    assert!(connecting(&io_error(io::Error::other("Packets out of sync"))).to_string().contains("MySQL's protocol"));
}

#[test]
fn a_packet_past_the_drivers_limit_is_a_row_too_large() {
    let error = running(&io_error(io::Error::other(TOO_LARGE)), &ran());
    assert!(matches!(error, SourceError::RowTooLarge { limit: 1_000 }), "{error:?}");
}

#[test]
fn a_server_without_tls_is_told_from_one_that_is_away() {
    let error = Error::Driver(DriverError::NoClientSslFlagFromServer);
    assert!(is_tls(&error) && !connecting(&error).is_outage());
    let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let error = io_error(io::Error::new(io::ErrorKind::InvalidData, certificate));
    assert!(is_tls(&error));
    assert!(connecting(&error).to_string().contains("not trusted"), "{}", connecting(&error));
    assert!(!is_tls(&io_error(io::Error::from(io::ErrorKind::TimedOut))));
}
