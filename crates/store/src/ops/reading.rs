//! What console, API and CLI read: by workspace, in pages, newest first.

use syncline_core::{
    booking::chain::ChainState,
    ids::{ChainId, ConnectionId, IntegrationId, WorkspaceId},
};

use super::{intake, journal::is_rare};
use crate::{
    ActivityFilter, ActivityRow, BookingDetail, BookingFilter, BookingRow, Counts, DETAIL_JOURNAL_MAX,
    DETAIL_MESSAGES_MAX, InboxRow, InboxState, JournalEntry, Links, PAGE_MAX, Store, WorkState,
    db::{Db, Op, P, Row, Scope, from_json, statements},
    error::{Error, Result},
    vault::{self, Place},
};

statements! {
    JOURNAL_ALL = "select id, chain, integration, entry from journal where workspace = ?1 and id < ?2 \
        and (cast(?4 as text) is null or integration = ?4) and (cast(?5 as text) is null or kind = ?5) order by id desc limit ?3";
    JOURNAL_RARE = "select id, chain, integration, entry from journal where workspace = ?1 and id < ?2 and rare = 1 and kind = ?5 \
        and (cast(?4 as text) is null or integration = ?4) order by id desc limit ?3";
    JOURNAL_CHAIN = "select id, chain, integration, entry from journal where workspace = ?1 and id < ?2 and chain = ?6 \
        and (cast(?4 as text) is null or integration = ?4) and (cast(?5 as text) is null or kind = ?5) order by id desc limit ?3";
    BOOKINGS = "select id, chain, integration, source, summary, attempts, parked, owner, parked_reason, parked_fix, due_at, updated_at \
        from chain where workspace = ?1 and id < ?2 and (cast(?4 as text) is null or search like ?4 escape '!') order by id desc limit ?3";
    BOOKINGS_PARKED = "select id, chain, integration, source, summary, attempts, parked, owner, parked_reason, parked_fix, due_at, updated_at \
        from chain where workspace = ?1 and id < ?2 and parked = 1 and (cast(?4 as text) is null or search like ?4 escape '!') \
        order by id desc limit ?3";
    BOOKING = "select id, chain, integration, source, summary, attempts, parked, owner, parked_reason, parked_fix, due_at, updated_at \
        from chain where workspace = ?1 and chain = ?2";
    CONTENT = "select s.state, s.inbox, l.links from chain_state s left join chain_links l on l.workspace = s.workspace and l.id = s.id \
        where s.workspace = ?1 and s.id = ?2";
    MESSAGE = "select i.id, i.integration, i.source, i.key, i.received, i.state, i.reason, i.messages, n.id, \
        case when i.body is null then 0 else 1 end from inbox i left join inbox_new n on n.workspace = i.workspace and n.id = i.id \
        where i.workspace = ?1 and i.id = ?2";
    MESSAGES_PARKED = "select i.id, i.integration, i.source, i.key, i.received, i.state, i.reason, i.messages, null, \
        case when i.body is null then 0 else 1 end from inbox i where i.workspace = ?1 and i.id < ?2 and i.state = 2 order by i.id desc limit ?3";
    BODY = "select source, key, body from inbox where workspace = ?1 and id = ?2";
    COUNT = "select \
        (select count(*) from inbox_new where workspace = ?1), \
        (select count(*) from chain where workspace = ?1 and due_at is not null and owner is null), \
        (select count(*) from chain where workspace = ?1 and due_at is not null and owner is not null), \
        (select count(*) from outbox where workspace = ?1), \
        (select count(*) from chain where workspace = ?1 and parked = 1), \
        (select count(*) from chain where workspace = ?1), \
        (select count(*) from inbox where workspace = ?1 and state = 2), \
        (select min(waiting_since) from chain where workspace = ?1 and due_at is not null)";
    HEALTH = "select count(*) from vault_canary";
}

/// The newest of all where no line is named.
fn before(before: Option<i64>) -> P<'static> {
    P::Int(before.unwrap_or(i64::MAX))
}

fn page(limit: usize) -> P<'static> {
    P::Int(limit.clamp(1, PAGE_MAX) as i64)
}

struct Activity {
    workspace: WorkspaceId,
    filter: ActivityFilter,
}

impl Op for Activity {
    type Out = Vec<ActivityRow>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let filter = &self.filter;
        let integration = P::opt_text(filter.integration.as_ref().map(IntegrationId::as_str));
        let kind = P::opt_text(filter.kind.map(|kind| kind.as_str()));
        let params = [P::Text(self.workspace.as_str()), before(filter.before), page(filter.limit), integration, kind];
        let rows = match (&filter.chain, filter.kind) {
            (Some(chain), _) => {
                let [ws, before, limit, integration, kind] = params;
                db.rows(&JOURNAL_CHAIN, &[ws, before, limit, integration, kind, P::Text(chain.as_str())]).await?
            }
            (None, Some(kind)) if is_rare(kind) => db.rows(&JOURNAL_RARE, &params).await?,
            (None, _) => db.rows(&JOURNAL_ALL, &params).await?,
        };
        rows.into_iter().map(activity_row).collect()
    }
}

fn activity_row(mut row: Row) -> Result<ActivityRow> {
    Ok(ActivityRow {
        id: row.int(0)?,
        chain: row.opt_text(1)?.map(ChainId::new),
        integration: row.opt_text(2)?.map(IntegrationId::new),
        entry: row.json::<JournalEntry>(3)?,
    })
}

struct Bookings {
    workspace: WorkspaceId,
    filter: BookingFilter,
}

impl Op for Bookings {
    type Out = Vec<BookingRow>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let sql = if self.filter.parked_only { &BOOKINGS_PARKED } else { &BOOKINGS };
        let pattern = self.filter.text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(pattern);
        let params = [
            P::Text(self.workspace.as_str()),
            before(self.filter.before),
            page(self.filter.limit),
            P::opt_text(pattern.as_deref()),
        ];
        db.rows(sql, &params).await?.into_iter().map(booking_row).collect()
    }
}

/// A pattern that finds the text anywhere, whatever signs it has.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for sign in text.to_lowercase().chars() {
        if matches!(sign, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(sign);
    }
    pattern.push('%');
    pattern
}

fn booking_row(mut row: Row) -> Result<BookingRow> {
    let (parked, due_at) = (row.int(6)? == 1, row.opt_time(10)?);
    let work = match (parked, row.opt_text(7)?, due_at) {
        (true, _, _) => WorkState::Parked,
        (false, Some(_), _) => WorkState::Leased,
        (false, None, Some(_)) => WorkState::Waiting,
        (false, None, None) => WorkState::Done,
    };
    Ok(BookingRow {
        id: row.int(0)?,
        chain: ChainId::new(row.text(1)?),
        integration: IntegrationId::new(row.text(2)?),
        source: ConnectionId::new(row.text(3)?),
        summary: row.opt_json(4)?,
        work,
        attempts: u32::try_from(row.int(5)?).unwrap_or(u32::MAX),
        parked_reason: row.opt_text(8)?,
        parked_fix: row.opt_text(9)?,
        due_at,
        updated_at: row.time(11)?,
    })
}

struct Booking {
    workspace: WorkspaceId,
    chain: ChainId,
}

impl Op for Booking {
    type Out = Option<BookingDetail>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let ws = P::Text(self.workspace.as_str());
        let Some(row) = db.row(&BOOKING, &[ws, P::Text(self.chain.as_str())]).await? else { return Ok(None) };
        let row = booking_row(row)?;
        // Absent where two chains were joined between the two reads.
        let Some(mut content) = db.row(&CONTENT, &[ws, P::Int(row.id)]).await? else { return Ok(None) };
        let inbox: Vec<i64> = content.json(1)?;
        let newest: Vec<_> = inbox.iter().rev().take(DETAIL_MESSAGES_MAX).map(|id| [ws, P::Int(*id)]).collect();
        let messages = db.each(&MESSAGE, &newest).await?.into_iter().flatten().map(inbox_row).collect::<Result<_>>()?;
        let lines = Activity {
            workspace: self.workspace.clone(),
            filter: ActivityFilter {
                chain: Some(self.chain.clone()),
                limit: DETAIL_JOURNAL_MAX,
                ..ActivityFilter::default()
            },
        };
        Ok(Some(BookingDetail {
            state: content.json::<ChainState>(0)?,
            links: content.opt_json::<Links>(2)?.unwrap_or_default(),
            journal: lines.run(db).await?,
            messages,
            row,
        }))
    }
}

fn inbox_row(mut row: Row) -> Result<InboxRow> {
    let state = match (row.int(5)?, row.opt_int(8)?) {
        (intake::IGNORED, _) => InboxState::Ignored,
        (intake::PARKED, _) => InboxState::Parked,
        (_, Some(_)) => InboxState::New,
        (_, None) => InboxState::Folded,
    };
    Ok(InboxRow {
        id: row.int(0)?,
        integration: IntegrationId::new(row.text(1)?),
        source: ConnectionId::new(row.text(2)?),
        key: row.text(3)?,
        received: row.time(4)?,
        kinds: row.opt_blob(7)?.map(|json| kinds(&json)).unwrap_or_default(),
        state,
        reason: row.opt_text(6)?,
        has_body: row.int(9)? == 1,
    })
}

/// The kinds of stored messages; whatever cannot be read has none.
fn kinds(json: &[u8]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Kind {
        kind: serde_json::Value,
    }
    let messages: Vec<Kind> = from_json(json).unwrap_or_default();
    messages
        .into_iter()
        .filter_map(|message| match message.kind {
            serde_json::Value::String(word) => Some(word),
            serde_json::Value::Object(named) => named.keys().next().cloned(),
            _ => None,
        })
        .collect()
}

struct ParkedMessages {
    workspace: WorkspaceId,
    before: Option<i64>,
    limit: usize,
}

impl Op for ParkedMessages {
    type Out = Vec<InboxRow>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let params = [P::Text(self.workspace.as_str()), before(self.before), page(self.limit)];
        db.rows(&MESSAGES_PARKED, &params).await?.into_iter().map(inbox_row).collect()
    }
}

struct Body {
    workspace: WorkspaceId,
    id: i64,
}

impl Op for Body {
    type Out = Option<(String, String, Vec<u8>)>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let Some(mut row) = db.row(&BODY, &[P::Text(self.workspace.as_str()), P::Int(self.id)]).await? else {
            return Ok(None);
        };
        let (source, key) = (row.text(0)?, row.text(1)?);
        Ok(row.opt_blob(2)?.map(|body| (source, key, body)))
    }
}

struct CountAll {
    workspace: WorkspaceId,
}

impl Op for CountAll {
    type Out = Counts;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Counts> {
        let ws = [P::Text(self.workspace.as_str())];
        // One statement sees one moment: a message on its way from the inbox to its booking is counted once.
        let row = db.row(&COUNT, &ws).await?.ok_or_else(|| Error::corrupt("the counts are missing"))?;
        let mut counts = [0i64; 7];
        for (column, count) in counts.iter_mut().enumerate() {
            *count = row.int(column)?;
        }
        let [inbox_new, due, leased, uncertain, parked, all, messages_parked] = counts;
        let oldest_waiting = row.opt_time(7)?;
        let count = |value: i64| u64::try_from(value).unwrap_or_default();
        Ok(Counts {
            inbox_new: count(inbox_new),
            due: count(due),
            leased: count(leased),
            uncertain: count(uncertain),
            parked: count(parked),
            done: count(all - due - leased - parked),
            messages_parked: count(messages_parked),
            oldest_waiting,
        })
    }
}

struct Health;

impl Op for Health {
    type Out = ();
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        db.row(&HEALTH, &[]).await.map(drop)
    }
}

impl Store {
    /// A page of the activity log, newest first.
    pub async fn activity(&self, workspace: &WorkspaceId, filter: ActivityFilter) -> Result<Vec<ActivityRow>> {
        self.run(Activity { workspace: workspace.clone(), filter }).await
    }

    /// A page of bookings, the last begun first.
    pub async fn bookings(&self, workspace: &WorkspaceId, filter: BookingFilter) -> Result<Vec<BookingRow>> {
        self.run(Bookings { workspace: workspace.clone(), filter }).await
    }

    /// Everything about one booking.
    pub async fn booking(&self, workspace: &WorkspaceId, chain: &ChainId) -> Result<Option<BookingDetail>> {
        self.run(Booking { workspace: workspace.clone(), chain: chain.clone() }).await
    }

    /// A delivery's raw body, while it is kept.
    pub async fn message_body(&self, workspace: &WorkspaceId, message: i64) -> Result<Option<Vec<u8>>> {
        let Some((source, key, sealed)) = self.run(Body { workspace: workspace.clone(), id: message }).await? else {
            return Ok(None);
        };
        let data_key = self.data_key(workspace).await?;
        let place = Place { workspace, row: &intake::body_row(&source, &key), column: "body" };
        vault::open(&data_key, &place, &sealed).map(Some)
    }

    /// A page of the deliveries that were verified and not understood, newest first.
    pub async fn parked_messages(
        &self,
        workspace: &WorkspaceId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<InboxRow>> {
        self.run(ParkedMessages { workspace: workspace.clone(), before, limit }).await
    }

    /// How much of what there is in a workspace.
    pub async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts> {
        self.run(CountAll { workspace: workspace.clone() }).await
    }

    /// Whether the database answers.
    pub async fn health(&self) -> Result<()> {
        self.run(Health).await
    }
}
