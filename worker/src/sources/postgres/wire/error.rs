//! What goes wrong on the wire. Of an error that the server tells only its state and its place are kept: its texts carry data.

use std::io;

/// `program_limit_exceeded`: a value or a string buffer past the server's limit of about a gigabyte.
const TOO_LARGE: &str = "54000";

/// Why an answer did not come, or was none.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The network failed.
    #[error("the network failed")]
    Io(#[from] io::Error),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// No secured wire could be agreed on.
    #[error("the wire could not be secured")]
    Tls,
    /// A message, or what is left to read, is larger than may be held or waited for. It is still on the wire.
    #[error("more comes than may be held")]
    TooLarge,
    /// What came is no answer of a PostgreSQL server's.
    #[error("what came does not follow the protocol")]
    Protocol,
    /// The other side will not do, for a reason in words of ours.
    #[error("{0}")]
    Refused(&'static str),
    /// The server answered with an error.
    #[error("the server answered with an error")]
    Server(ServerError),
}

/// An error as the server told it, without its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// Its SQLSTATE, as it came.
    pub state: String,
    /// Where in the text that was sent, in characters counted from 1.
    pub position: Option<usize>,
}

impl ServerError {
    /// Reads the fields of an ErrorResponse, which may be cut off: a message can quote a value of hundreds of megabytes, and the state
    /// stands before it.
    pub fn parse(mut fields: &[u8]) -> Self {
        let mut error = Self::default();
        while let Some((kind, rest)) = fields.split_first()
            && *kind != 0
        {
            let end = rest.iter().position(|byte| *byte == 0);
            let value = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            match kind {
                b'C' => error.state = String::from_utf8_lossy(value).into_owned(),
                b'P' => error.position = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()),
                // PostgreSQL's own limit on the size of a value comes as XX000, like any fault of the server: these words tell, which
                // are never translated.
                b'M' if error.state == "XX000" && value.starts_with(b"invalid memory alloc") => error.state = TOO_LARGE.to_owned(),
                _ => {}
            }
            fields = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_error_its_state_and_place_are_kept() {
        let fields = b"SERROR\0VERROR\0C42703\0Mcolumn \"kim@example.com\" does not exist\0P47\0Fparse_relation.c\0\0";
        let error = ServerError::parse(fields);
        assert_eq!(error, ServerError { state: "42703".to_owned(), position: Some(47) });
        assert!(!format!("{error:?}").contains("kim"));
    }

    #[test]
    fn an_error_that_is_cut_off_still_has_its_state() {
        let cut = ServerError::parse(b"SERROR\0VERROR\0C22P02\0Minvalid input syntax for type integer: \"xxxxxxxx");
        assert_eq!((cut.state.as_str(), cut.position), ("22P02", None));
        assert_eq!(ServerError::parse(b""), ServerError::default());
        assert_eq!(ServerError::parse(b"C"), ServerError::default());
    }

    #[test]
    fn a_value_too_large_for_the_server_is_told_from_its_faults() {
        assert_eq!(ServerError::parse(b"CXX000\0Minvalid memory alloc request size 1073741824\0\0").state, "54000");
        assert_eq!(ServerError::parse(b"CXX000\0Mcache lookup failed\0\0").state, "XX000");
    }
}
