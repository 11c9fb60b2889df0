//! `datagenie password`.

use anyhow::bail;
use serde_json::json;

use super::password;
use crate::{client::Order, console::Console, exit::Exit};

/// The arguments of `password`.
#[derive(clap::Args)]
pub struct Args {
    /// Read the password of now and the new one from two lines of standard input instead of the terminal
    #[arg(long)]
    password_stdin: bool,
}

/// Changes the caller's password; the kept session goes on, all others end.
///
/// # Errors
/// Those of the client and the terminal.
pub async fn change_password(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let client = console.client()?;
    let (current, new) = if args.password_stdin {
        password::two_of_stdin()?
    } else {
        let current = password::ask("password of now: ", true).await?;
        let new = password::ask("new password: ", true).await?;
        let again = password::ask("new password, again: ", true).await?;
        if new != again {
            bail!("the new password was typed in two ways; nothing was changed");
        }
        (current, new)
    };
    let body = json!({ "current_password": current, "new_password": new });
    client.post("v1/auth/password", Order { body: Some(&body), ..Order::default() }).await?;
    console.say("the password is changed; all other sessions have ended")?;
    Ok(Exit::Answered)
}
