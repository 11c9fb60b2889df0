//! What the exit code of `datagenie` means.

use std::process::ExitCode;

use crate::client::{ClientError, Question, QuestionStatus};

/// The meanings, as `--help` tells them.
pub const HELP: &str = "\
Exit codes:
  0    answered; done (tour --check: every answer was right)
  1    could not be answered or done: a question declined, refused, failed, timed out or cancelled, a job that failed, a batch
       with questions that were not answered, a result that is gone (tour --check: an answer was wrong)
  2    bad usage: arguments, files, or a request that the server finds invalid
  3    server unreachable, overloaded or broken (429, 5xx)
  4    not permitted: no login or key, a wrong or ended one, or no permission
  130  interrupted by Ctrl-C; what the server has begun goes on

Environment:
  DATAGENIE_URL, DATAGENIE_API_KEY  where the server is, and who asks; come before what `datagenie login` keeps
  DATAGENIE_CONFIG                  the file of the login (else datagenie/login.json in the configuration folder)
  COLUMNS                           width of tables (else the terminal's, else 100)
  NO_COLOR                          no colours";

/// How a run of the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Answered = 0,
    /// The server took the question and ended it without an answer.
    Unanswered = 1,
    /// The caller has to change something.
    Usage = 2,
    /// Nobody answers, or a server answers that it can't work now.
    Unavailable = 3,
    /// The caller may not.
    NotPermitted = 4,
    /// The caller has seen enough.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code for a question that has ended.
    pub fn of_question(question: &Question) -> Self {
        match (question.status, &question.error) {
            (QuestionStatus::Success, _) => Self::Answered,
            (_, Some(error)) if error.code == "permission_denied" => Self::NotPermitted,
            _ => Self::Unanswered,
        }
    }

    /// The code for a run that broke off. What is no error of the client's is one of this machine: a file, an argument.
    pub fn of_error(error: &anyhow::Error) -> Self {
        match error.chain().find_map(|cause| cause.downcast_ref::<ClientError>()) {
            Some(ClientError::Problem(problem)) => Self::of_status(problem.status),
            Some(ClientError::Unreachable { .. } | ClientError::Unreadable { .. }) => Self::Unavailable,
            Some(ClientError::Misuse(_)) | None => Self::Usage,
        }
    }

    /// The code for something that either was done or was not.
    pub fn of_done(done: bool) -> Self {
        if done { Self::Answered } else { Self::Unanswered }
    }

    fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotPermitted,
            409 | 410 => Self::Unanswered,
            429 | 500.. => Self::Unavailable,
            _ => Self::Usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;
    use crate::client::Problem;

    fn exit_of(status: u16) -> Exit {
        let error = ClientError::Problem(Box::new(Problem::from_answer(status, None, b"")));
        let wrapped = Err::<(), _>(error).context("asking").expect_err("it is an error");
        Exit::of_error(&wrapped)
    }

    #[test]
    fn http_statuses_become_exit_codes_even_below_a_context() {
        assert_eq!([400, 404, 422].map(exit_of), [Exit::Usage; 3]);
        assert_eq!([401, 403].map(exit_of), [Exit::NotPermitted; 2]);
        assert_eq!([409, 410].map(exit_of), [Exit::Unanswered; 2]);
        assert_eq!([429, 500, 503].map(exit_of), [Exit::Unavailable; 3]);
    }

    #[test]
    fn a_question_that_ended_tells_whether_it_was_answered() {
        let question = |status: &str, code: &str| -> Question {
            let body = serde_json::json!({
                "id": "0193a1f0-0000-7000-8000-000000000000", "status": status, "error": {"code": code, "message": ""},
            });
            Question::from_value(body).expect("a question")
        };
        assert_eq!(Exit::of_question(&question("success", "")), Exit::Answered);
        assert_eq!(Exit::of_question(&question("error", "unanswerable")), Exit::Unanswered);
        assert_eq!(Exit::of_question(&question("timeout", "timeout")), Exit::Unanswered);
        assert_eq!(Exit::of_question(&question("error", "permission_denied")), Exit::NotPermitted);
    }

    #[test]
    fn errors_of_this_machine_are_usage() {
        assert_eq!(Exit::of_error(&anyhow::anyhow!("no such file")), Exit::Usage);
    }
}
