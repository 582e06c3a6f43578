//! The partner SOAP API, as far as there is no REST resource for it: logging in and out, conversion, merging, the recycle
//! bin.

mod login;
mod records;
#[cfg(test)]
mod tests;
mod xml;

use bytes::Bytes;
use http::Response;

use self::xml::Element;
use super::{SalesforceOrg, State, reply};

/// One SOAP call: who asks by which session, and what.
struct SoapCall<'a> {
    session: Option<&'a str>,
    /// The element within the body.
    asked: &'a Element,
    now: i64,
}

impl SalesforceOrg {
    pub(super) fn soap(
        &self,
        state: &mut State,
        base: &str,
        request: &http::Request<Bytes>,
        version: &str,
        now: i64,
    ) -> Response<Bytes> {
        let version = version.split('/').next().unwrap_or_default();
        if self.version(version).is_none() {
            return fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL");
        }
        let text = String::from_utf8_lossy(request.body());
        let envelope = xml::parse(&text);
        let body = envelope.as_ref().and_then(|envelope| envelope.child("Body"));
        let Some(asked) = body.and_then(|body| body.children.first()) else {
            return fault("UNKNOWN_EXCEPTION", "the request is not a SOAP envelope");
        };
        let session = envelope.as_ref().and_then(|envelope| envelope.find("sessionId")).map(|id| id.text.trim());
        let call = SoapCall { session, asked, now };
        match asked.name.as_str() {
            "login" => self.soap_login(state, base, version, &call),
            "logout" => {
                if let Some(token) = call.session {
                    state.tokens.revoke(token);
                }
                answer("logout", "")
            }
            "convertLead" | "merge" | "undelete" | "emptyRecycleBin" => self.soap_records(state, &call),
            other => fault(
                "UNKNOWN_EXCEPTION",
                &format!("{} is not supported by this sandbox", super::console::escape(other)),
            ),
        }
    }
}

/// `<{name}Response>…</{name}Response>`
fn answer(name: &str, results: &str) -> Response<Bytes> {
    envelope(200, &format!("<{name}Response>{results}</{name}Response>"))
}

fn fault(code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring><detail>\
         <sf:UnexpectedErrorFault><sf:exceptionCode>{code}</sf:exceptionCode>\
         <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:UnexpectedErrorFault></detail></soapenv:Fault>"
    );
    envelope(500, &body)
}

fn envelope(status: u16, inner: &str) -> Response<Bytes> {
    reply::xml(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\" \
             xmlns:sf=\"urn:fault.partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
             <soapenv:Body>{inner}</soapenv:Body></soapenv:Envelope>"
        ),
    )
}
