//! Connecting an account in the browser: off to the vendor with state and PKCE, back with a code, and taking it back.
//!
//! A flow is bound to the session that began it (or the visit, of somebody with a link), to its workspace and to its
//! connection. Nothing is exchanged unless all three are the same when the vendor sends the person back.

pub(crate) mod connect_link;
mod pages;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::Response,
    routing::get,
};
use sha2::{Digest, Sha256};
use syncline_connect::{Grant, OAuth, Secret, TokenSet, oauth::TokenCx, pkce};
use syncline_engine::{ConnectionSetup, GrantKind};
use syncline_store::StoredTokens;
use url::{Url, form_urlencoded};

use crate::{
    page::{self, Signed},
    problem::{Code, Problem},
    shared::Shared,
    shown::Shown,
};

/// How long a person may take at the vendor (checklist S1).
const FLOW_MINUTES: i64 = 10;

/// Characters of a vendor's own words that are shown.
const WORDS_MAX: usize = 200;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/connect/{connection}", get(begin))
        .route("/connected/{connection}", get(pages::connected))
        .route("/oauth/callback/{connection}", get(callback))
        .merge(connect_link::routes())
}

/// Who began a flow, with what it is bound to.
#[derive(Clone, Copy)]
enum Holder {
    SignedIn([u8; 32]),
    WithLink([u8; 32]),
}

impl Holder {
    fn hash(self) -> [u8; 32] {
        match self {
            Self::SignedIn(hash) | Self::WithLink(hash) => hash,
        }
    }
}

/// `GET /connect/{connection}`: sends a signed-in person to the vendor.
async fn begin(
    State(shared): State<Arc<Shared>>,
    signed: Signed,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if page::cross_site(&headers) {
        return page::problem(Problem::new(Code::CrossSite));
    }
    let Some(setup) = shared.connection(&signed.workspace, &id) else {
        return page::problem(Problem::new(Code::NotFound));
    };
    match authorise(&shared, setup, Holder::SignedIn(signed.session.hash())).await {
        Ok(url) => page::redirect(url.as_str()),
        Err(problem) => page::problem(problem),
    }
}

async fn authorise(shared: &Shared, setup: &ConnectionSetup, holder: Holder) -> Result<Url, Problem> {
    let oauth = in_browser(setup)?;
    let entropy = &*shared.engine.world().entropy;
    let (state, verifier) = (pkce::state(entropy), pkce::verifier(entropy));
    let url = oauth.authorize_url(&setup.app, &setup.settings, &state, &pkce::challenge(&verifier));
    let url = url.map_err(|error| Problem::new(Code::NotConnectable).detail(error.message))?;
    let expires = shared.now().saturating_add(jiff::SignedDuration::from_mins(FLOW_MINUTES)).unwrap_or(shared.now());
    let (workspace, holder) = (&setup.workspace, holder.hash());
    let begun =
        shared.store().begin_oauth(workspace, &setup.id, hash(&state), verifier.expose(), holder, expires).await;
    begun.map_err(|error| Problem::store(shared, &error))?;
    Ok(url)
}

fn in_browser(setup: &ConnectionSetup) -> Result<&'static dyn OAuth, Problem> {
    match (&setup.grant, setup.connector.oauth()) {
        (GrantKind::Browser, Some(oauth)) => Ok(oauth),
        _ => Err(Problem::new(Code::NotConnectable)
            .detail("it is configured with a grant of its own, so nobody needs to sign in")),
    }
}

/// `GET /oauth/callback/{connection}`: the vendor sent the person back. Only this exact path is registered.
async fn callback(State(shared): State<Arc<Shared>>, uri: Uri, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let session = shared.sessions.read(&headers, shared.now()).map(|session| Holder::SignedIn(session.hash()));
    let visit = shared.sessions.read_visit(&headers).map(Holder::WithLink);
    let holders: Vec<Holder> = session.into_iter().chain(visit).collect();
    let finished = if holders.is_empty() {
        Err(Problem::new(Code::OauthState).detail("sign in first, then connect again"))
    } else {
        finish(&shared, &holders, &id, &uri).await
    };
    match finished {
        Ok((setup, Holder::SignedIn(_))) => page::redirect(&connected_address(&shared, setup)),
        Ok((setup, Holder::WithLink(_))) => connect_link::connected(&shared, setup).await,
        Err(problem) => page::problem(problem),
    }
}

fn connected_address(shared: &Shared, setup: &ConnectionSetup) -> String {
    let segment: String = form_urlencoded::byte_serialize(setup.id.as_str().as_bytes()).collect();
    match shared.workspaces.len() {
        0 | 1 => format!("/connected/{segment}"),
        _ => {
            let workspace: String = form_urlencoded::byte_serialize(setup.workspace.as_str().as_bytes()).collect();
            format!("/connected/{segment}?workspace={workspace}")
        }
    }
}

/// What the vendor sent along.
#[derive(Default)]
struct Returned {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    description: Option<String>,
    issuer: Option<String>,
}

impl Returned {
    fn read(uri: &Uri) -> Self {
        let mut returned = Self::default();
        for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let place = match &*key {
                "code" => &mut returned.code,
                "state" => &mut returned.state,
                "error" => &mut returned.error,
                "error_description" => &mut returned.description,
                "iss" => &mut returned.issuer,
                _ => continue,
            };
            place.get_or_insert_with(|| value.into_owned());
        }
        returned
    }
}

async fn finish<'a>(
    shared: &'a Shared,
    holders: &[Holder],
    id: &str,
    uri: &Uri,
) -> Result<(&'a ConnectionSetup, Holder), Problem> {
    let foreign = || Problem::new(Code::OauthState);
    // Another spelling of the same path is not the address that is registered.
    if uri.path() != format!("/oauth/callback/{id}") {
        return Err(Problem::new(Code::NotFound));
    }
    let returned = Returned::read(uri);
    let state = returned.state.as_deref().ok_or_else(foreign)?;
    let mut taken = None;
    for holder in holders {
        let found = shared.store().take_oauth(hash(state), holder.hash(), shared.now()).await;
        if let Some(found) = found.map_err(|error| Problem::store(shared, &error))? {
            taken = Some((found, *holder));
            break;
        }
    }
    let ((workspace, connection, verifier), holder) = taken.ok_or_else(foreign)?;
    if connection.as_str() != id {
        return Err(foreign().detail("the answer belongs to another connection"));
    }
    let setup = shared.engine.setup().connection(&workspace, &connection).ok_or_else(foreign)?;
    let oauth = in_browser(setup)?;
    if let Some(issuer) = &returned.issuer
        && !issued_by(issuer, oauth, setup)
    {
        return Err(foreign().detail("the answer comes from another issuer"));
    }
    if let Some(error) = &returned.error {
        let words = returned.description.as_deref().unwrap_or(error);
        return Err(Problem { status: axum::http::StatusCode::BAD_REQUEST, ..Problem::new(Code::OauthFailed) }
            .detail(format!("the vendor says: {}", Shown::short(words, WORDS_MAX))));
    }
    let code = returned.code.ok_or_else(|| foreign().detail("the answer has no code"))?;
    let grant = Grant::Code { code: Secret::new(code), verifier: Secret::new(verifier) };
    let set = shared.engine.exchange(setup, &grant).await.map_err(|error| {
        let trace = shared.trace_id();
        tracing::warn!(%trace, connection.id = %setup.id, kind = ?error.kind, "Could not connect {}: {}", setup.id, error.message);
        Problem { trace: Some(trace), ..Problem::new(Code::OauthFailed) }.detail(error.message)
    })?;
    keep(shared, setup, &set).await?;
    Ok((setup, holder))
}

/// The issuer of RFC 9207: the host that we sent the person to, or one of the vendor's own domains.
fn issued_by(issuer: &str, oauth: &dyn OAuth, setup: &ConnectionSetup) -> bool {
    let Some(host) = Url::parse(issuer).ok().and_then(|url| url.host_str().map(str::to_owned)) else { return false };
    let sent_to = oauth.authorize_url(&setup.app, &setup.settings, "", "");
    let same = sent_to.is_ok_and(|url| url.host_str() == Some(&host));
    let trusted = setup.connector.manifest().trusted_domains.iter();
    same || trusted
        .map(|domain| domain.trim_start_matches('.'))
        .any(|domain| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

async fn keep(shared: &Shared, setup: &ConnectionSetup, set: &TokenSet) -> Result<(), Problem> {
    let tokens = StoredTokens {
        access: set.access.expose().to_owned(),
        refresh: set.refresh.as_ref().map(|token| token.expose().to_owned()),
        base_url: set.base_url.to_string(),
        expires_at: set.expires_at,
        account: set.account.clone(),
    };
    let (store, vendor) = (shared.store(), setup.connector.manifest().vendor);
    let failed = |error: syncline_store::Error| Problem::store(shared, &error);
    store.ensure_connection(&setup.workspace, &setup.id, vendor).await.map_err(failed)?;
    // Without an expected version: a person's new grant overrides whatever a refresh is about to store.
    store.store_tokens(&setup.workspace, &setup.id, &tokens, None).await.map_err(failed)?;
    shared.engine.forget_token(setup).await;
    shared.engine.read_connected(setup).await.map_err(failed)?;
    shared.engine.wake();
    tracing::info!(connection.id = %setup.id, "Connected {}", setup.id);
    Ok(())
}

/// Withdraws the grant at the vendor and destroys our copy; whether the vendor confirmed it.
pub(crate) async fn disconnect(shared: &Shared, setup: &ConnectionSetup) -> Result<bool, Problem> {
    let failed = |error: syncline_store::Error| Problem::store(shared, &error);
    let row = shared.store().connection(&setup.workspace, &setup.id).await.map_err(failed)?;
    // Ours first: if the vendor does not answer, the account is disconnected all the same.
    shared.engine.disconnect(setup).await.map_err(failed)?;
    let (Some(tokens), Some(oauth)) = (row.and_then(|row| row.tokens), setup.connector.oauth()) else {
        return Ok(false);
    };
    let world = shared.engine.world();
    let cx = TokenCx { http: &*world.http, now: shared.now(), app: &setup.app, settings: &setup.settings };
    // A refresh token's revocation takes the access tokens with it.
    let token = Secret::new(tokens.refresh.unwrap_or(tokens.access));
    match oauth.revoke(&cx, &token).await {
        Ok(()) => Ok(true),
        Err(error) => {
            tracing::warn!(connection.id = %setup.id, kind = ?error.kind, "The vendor did not confirm that the grant of {} is withdrawn", setup.id);
            Ok(false)
        }
    }
}

fn hash(state: &str) -> [u8; 32] {
    Sha256::digest(state.as_bytes()).into()
}

#[cfg(test)]
mod tests;
