//! What every page has: its frame, its headers, who it is for, and the check that a form came from one of our pages.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde_json::json;
use syncline_core::ids::WorkspaceId;
use syncline_store::{JournalEntry, JournalKind};
use url::form_urlencoded;

use crate::{
    hooks::body,
    problem::{Code, Problem},
    session::Session,
    shared::Shared,
    shown::Shown,
};

/// No script, no picture, nothing from elsewhere.
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The pages that every page leads to, by their addresses.
pub(crate) const MENU: [(&str, &str); 4] =
    [("/", "Overview"), ("/activity", "Activity"), ("/bookings", "Bookings"), ("/integrations", "Integrations")];

/// Characters of an address that the journal keeps.
const ADDRESS_MAX: usize = 200;

/// Around every page.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// Absent where nobody is signed in.
    pub(crate) form_token: Option<String>,
    /// Where the reader is.
    path: String,
    pub(crate) workspace: String,
    /// More than one: then addresses name it.
    pub(crate) workspaces: Vec<String>,
}

impl Frame {
    /// A frame without menu, for who is not signed in.
    pub(crate) fn bare(title: &str) -> Self {
        let (title, path, workspace) = (title.to_owned(), String::new(), String::new());
        Self { title, form_token: None, path, workspace, workspaces: Vec::new() }
    }

    /// An address within this workspace.
    pub(crate) fn href(&self, path: &str) -> String {
        self.href_with(path, &[])
    }

    /// An address within this workspace, with what is asked for; blank values are left out.
    pub(crate) fn href_with(&self, path: &str, asked: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.workspaces.len() > 1 {
            query.append_pair("workspace", &self.workspace);
        }
        query.extend_pairs(asked.iter().filter(|(_, value)| !value.is_empty()));
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// Whether the reader is at this page of the menu, or at one that belongs to it.
    pub(crate) fn is_within(&self, page: &str) -> bool {
        self.path == page || page != "/" && self.path.starts_with(&format!("{page}/"))
    }

    /// What every form carries beside its own fields.
    pub(crate) fn token(&self) -> &str {
        self.form_token.as_deref().unwrap_or_default()
    }
}

/// A signed-in person looking at a workspace.
pub(crate) struct Signed {
    pub(crate) session: Session,
    pub(crate) workspace: WorkspaceId,
    path: String,
}

impl Signed {
    pub(crate) fn frame(&self, shared: &Shared, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            form_token: Some(shared.sessions.form_token(&self.session)),
            path: self.path.clone(),
            workspace: self.workspace.as_str().to_owned(),
            workspaces: shared.workspaces.iter().map(|workspace| workspace.as_str().to_owned()).collect(),
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Response> {
        let Some(session) = shared.sessions.read(&parts.headers, shared.now()) else {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("next", parts.uri.path());
            return Err(redirect(&format!("/sign-in?{}", query.finish())));
        };
        let pairs: Vec<_> = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).collect();
        let named = pairs.iter().find(|(key, _)| key == "workspace").map(|(_, value)| &**value);
        let workspace = shared.workspace(named).cloned().ok_or_else(|| problem(Problem::new(Code::NotFound)))?;
        Ok(Self { session, workspace, path: parts.uri.path().to_owned() })
    }
}

/// A form that a signed-in person sent from one of our pages.
pub(crate) struct Sent {
    pub(crate) signed: Signed,
    fields: Vec<(String, String)>,
}

impl Sent {
    /// A field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Arc<Shared>> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let signed = Signed::from_request_parts(&mut parts, shared).await?;
        let fields = fields(shared, body).await.map_err(problem)?;
        let token = fields.iter().find(|(key, _)| key == "form_token").map(|(_, value)| value.as_str());
        let ours = token.is_some_and(|token| shared.sessions.is_form_token(&signed.session, token));
        if !ours && !from_our_origin(&parts.headers, shared) {
            return Err(problem(Problem::new(Code::CrossSite)));
        }
        let address: String = parts.uri.path().chars().take(ADDRESS_MAX).collect();
        let entry = JournalEntry {
            at: shared.now(),
            kind: JournalKind::Operator,
            text: format!("Asked for by somebody who is signed in: {address}"),
            details: json!({ "method": parts.method.as_str(), "address": address, "by": "console" }),
        };
        let noted = shared.store().note(&signed.workspace, entry).await;
        noted.map_err(|error| problem(Problem::store(shared, &error)))?;
        Ok(Self { signed, fields })
    }
}

/// The fields of a form.
pub(crate) async fn fields(shared: &Shared, body: Body) -> Result<Vec<(String, String)>, Problem> {
    Ok(form_urlencoded::parse(&body::read(shared, body).await?).into_owned().collect())
}

/// Whether the browser itself says that one of our pages sent this.
fn from_our_origin(headers: &HeaderMap, shared: &Shared) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = shared.options.public_url.origin().ascii_serialization();
    matches!(text("sec-fetch-site"), Some("same-origin" | "none")) && text("origin") == Some(&ours)
}

/// Whether the browser says that another site began this.
pub(crate) fn cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|value| value == "cross-site" || value == "same-site")
}

/// A page.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let mut response = (status, text).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
            response
        }
        Err(error) => {
            tracing::error!(%error, "A page could not be made");
            Problem::new(Code::Internal).into_response()
        }
    }
}

/// The way on after a form, or to the sign-in.
pub(crate) fn redirect(to: &str) -> Response {
    Redirect::to(to).into_response()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    code: &'static str,
    status: u16,
    detail: Option<Shown>,
    trace: Option<String>,
}

/// A problem as a page for people.
pub(crate) fn problem(problem: Problem) -> Response {
    let page = ProblemPage {
        frame: Frame::bare(problem.code.title()),
        code: problem.code.as_str(),
        status: problem.status.as_u16(),
        detail: problem.detail.as_deref().map(Shown::value),
        trace: problem.trace.clone(),
    };
    html(problem.status, &page)
}

/// Whether a browser asks, for people.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// A problem as whoever asks can read it: a page for people, JSON for programs.
pub(crate) fn refusal(headers: &HeaderMap, refused: Problem) -> Response {
    if is_asked_for(headers) { problem(refused) } else { refused.into_response() }
}

/// A time as people read it.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
