//! Exchanges that stay open: HTTP/2, to the same addresses as every other call, for as long as the other side is not
//! silent.

use std::{convert::Infallible, sync::Arc};

use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use syncline_connect::{
    HttpError,
    http::{Incoming, Outgoing, Part, SILENCE_MAX},
};

use super::{CONNECT_DEADLINE, Client, PublicOnly, reqwest_builder};

impl Client {
    /// Opens an exchange. Nothing is followed anywhere else, and no proxy is used.
    pub(super) async fn open_lasting(
        &self,
        request: http::Request<Outgoing>,
    ) -> Result<http::Response<Incoming>, HttpError> {
        let (parts, said) = request.into_parts();
        let (url, host) = self.admitted(&parts.uri)?;
        let body = reqwest::Body::wrap_stream(said.map(Ok::<_, Infallible>));
        let request = self.lasting(&host)?.request(parts.method, url).headers(parts.headers).body(body);
        let answer = request.send().await.map_err(|error| self.not_answered(&host, &error))?;
        let (head, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        let parts = stream::unfold(Some(body), move |body| {
            let host = host.clone();
            async move {
                let mut body = body?;
                let part = match body.frame().await? {
                    Ok(frame) => match frame.into_data() {
                        Ok(bytes) => Ok(Part::Bytes(bytes)),
                        // There is nothing else that a frame can be.
                        Err(frame) => Ok(Part::Trailers(frame.into_trailers().unwrap_or_default())),
                    },
                    Err(error) => {
                        let reason = if error.is_timeout() {
                            format!("nothing was heard for {} s", SILENCE_MAX.as_secs())
                        } else {
                            "the connection broke".to_owned()
                        };
                        return Some((Err(HttpError::Unanswered { host, reason }), None));
                    }
                };
                Some((part, Some(body)))
            }
        });
        Ok(http::Response::from_parts(head, Box::pin(parts)))
    }

    #[expect(clippy::disallowed_types, reason = "this is where the real client is handed in")]
    fn lasting(&self, host: &str) -> Result<&reqwest::Client, HttpError> {
        if let Some(client) = self.lasting.get() {
            return Ok(client);
        }
        let built = reqwest_builder()
            .dns_resolver(Arc::new(PublicOnly { allowed: Arc::clone(&self.allowed) }))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .gzip(false)
            .http2_prior_knowledge()
            .connect_timeout(CONNECT_DEADLINE)
            .read_timeout(SILENCE_MAX)
            .tcp_nodelay(true)
            .user_agent(concat!("syncline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HttpError::NotSent { host: host.to_owned(), reason: error.to_string() })?;
        Ok(self.lasting.get_or_init(|| built))
    }
}
