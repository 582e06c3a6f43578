//! Reading a body within its limits of size and time.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use crate::{
    problem::{Code, Problem},
    shared::Shared,
};

/// The whole body, or why not.
pub(crate) async fn read(shared: &Shared, body: Body) -> Result<Bytes, Problem> {
    let limit = shared.options.body_limit;
    let too_large = || Problem::new(Code::BodyTooLarge).detail(format!("the limit is {limit} bytes"));
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let whole = Limited::new(body, limit).collect();
    match tokio::time::timeout(shared.options.limits.body_timeout, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::BadParameter).detail("the body ended early or cannot be read")),
        Err(_) => Err(Problem::new(Code::BodyTimeout)),
    }
}
