//! `login`, which older clients use to get a session.

use bytes::Bytes;
use http::Response;

use super::{SoapCall, envelope, fault};
use crate::salesforce::{SalesforceOrg, State, console::escape};

impl SalesforceOrg {
    pub(super) fn soap_login(
        &self,
        state: &mut State,
        base: &str,
        version: &str,
        call: &SoapCall<'_>,
    ) -> Response<Bytes> {
        let (Some(username), Some(password)) = (call.asked.told("username"), call.asked.told("password")) else {
            return fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.");
        };
        let Some(user) = self.log_in(state, username, password) else {
            return fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.");
        };
        let lifetime = self.config.access_token_seconds;
        let session = state.tokens.new_access(&*self.entropy, self.org_id, user, call.now, lifetime);
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
