//! Taking a person out. A booking of the person goes whole, and what names it at its source stays as a mark, so that a
//! late message does not bring it back; in others' bookings only the person goes.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use syncline_core::{
    booking::{chain::ChainState, message::BookingMessage},
    calendar::event::Event,
    ids::WorkspaceId,
    merge::Side,
    step::Plan,
};

use super::mention;
use crate::{
    ActivityRow, DossierBooking, DossierEvent, DossierMeeting, DossierMessage, DossierRecord, JournalEntry, Links,
    MeetingState,
    db::{Db, Op, P, Scope, from_json, statements, to_json},
    error::Result,
    ops::{claim::lock_workspace, fold::ERASED_CHAIN, intake, records::waits},
};

/// What is said of a message whose person was erased.
pub(in crate::ops) const REASON: &str = "its person was erased";
/// What stands in the journal for a line about the person.
const LINE: &str = "A line about a person who was erased";

statements! {
    NODES = "select c.source, s.nodes from chain c join chain_state s on s.workspace = c.workspace and s.id = c.id \
        where c.workspace = ?1 and c.id = ?2 {lock}";
    NODE_MARK = "update chain_node set chain_id = ?4 where workspace = ?1 and source = ?2 and node = ?3";
    NODE_KEEP = "insert into chain_node (workspace, source, node, chain_id) values (?1, ?2, ?3, ?4) \
        on conflict (workspace, source, node) do nothing";
    WAITS_GO = "delete from shared_wait where workspace = ?1 and chain_id = ?2";
    PLAN_GO = "delete from outbox where workspace = ?1 and id = ?2";
    LINKS_GO = "delete from chain_links where workspace = ?1 and id = ?2";
    STATE_GO = "delete from chain_state where workspace = ?1 and id = ?2";
    CHAIN_GO = "delete from chain where workspace = ?1 and id = ?2";
    CONTENT = "select s.state, l.links, o.plan from chain_state s \
        left join chain_links l on l.workspace = s.workspace and l.id = s.id \
        left join outbox o on o.workspace = s.workspace and o.id = s.id where s.workspace = ?1 and s.id = ?2";
    STATE_PUT = "update chain_state set state = ?3 where workspace = ?1 and id = ?2";
    LINKS_PUT = "update chain_links set links = ?3 where workspace = ?1 and id = ?2";
    PLAN_PUT = "update outbox set plan = ?3 where workspace = ?1 and id = ?2";
    // Whoever holds it has the old words in hand, and must not write them down again.
    CHAIN_FENCE = "update chain set fence = fence + 1, revision = revision + 1, \
        due_at = case when owner is null then due_at else 0 end, \
        unsettled = case when owner is null then unsettled else 1 end, owner = null where workspace = ?1 and id = ?2";
    NEW_GO = "delete from inbox_new where workspace = ?1 and id = ?2";
    MESSAGE_EMPTY = "update inbox set state = ?3, reason = ?4, messages = null, body = null where workspace = ?1 and id = ?2";
    MESSAGE_PUT = "update inbox set messages = ?3, body = null where workspace = ?1 and id = ?2";
    LINE_PUT = "update journal set entry = ?3 where workspace = ?1 and id = ?2";
    SHARED_GO = "delete from shared_link where workspace = ?1 and connection = ?2 and key = ?3";
    ASKS_GO = "delete from record_ask where workspace = ?1 and named_by = 1 and subject = ?2";
    TALLY_HOLD = "select 0 from record_tally where workspace = ?1 and integration = ?2 {lock}";
    TALLY_LESS = "update record_tally set entries_left = entries_left - ?3, entries_right = entries_right - ?4, \
        links = links - ?5 where workspace = ?1 and integration = ?2";
    STEPS_GO = "delete from record_step where workspace = ?1 and link = ?2";
    PAIR_GO = "delete from record_link where workspace = ?1 and id = ?2 {written}";
    HOLD_GO = "delete from record_hold where workspace = ?1 and integration = ?2 and entry = ?3";
    ENTRY_GO = "delete from record_entry where workspace = ?1 and id = ?2 {written}";
    COPY_SCRUB = "update calendar_copy set copy = ?3 where workspace = ?1 and id = ?2";
    MAIL_GO = "delete from calendar_mail where workspace = ?1 and id = ?2";
    MEETING_SCRUB = "update calendar_meeting set state = ?3, links = ?4, plan = ?5 where workspace = ?1 and id = ?2";
}

/// Takes one booking away, or the person out of it.
pub(super) struct EraseBooking {
    pub(super) workspace: WorkspaceId,
    pub(super) address: String,
    pub(super) booking: DossierBooking,
}

impl Op for EraseBooking {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        // A message that folds at this moment must not find half a chain.
        lock_workspace(db, &self.workspace).await?;
        if self.booking.own { self.whole(db).await } else { self.mention(db).await }
    }
}

impl EraseBooking {
    async fn whole<D: Db>(&self, db: &mut D) -> Result<()> {
        let ws = P::Text(self.workspace.as_str());
        let ids = [ws, P::Int(self.booking.id)];
        let Some(mut row) = db.row(&NODES, &ids).await? else { return Ok(()) };
        let (source, nodes): (String, Vec<String>) = (row.text(0)?, row.json(1)?);
        let marks: Vec<_> =
            nodes.iter().map(|node| [ws, P::Text(&source), P::Text(node), P::Int(ERASED_CHAIN)]).collect();
        db.each(&NODE_MARK, &marks).await?;
        for sql in [&WAITS_GO, &PLAN_GO, &LINKS_GO, &STATE_GO, &CHAIN_GO] {
            db.run(sql, &ids).await?;
        }
        let emptied: Vec<_> = self.booking.inbox.iter().map(|id| empty(ws, *id)).collect();
        db.each(&MESSAGE_EMPTY, &emptied).await?;
        Ok(())
    }

    /// Read anew: a message may have come since the booking was found.
    async fn mention<D: Db>(&self, db: &mut D) -> Result<()> {
        let (ws, id) = (P::Text(self.workspace.as_str()), P::Int(self.booking.id));
        db.run(&CHAIN_FENCE, &[ws, id]).await?;
        let Some(mut row) = db.row(&CONTENT, &[ws, id]).await? else { return Ok(()) };
        if let Some(state) = scrubbed::<ChainState>(row.opt_json(0)?, &self.address)? {
            db.run(&STATE_PUT, &[ws, id, P::Blob(&state)]).await?;
        }
        if let Some(links) = scrubbed::<Links>(row.opt_json(1)?, &self.address)? {
            db.run(&LINKS_PUT, &[ws, id, P::Blob(&links)]).await?;
        }
        if let Some(plan) = scrubbed::<Plan>(row.opt_json(2)?, &self.address)? {
            db.run(&PLAN_PUT, &[ws, id, P::Blob(&plan)]).await?;
        }
        Ok(())
    }
}

/// What is stored instead; nothing where nothing changes. What could not be read afterwards is an error: it would stop the
/// booking or meeting for good.
fn scrubbed<T: Serialize + DeserializeOwned>(value: Option<Value>, address: &str) -> Result<Option<Vec<u8>>> {
    let Some(value) = value else { return Ok(None) };
    let mut left = value.clone();
    mention::take_out(&mut left, address);
    if left == value {
        return Ok(None);
    }
    let read: T = from_json(&to_json(&left)?)?;
    to_json(&read).map(Some)
}

fn empty<'a>(ws: P<'a>, id: i64) -> [P<'a>; 4] {
    [ws, P::Int(id), P::Int(intake::IGNORED), P::Text(REASON)]
}

/// Empties a message of the person, or takes the person out of it.
pub(super) struct EraseMessage {
    pub(super) workspace: WorkspaceId,
    pub(super) address: String,
    pub(super) message: DossierMessage,
}

impl Op for EraseMessage {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let ws = P::Text(self.workspace.as_str());
        let id = self.message.id;
        let Some(messages) = &self.message.messages else {
            // Nobody could read it as a booking; there is nothing to keep of it.
            db.run(&NEW_GO, &[ws, P::Int(id)]).await?;
            db.run(&MESSAGE_EMPTY, &empty(ws, id)).await?;
            return Ok(());
        };
        if self.message.own {
            let read: Vec<BookingMessage> = from_json(&to_json(messages)?)?;
            let source = P::Text(self.message.source.as_str());
            let ties = read.iter().flat_map(BookingMessage::ties);
            let marks: Vec<_> = ties.map(|tie| [ws, source, P::Text(tie.as_str()), P::Int(ERASED_CHAIN)]).collect();
            // One that was not folded yet has no chain to be marked by.
            db.each(&NODE_KEEP, &marks).await?;
            db.run(&NEW_GO, &[ws, P::Int(id)]).await?;
            db.run(&MESSAGE_EMPTY, &empty(ws, id)).await?;
            return Ok(());
        }
        let mut left = messages.clone();
        mention::take_out(&mut left, &self.address);
        let read: Vec<BookingMessage> = from_json(&to_json(&left)?)?;
        db.run(&MESSAGE_PUT, &[ws, P::Int(id), P::Blob(&to_json(&read)?)]).await?;
        Ok(())
    }
}

/// Leaves of these lines their time, their kind and what they were about.
pub(super) struct EraseLines {
    pub(super) workspace: WorkspaceId,
    pub(super) lines: Vec<ActivityRow>,
}

impl Op for EraseLines {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let mut left = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let (at, kind) = (line.entry.at, line.entry.kind);
            left.push(to_json(&JournalEntry { at, kind, text: LINE.to_owned(), details: json!({ "erased": true }) })?);
        }
        let ws = P::Text(self.workspace.as_str());
        let sets: Vec<_> =
            self.lines.iter().zip(&left).map(|(line, left)| [ws, P::Int(line.id), P::Blob(left)]).collect();
        db.each(&LINE_PUT, &sets).await?;
        Ok(())
    }
}

/// Forgets who the person is in the CRMs, and what was asked for there and not carried out yet.
pub(super) struct EraseShared {
    pub(super) workspace: WorkspaceId,
    pub(super) address: String,
    pub(super) links: Vec<(String, String)>,
}

impl Op for EraseShared {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let ws = P::Text(self.workspace.as_str());
        let sets: Vec<_> = self.links.iter().map(|(connection, key)| [ws, P::Text(connection), P::Text(key)]).collect();
        db.each(&SHARED_GO, &sets).await?;
        db.run(&ASKS_GO, &[ws, P::Text(&self.address)]).await?;
        Ok(())
    }
}

/// Forgets records of one integration, and the pairs that they belong to.
pub(super) struct EraseRecords {
    pub(super) workspace: WorkspaceId,
    pub(super) integration: String,
    pub(super) records: Vec<DossierRecord>,
}

impl Op for EraseRecords {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let (ws, integration) = (P::Text(self.workspace.as_str()), P::Text(&self.integration));
        // Writers of one integration take turns.
        db.row(&TALLY_HOLD, &[ws, integration]).await?;
        let pairs: std::collections::BTreeSet<i64> = self.records.iter().filter_map(|record| record.link).collect();
        let pairs: Vec<_> = pairs.into_iter().map(|pair| [ws, P::Int(pair)]).collect();
        db.each(&STEPS_GO, &pairs).await?;
        let links = db.each(&PAIR_GO, &pairs).await?.into_iter().flatten().count();
        let holds: Vec<_> = self.records.iter().map(|record| [ws, integration, P::Int(record.id)]).collect();
        db.each(&HOLD_GO, &holds).await?;
        waits::drop_of(db, &holds).await?;
        let entries: Vec<_> = self.records.iter().map(|record| [ws, P::Int(record.id)]).collect();
        let gone = db.each(&ENTRY_GO, &entries).await?;
        let on = |side: Side| {
            self.records.iter().zip(&gone).filter(|(record, gone)| record.side == side && gone.is_some()).count()
        };
        let counts =
            [on(Side::Left), on(Side::Right), links].map(|count| P::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        let [left, right, links] = counts;
        db.run(&TALLY_LESS, &[ws, integration, left, right, links]).await?;
        Ok(())
    }
}

/// Takes the person out of events and meetings, and forgets mails that name the person: they name everybody who comes.
pub(super) struct EraseMeetings {
    pub(super) workspace: WorkspaceId,
    pub(super) address: String,
    pub(super) events: Vec<DossierEvent>,
    pub(super) meetings: Vec<DossierMeeting>,
    pub(super) mails: Vec<i64>,
}

impl Op for EraseMeetings {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let ws = P::Text(self.workspace.as_str());
        for event in &self.events {
            if let Some(copy) = scrubbed::<Event>(Some(event.copy.clone()), &self.address)? {
                db.run(&COPY_SCRUB, &[ws, P::Int(event.id), P::Blob(&copy)]).await?;
            }
        }
        for meeting in &self.meetings {
            let kept = |value: &Value, scrubbed: Option<Vec<u8>>| scrubbed.map_or_else(|| to_json(value), Ok);
            let state = kept(&meeting.state, scrubbed::<MeetingState>(Some(meeting.state.clone()), &self.address)?)?;
            let links = kept(&meeting.links, scrubbed::<Links>(Some(meeting.links.clone()), &self.address)?)?;
            let plan = match &meeting.plan {
                Some(plan) => Some(kept(plan, scrubbed::<Plan>(Some(plan.clone()), &self.address)?)?),
                None => None,
            };
            let set = [ws, P::Int(meeting.id), P::Blob(&state), P::Blob(&links), P::opt_blob(plan.as_deref())];
            db.run(&MEETING_SCRUB, &set).await?;
        }
        let mails: Vec<_> = self.mails.iter().map(|id| [ws, P::Int(*id)]).collect();
        db.each(&MAIL_GO, &mails).await?;
        Ok(())
    }
}
