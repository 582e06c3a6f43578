//! Mails on their way out. What is said, and to whom, is decided elsewhere; how a mail is carried is handed in ([`Mailer`]).

use std::fmt;

use syncline_connect::{BoxFuture, calendar::Invitation};
use syncline_core::calendar::event::Party;

/// A mail on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The same whenever the same is sent, so that a mail which comes twice can be seen to be one.
    pub id: String,
    pub subject: String,
    pub text: String,
    /// Whom it goes to where that is not those who operate this server.
    pub guest: Option<Guest>,
}

/// A guest of a meeting, or who invited to it, and what his calendar is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    pub email: String,
    /// In whose name it is written, and who gets the answers.
    pub organizer: Party,
    pub calendar: Invitation,
}

/// Why a mail is not known to be on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// It was not taken; later it may be.
    Later(String),
    /// It was not taken, and will not be as it is.
    Refused(String),
    /// Nobody knows whether it was taken.
    Unknown(String),
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (NotSent::Later(why) | NotSent::Refused(why) | NotSent::Unknown(why)) = self;
        f.write_str(why)
    }
}

/// Carries mails.
pub trait Mailer: Send + Sync {
    /// Hands a mail to the mail server; the error says in words why it did not take it, without anybody's address.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), NotSent>>;
}
