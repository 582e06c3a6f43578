//! The partner SOAP API's `login` and `logout`, which older clients use to get a session.

use bytes::Bytes;
use http::Response;

use crate::salesforce::{SalesforceOrg, State, console::escape, reply};

impl SalesforceOrg {
    pub(super) fn soap(
        &self,
        state: &mut State,
        base: &str,
        request: &http::Request<Bytes>,
        version: &str,
        now: i64,
    ) -> Response<Bytes> {
        let body = String::from_utf8_lossy(request.body());
        if let Some(version) = version.split('/').next()
            && self.version(version).is_none()
        {
            return fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL");
        }
        if element(&body, "logout").is_some() || body.contains(":logout") {
            if let Some(token) = element(&body, "sessionId") {
                state.tokens.revoke(&token);
            }
            return envelope(200, "<logoutResponse/>");
        }
        let (Some(username), Some(password)) = (element(&body, "username"), element(&body, "password")) else {
            return fault("UNKNOWN_EXCEPTION", "only login and logout are supported by this sandbox");
        };
        let Some(user) = self.log_in(state, &username, &password) else {
            return fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.");
        };
        let lifetime = self.config.access_token_seconds;
        let session = state.tokens.new_access(&*self.entropy, self.org_id, user, now, lifetime);
        let version = version.split('/').next().unwrap_or_default();
        let (org, id) = (self.org_id.as_str(), user.as_str());
        let text = |field: &str| escape(&self.user_text(state, user, field));
        let result = format!(
            "<loginResponse><result><metadataServerUrl>{base}/services/Soap/m/{version}/{org15}</metadataServerUrl>\
             <passwordExpired>false</passwordExpired><sandbox>false</sandbox>\
             <serverUrl>{base}/services/Soap/u/{version}/{org15}</serverUrl><sessionId>{session}</sessionId>\
             <userId>{id}</userId><userInfo><organizationId>{org}</organizationId>\
             <organizationName>{org_name}</organizationName><sessionSecondsValid>{lifetime}</sessionSecondsValid>\
             <userEmail>{email}</userEmail><userFullName>{name}</userFullName><userId>{id}</userId>\
             <userLanguage>en_US</userLanguage><userLocale>en_US</userLocale><userName>{username}</userName>\
             <userTimeZone>GMT</userTimeZone><userType>Standard</userType></userInfo></result></loginResponse>",
            org15 = &org[..15],
            org_name = escape(&self.config.org_name),
            email = text("Email"),
            name = text("Name"),
            username = text("Username"),
        );
        envelope(200, &result)
    }
}

/// The text of the first element of this local name, whatever its prefix.
fn element(xml: &str, name: &str) -> Option<String> {
    let mut rest = xml;
    while let Some(open) = rest.find('<') {
        let tag = &rest[open + 1..];
        let close = tag.find('>')?;
        let full = tag[..close].split_whitespace().next().unwrap_or_default();
        let local = full.rsplit(':').next().unwrap_or_default();
        let after = &tag[close + 1..];
        if local == name && !full.starts_with('/') && !tag[..close].ends_with('/') {
            let end = after.find("</")?;
            return Some(unescape(&after[..end]));
        }
        rest = after;
    }
    None
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
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
