//! Addresses on a server: every spelling of one comes to the same path, and none leads to another server.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use url::Url;

/// Longest path that is taken: what servers take themselves (RFC 9110, section 4.1, asks for 8,000 octets of a whole URI).
const PATH_BYTES_MAX: usize = 8_000;

/// What cannot stand in a segment of a path as it is (RFC 3986, section 3.3).
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// An address that is not on the server that we were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// The other server, to be shown.
    Origin(String),
    /// It is no address at all.
    Nowhere,
}

/// The path of what an answer calls so, in one spelling.
pub fn canonical(href: &str, base: &Url) -> Result<String, Elsewhere> {
    if href.len() > PATH_BYTES_MAX {
        return Err(Elsewhere::Nowhere);
    }
    let url = base.join(href).map_err(|_| Elsewhere::Nowhere)?;
    if url.origin() != base.origin() {
        return Err(Elsewhere::Origin(url.origin().ascii_serialization()));
    }
    Ok(spelled(url.path()))
}

/// The path that an account begins at.
pub fn own(base: &Url) -> String {
    spelled(base.path())
}

fn spelled(path: &str) -> String {
    let segment = |text: &str| {
        let bytes: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&bytes, ENCODED).to_string()
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The address of a path on a server.
pub fn address(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// A path as short as it can be said within a collection.
pub fn within<'p>(path: &'p str, collection: &str) -> &'p str {
    path.strip_prefix(collection).filter(|rest| !rest.is_empty() && !rest.starts_with('/')).unwrap_or(path)
}

/// The path again.
pub fn whole(name: &str, collection: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("{collection}{name}") }
}

/// What people read at the end of a path.
pub fn last(path: &str) -> String {
    let segment = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
