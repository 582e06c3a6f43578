//! An exchange over HTTP/2 that stays open while both sides talk, before any socket. What is said in it is the site's
//! business.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::mpsc;

/// Pieces that may wait on either way: whoever does not read is not talked to.
pub const PIECES_MAX: usize = 16;

/// The site's end of an exchange.
pub struct Talk {
    /// What the client says, cut anywhere.
    pub said: mpsc::Receiver<Bytes>,
    /// Dropped without trailers, the exchange breaks.
    pub say: mpsc::Sender<Say>,
}

/// The client's end.
pub struct Listener {
    pub say: mpsc::Sender<Bytes>,
    pub said: mpsc::Receiver<Say>,
}

/// A piece of what the site says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    Bytes(Bytes),
    /// The last piece.
    Trailers(HeaderMap),
}

/// What a site does in an exchange.
pub type Talking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Both ends of a new exchange.
pub fn ends() -> (Talk, Listener) {
    let (say, said) = mpsc::channel(PIECES_MAX);
    let (client_says, client_said) = mpsc::channel(PIECES_MAX);
    (Talk { said: client_said, say }, Listener { say: client_says, said })
}
