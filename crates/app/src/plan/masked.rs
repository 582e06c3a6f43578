//! Settings as they may be shown and kept: complete, save that nothing secret is in them. Secrets by reference stand there as
//! the file has them (`env:NAME`, `file:path`), what is behind those does not.

use serde_json::Value;
use url::Url;

use crate::config::Config;

/// Stands for what is not shown.
const HIDDEN: &str = "***";

/// The settings of a file.
pub fn masked(config: &Config) -> Value {
    let mut value = serde_json::to_value(config).expect("settings that were read from text can be written as text");
    mask(&mut value);
    value["database"] = Value::from(database(&config.database));
    if let Some(url) = config.alerts.webhook.as_ref().map(|webhook| &webhook.url) {
        // Tools give out addresses that whoever knows them may post to.
        value["alerts"]["webhook"]["url"] = Value::from(format!("{}/{HIDDEN}", url.origin().ascii_serialization()));
    }
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(shown) = address(text) {
                *text = shown;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(mask),
        Value::Object(table) => table.values_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An address that bears credentials, without them; nothing where the text is fine as it is.
fn address(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(Url::has_authority)?;
    let bears =
        url.password().is_some() || !url.username().is_empty() || url.query().is_some() || url.fragment().is_some();
    if !bears {
        return None;
    }
    let is_web = matches!(url.scheme(), "http" | "https");
    let user = if is_web { String::new() } else { url.username().to_owned() };
    let password = url.password().map(|_| HIDDEN);
    let query = if is_web { url.query().map(|_| HIDDEN.to_owned()) } else { parameters(&url) };
    url.set_query(query.as_deref());
    url.set_fragment(None);
    let set = url.set_username(&user).and_then(|()| url.set_password(password));
    Some(if set.is_ok() { url.to_string() } else { HIDDEN.to_owned() })
}

/// A database's parameters say how to reach it (`sslmode`), and may hold its password.
fn parameters(url: &Url) -> Option<String> {
    let shown = |part: &str| match part.split_once('=') {
        Some((key @ ("sslmode" | "sslrootcert" | "host" | "port" | "dbname" | "user"), value)) => {
            format!("{key}={value}")
        }
        Some((key, _)) => format!("{key}={HIDDEN}"),
        None => HIDDEN.to_owned(),
    };
    url.query().map(|query| query.split('&').map(shown).collect::<Vec<_>>().join("&"))
}

/// An address that cannot be taken apart is not shown at all: nobody knows where in it a password stands.
fn database(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    match Url::parse(text) {
        // Where a password holds a slash that is not encoded, the rest of it is taken for the path.
        Ok(url) if url.has_authority() && !url.path().contains('@') => address(text).unwrap_or_else(|| text.to_owned()),
        _ => HIDDEN.to_owned(),
    }
}
