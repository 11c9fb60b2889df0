//! Signing in: who we are, the password in the way the server asks for it, and the key by which a statement can be cancelled.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
    },
    message::{
        backend::{AuthenticationSaslBody, Message},
        frontend,
    },
};
use secrecy::ExposeSecret as _;

use super::{Wire, error::WireError, frames::Event, target::Target};

/// How our statements show on the customer's server.
const APPLICATION: &str = "datagenie";
const UNPROVEN: WireError = WireError::Refused("the server did not prove that it knows the role's password");

/// What the password exchange knows of the stream it runs on.
pub struct Circumstances {
    /// Whether a password may be said in the clear: nobody else hears it.
    pub is_private: bool,
    /// What binds the exchange to a secured stream.
    pub binding: Option<Vec<u8>>,
}

/// Signs in, until the server is ready for the first statement.
pub async fn sign_in(wire: &mut Wire, target: &Target, circumstances: Circumstances) -> Result<(), WireError> {
    let mut message = BytesMut::new();
    // Poolers refuse parameters that they do not know; these they all do.
    let parameters = [
        ("user", target.username.as_str()),
        ("database", target.database.as_str()),
        ("application_name", APPLICATION),
        ("client_encoding", "UTF8"),
    ];
    frontend::startup_message(parameters, &mut message)?;
    wire.write(&message).await?;
    prove(wire, target, circumstances).await?;
    loop {
        match expected(wire).await? {
            Message::BackendKeyData(key) => wire.key = Some((key.process_id(), key.secret_key())),
            Message::ReadyForQuery(ready) => {
                wire.status = ready.status();
                return Ok(());
            }
            _ => return Err(WireError::Protocol),
        }
    }
}

/// Proves who we are, as often and in the way the server asks.
async fn prove(wire: &mut Wire, target: &Target, mut circumstances: Circumstances) -> Result<(), WireError> {
    let password = target.password.expose_secret().as_bytes();
    // An exchange in which the server has to prove something too, until it has.
    let mut exchange: Option<ScramSha256> = None;
    loop {
        let mut reply = BytesMut::new();
        match expected(wire).await? {
            Message::AuthenticationOk => return if exchange.is_none() { Ok(()) } else { Err(UNPROVEN) },
            Message::AuthenticationCleartextPassword if circumstances.is_private => frontend::password_message(password, &mut reply)?,
            Message::AuthenticationCleartextPassword => {
                return Err(WireError::Refused("the server asks for the password in the clear, on a wire that is not secured"));
            }
            Message::AuthenticationMd5Password(asked) => {
                let hash = md5_hash(target.username.as_bytes(), password, asked.salt());
                frontend::password_message(hash.as_bytes(), &mut reply)?;
            }
            Message::AuthenticationSasl(offered) => {
                let (mechanism, binding) = choose(&offered, circumstances.binding.take())?;
                let begun = exchange.insert(ScramSha256::new(password, binding));
                frontend::sasl_initial_response(mechanism, begun.message(), &mut reply)?;
            }
            Message::AuthenticationSaslContinue(challenge) => {
                let running = exchange.as_mut().ok_or(WireError::Protocol)?;
                running.update(challenge.data()).map_err(|_unfit| UNPROVEN)?;
                frontend::sasl_response(running.message(), &mut reply)?;
            }
            Message::AuthenticationSaslFinal(proof) => {
                let mut running = exchange.take().ok_or(WireError::Protocol)?;
                running.finish(proof.data()).map_err(|_unfit| UNPROVEN)?;
                continue;
            }
            Message::AuthenticationGss
            | Message::AuthenticationSspi
            | Message::AuthenticationKerberosV5
            | Message::AuthenticationScmCredential => {
                return Err(WireError::Refused("the server wants another proof of identity than a password"));
            }
            _ => return Err(WireError::Protocol),
        }
        wire.write(&reply).await?;
    }
}

/// The way of the exchange: bound to the stream where both sides can. A server that could and does not say so is told that we could, so
/// that nobody in the middle talks us out of it.
fn choose(offered: &AuthenticationSaslBody, binding: Option<Vec<u8>>) -> Result<(&'static str, ChannelBinding), WireError> {
    let mut names = offered.mechanisms();
    let (mut bound, mut unbound) = (false, false);
    while let Some(name) = names.next().map_err(|_unreadable| WireError::Protocol)? {
        bound |= name == SCRAM_SHA_256_PLUS;
        unbound |= name == SCRAM_SHA_256;
    }
    match binding {
        Some(hash) if bound => Ok((SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))),
        Some(_) if unbound => Ok((SCRAM_SHA_256, ChannelBinding::unrequested())),
        None if unbound => Ok((SCRAM_SHA_256, ChannelBinding::unsupported())),
        _ => Err(WireError::Refused("the server wants another proof of identity than a password")),
    }
}

async fn expected(wire: &mut Wire) -> Result<Message, WireError> {
    match wire.event().await? {
        Event::Message(message) => Ok(message),
        Event::Failed(error) => Err(WireError::Server(error)),
    }
}
