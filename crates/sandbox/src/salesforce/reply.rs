//! HTTP responses of the usual kinds.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::Value;

pub fn json(status: u16, body: &Value) -> Response<Bytes> {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    typed(status, "application/json;charset=UTF-8", bytes.into())
}

pub fn html(status: u16, page: String) -> Response<Bytes> {
    typed(status, "text/html; charset=utf-8", page.into())
}

pub fn text(status: u16, text: &str) -> Response<Bytes> {
    typed(status, "text/plain; charset=utf-8", text.to_owned().into())
}

pub fn xml(status: u16, xml: String) -> Response<Bytes> {
    typed(status, "text/xml; charset=utf-8", xml.into())
}

pub fn empty(status: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response
}

pub fn redirect(target: &str) -> Response<Bytes> {
    let mut response = empty(302);
    set(&mut response, "location", target);
    response
}

/// Sets a header; a value that cannot be one is left out.
pub fn set(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(
            header::HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).unwrap_or(header::WARNING),
            value,
        );
    }
}

pub fn typed(status: u16, kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = empty(status);
    *response.body_mut() = body;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
