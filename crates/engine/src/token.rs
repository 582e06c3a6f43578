//! Access tokens: kept in memory, refreshed once for all workers of all processes, stored before they are used.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Connector, Error, ErrorKind, Grant, Retry, Secret, TokenSet, oauth::TokenCx};
use syncline_core::{
    ids::{ConnectionId, WorkspaceId},
    mutant::{self, Mutant},
};
use syncline_store::{ConnectionStatus, StoredTokens, WorkerId};
use tokio::sync::Mutex;
use url::Url;

use crate::{
    alerts,
    engine::{Called, Engine},
    setup::{ConnectionSetup, GrantKind},
};

/// How many times a call's deadline a process may hold the right to refresh: it may be held up for as long as the call
/// may take.
const REFRESH_LEASE_CALLS: i32 = 2;

/// How often to look whether another process has finished refreshing.
const REFRESH_POLL: SignedDuration = SignedDuration::from_millis(100);

/// How long before a known expiry a token counts as old: as much as the clocks of two machines may differ.
const EXPIRY_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// How much earlier at the most, by account: those that were connected together are not renewed in one instant.
const RENEWALS_SPREAD: SignedDuration = SignedDuration::from_mins(2);

/// The part of a token's life that may be given up for both: a short one must not count as old from the beginning.
const MARGIN_SHARE: i32 = 5;

/// How long a connection rests whose app, key or policies the vendor refuses, before a token is asked for again.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// How often a new token is written down while the database fails, within the lease, and the first pause between.
const KEEP_TRIES: u32 = 6;
const KEEP_PAUSE: Duration = Duration::from_millis(200);

/// A token in use.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) bearer: Secret,
    pub(crate) base_url: Url,
    pub(crate) version: i64,
    /// From when on it counts as old; never, where nobody knows when it ends.
    renew_at: Option<Timestamp>,
}

type Slot = Arc<Mutex<Option<Arc<Token>>>>;

/// The tokens of this process; one lock a connection makes refreshing single-flight here.
#[derive(Default)]
pub(crate) struct Tokens(std::sync::Mutex<HashMap<(WorkspaceId, ConnectionId), Slot>>);

impl Tokens {
    fn slot(&self, setup: &ConnectionSetup) -> Slot {
        let mut slots = self.0.lock().expect("no code panics while it holds this lock");
        Arc::clone(slots.entry((setup.workspace.clone(), setup.id.clone())).or_default())
    }
}

impl Engine {
    /// A token to call with. `stale` is the version that the vendor has just refused.
    pub(crate) async fn token(&self, setup: &ConnectionSetup, stale: Option<i64>) -> Called<Arc<Token>> {
        if let GrantKind::Key { key, base_url } = &setup.grant {
            return match stale {
                None => {
                    Ok(Arc::new(Token { bearer: key.clone(), base_url: base_url.clone(), version: 0, renew_at: None }))
                }
                Some(_) => {
                    let error = reconnect("the vendor refuses the API key; make a new one there and enter it");
                    self.lose(setup, &error).await;
                    Err(error)
                }
            };
        }
        let slot = self.tokens.slot(setup);
        let mut held = slot.lock().await;
        let now = self.world.clock.now();
        let good = |token: &Token| Some(token.version) != stale && token.renew_at.is_none_or(|at| now < at);
        if let Some(token) = held.as_ref().filter(|token| good(token)) {
            return Ok(Arc::clone(token));
        }
        let token = self.renew(setup, &good).await?;
        *held = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Gets a new token by the connection's own grant, whatever became of the old one. For grants without a browser.
    pub async fn reconnect(&self, setup: &ConnectionSetup) -> Result<(), Error> {
        let row = self.world.store.connection(&setup.workspace, &setup.id).await.map_err(database)?;
        let grant = match &setup.grant {
            GrantKind::Browser => return Err(reconnect("this account is connected in the browser")),
            GrantKind::JwtBearer { username, key } => Grant::JwtBearer { username: username.clone(), key: key.clone() },
            GrantKind::ClientCredentials => Grant::ClientCredentials,
            // There is nothing to exchange.
            GrantKind::Key { .. } => {
                let (store, status) = (&self.world.store, ConnectionStatus::Connected);
                store.set_status(&setup.workspace, &setup.id, status, None).await.map_err(database)?;
                store.resume(&setup.workspace, &setup.id).await.map_err(database)?;
                return self.read_connected(setup).await.map_err(database);
            }
        };
        let set = self.exchange(setup, &grant).await?;
        self.keep(setup, set, None, row.map_or(0, |row| row.version)).await?;
        self.world.store.resume(&setup.workspace, &setup.id).await.map_err(database)?;
        self.forget_token(setup).await;
        self.read_connected(setup).await.map_err(database)
    }

    /// Stops using an account: our copy of the grant is destroyed, and nothing is called on its behalf until a person
    /// connects it again. What is known of its records stays, so that it goes on where it stopped.
    pub async fn disconnect(&self, setup: &ConnectionSetup) -> syncline_store::Result<()> {
        let store = &self.world.store;
        store.disconnect(&setup.workspace, &setup.id).await?;
        // Other grants than the browser's could be used again without anybody.
        if !matches!(setup.grant, GrantKind::Browser) {
            let why = format!("a person disconnected it; `syncline connect {}` takes it up again", setup.id);
            store.set_status(&setup.workspace, &setup.id, ConnectionStatus::NeedsReconnect, Some(&why)).await?;
        }
        self.forget_token(setup).await;
        self.forget_blocked();
        Ok(())
    }

    /// Forgets a connection's token, so that the next call reads it anew.
    pub async fn forget_token(&self, setup: &ConnectionSetup) {
        *self.tokens.slot(setup).lock().await = None;
    }

    /// Reads the stored token and, if it is not good, refreshes it; only one process does, the others wait for it.
    async fn renew(&self, setup: &ConnectionSetup, good: &(impl Fn(&Token) -> bool + Sync)) -> Called<Arc<Token>> {
        let name = format!("refresh:{}", setup.id);
        let holder = WorkerId(format!("r_{:016x}", self.random()));
        let lease = self.options.call.saturating_mul(REFRESH_LEASE_CALLS);
        let (mut waited, mut ahead) = (SignedDuration::ZERO, None);
        while waited <= lease {
            if let Some(token) = self.stored(setup).await?.filter(|token| good(token)) {
                return Ok(Arc::new(token));
            }
            if mutant::on(Mutant::RefreshUnlocked) {
                return self.refresh(setup, good, Timestamp::MAX).await;
            }
            let now = self.world.clock.now();
            let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
            let held = self.world.store.acquire_lease(&setup.workspace, &name, &holder, now, until).await;
            if let Some(fence) = held.map_err(database)? {
                let token = self.refresh(setup, good, until).await;
                let released = self.world.store.release_lease(&setup.workspace, &name, &holder, fence).await;
                if let Err(error) = released {
                    tracing::warn!(%error, "Could not give the refresh lease back; it runs out by itself");
                }
                return token;
            }
            if waited.is_zero() {
                ahead = self.world.store.lease_holder(&setup.workspace, &name).await.map_err(database)?;
            }
            tokio::time::sleep(REFRESH_POLL.unsigned_abs()).await;
            waited += REFRESH_POLL;
        }
        // A whole lease has gone by since: whoever took it cannot be calling any more, whatever its clock had said.
        if let Some(held) = ahead
            && self
                .world
                .store
                .release_lease(&setup.workspace, &name, &held.holder, held.fence)
                .await
                .map_err(database)?
        {
            tracing::warn!(connection.id = %setup.id, "Ended a refresh lease that was to last longer than any does");
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            Retry::Backoff,
            "refresh token",
            "another process is refreshing and did not finish",
        ))
    }

    async fn stored(&self, setup: &ConnectionSetup) -> Called<Option<Token>> {
        let row = self.world.store.connection(&setup.workspace, &setup.id).await.map_err(database)?;
        let Some(row) = row else { return Ok(None) };
        if row.status == ConnectionStatus::NeedsReconnect {
            return Err(reconnect("the grant was withdrawn or has run out"));
        }
        let Some(tokens) = row.tokens else { return Ok(None) };
        let base_url = Url::parse(&tokens.base_url).map_err(|_| {
            Error::new(
                ErrorKind::Configuration,
                Retry::Never,
                "read token",
                "the stored API address is no URL; reconnect",
            )
        })?;
        Ok(Some(Token {
            bearer: Secret::new(tokens.access),
            base_url,
            version: row.version,
            renew_at: tokens.expires_at.map(|end| renew_at(end, None, spread(setup, row.version))),
        }))
    }

    /// The holder of the lease refreshes, unless somebody did just before, or the lease may end before the call does.
    async fn refresh(
        &self,
        setup: &ConnectionSetup,
        good: &(impl Fn(&Token) -> bool + Sync),
        until: Timestamp,
    ) -> Called<Arc<Token>> {
        if let Some(token) = self.stored(setup).await?.filter(|token| good(token)) {
            return Ok(Arc::new(token));
        }
        let row = self.world.store.connection(&setup.workspace, &setup.id).await.map_err(database)?;
        let (version, old) = row.map_or((0, None), |row| (row.version, row.tokens));
        let grant = match (&setup.grant, old.as_ref().and_then(|tokens| tokens.refresh.clone())) {
            (GrantKind::Browser, Some(refresh)) => Grant::Refresh { token: Secret::new(refresh) },
            (GrantKind::Browser, None) => return Err(reconnect("nobody has connected this account yet")),
            (GrantKind::JwtBearer { username, key }, _) => {
                Grant::JwtBearer { username: username.clone(), key: key.clone() }
            }
            (GrantKind::ClientCredentials, _) => Grant::ClientCredentials,
            (GrantKind::Key { .. }, _) => return Err(reconnect("an API key is not renewed")),
        };
        if self.world.clock.now().saturating_add(self.options.call).unwrap_or(Timestamp::MAX) > until {
            return Err(Error::new(
                ErrorKind::Unavailable,
                Retry::Backoff,
                "refresh token",
                "this process was held up, and another one may be refreshing by now",
            ));
        }
        let set = match self.exchange(setup, &grant).await {
            Ok(set) => set,
            Err(error) => {
                return Err(match error.kind {
                    ErrorKind::Revoked => {
                        self.lose(setup, &error).await;
                        error
                    }
                    // The app, its key or its policies are wrong: no booking is to blame, and asking again at once would
                    // be refused again.
                    ErrorKind::Configuration => {
                        self.rest(setup, self.world.clock.now(), REFUSED_PAUSE, &error.message).await;
                        Error { kind: ErrorKind::Revoked, ..error }
                    }
                    _ => error,
                });
            }
        };
        self.keep(setup, set, old, version).await
    }

    /// One call to the vendor's token endpoint.
    pub async fn exchange(&self, setup: &ConnectionSetup, grant: &Grant) -> Result<TokenSet, Error> {
        let oauth = oauth(setup.connector)?;
        let now = self.world.clock.now();
        let cx = TokenCx { http: &*self.world.http, now, app: &setup.app, settings: &setup.settings };
        metrics::counter!("syncline_token_calls_total", "vendor" => setup.connector.manifest().vendor).increment(1);
        oauth.exchange(&cx, grant).await
    }

    /// Stores the whole answer before anybody uses it.
    async fn keep(
        &self,
        setup: &ConnectionSetup,
        set: TokenSet,
        old: Option<StoredTokens>,
        version: i64,
    ) -> Called<Arc<Token>> {
        let tokens = StoredTokens {
            access: set.access.expose().to_owned(),
            // No new refresh token in the answer means that the old one stays good.
            refresh: set.refresh.as_ref().map(|token| token.expose().to_owned()).or(old.and_then(|old| old.refresh)),
            base_url: set.base_url.to_string(),
            expires_at: set.expires_at,
            account: set.account,
        };
        let kept = mutant::on(Mutant::TokenUnstored) || self.write_tokens(setup, &tokens, version).await?;
        if !kept {
            return self
                .stored(setup)
                .await?
                .map(Arc::new)
                .ok_or_else(|| reconnect("the account was disconnected meanwhile"));
        }
        let (version, now) = (version + 1, self.world.clock.now());
        let renew_at = set.expires_at.map(|end| renew_at(end, Some(now), spread(setup, version)));
        let token = Token { bearer: set.access, base_url: set.base_url, version, renew_at };
        tracing::info!(connection.id = %setup.id, "Renewed the access token of {}", setup.id);
        Ok(Arc::new(token))
    }

    /// A vendor that rotates tokens has made the old one void: the new one must not be lost to a database that fails for
    /// a moment.
    async fn write_tokens(&self, setup: &ConnectionSetup, tokens: &StoredTokens, version: i64) -> Called<bool> {
        let mut tries = 1;
        loop {
            match self.world.store.store_tokens(&setup.workspace, &setup.id, tokens, Some(version)).await {
                Ok(kept) => return Ok(kept),
                Err(error) if tries >= KEEP_TRIES => return Err(database(error)),
                Err(error) => {
                    tracing::warn!(%error, "Could not keep a new token; trying again");
                    tokio::time::sleep(KEEP_PAUSE * tries).await;
                    tries += 1;
                }
            }
        }
    }

    /// The grant is void: a person has to connect the account again, and is told so.
    pub(crate) async fn lose(&self, setup: &ConnectionSetup, error: &Error) {
        tracing::error!(connection.id = %setup.id, "Connection {} needs to be connected again", setup.id);
        metrics::counter!("syncline_connections_lost_total").increment(1);
        let alert = alerts::connection_lost(setup, &error.message, self.world.clock.now());
        let lost = self.world.store.lose_connection(&setup.workspace, &setup.id, &error.message, alert).await;
        if let Err(error) = lost {
            tracing::warn!(%error, "Could not note that the connection is lost");
        }
        if let Err(error) = self.doubt_watches(setup).await {
            tracing::warn!(%error, "Could not note that the connection's calendars may not tell of changes any more");
        }
        self.forget_blocked();
    }
}

/// When a token is renewed that ends at `end`; how long it lives in all is known to whoever has just got it.
fn renew_at(end: Timestamp, got: Option<Timestamp>, spread: SignedDuration) -> Timestamp {
    let margin = EXPIRY_MARGIN + spread;
    let margin = got.map_or(margin, |got| margin.min(end.duration_since(got) / MARGIN_SHARE));
    end.saturating_sub(margin).unwrap_or(end)
}

/// An account's own part of the spread, another with each token. Not by chance, so that all processes agree.
fn spread(setup: &ConnectionSetup, version: i64) -> SignedDuration {
    let mut hasher = DefaultHasher::new();
    (&setup.workspace, &setup.id, version).hash(&mut hasher);
    let seconds = RENEWALS_SPREAD.as_secs().unsigned_abs();
    SignedDuration::from_secs(i64::try_from(hasher.finish() % seconds).unwrap_or_default())
}

/// The vendor's OAuth facet, or an error that says there is none.
pub(crate) fn oauth(connector: &'static dyn Connector) -> Called<&'static dyn syncline_connect::OAuth> {
    connector.oauth().ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            Retry::Never,
            "token",
            format!("{} is not connected by OAuth", connector.manifest().display_name),
        )
    })
}

fn reconnect(why: &str) -> Error {
    Error::new(ErrorKind::Revoked, Retry::Never, "token", format!("{why}; connect the account again"))
}

/// A failing database is no verdict on the vendor: try again.
pub(crate) fn database(error: syncline_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, Retry::Backoff, "read state", format!("the database did not answer: {error}"))
}
