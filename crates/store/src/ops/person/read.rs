//! Looking for a person: every table that may speak of one is read from end to end, page by page, because nothing is
//! indexed by who it is about.

use std::collections::BTreeMap;

use serde_json::Value;
use syncline_core::{
    ids::{ChainId, ConnectionId, IntegrationId, RecordId, WorkspaceId},
    merge::Side,
};

use super::mention;
use crate::{
    ActivityRow, DossierAsk, DossierBooking, DossierEvent, DossierLink, DossierMail, DossierMeeting, DossierMessage,
    DossierRecord, JournalEntry,
    db::{Db, Op, P, Row, Scope, from_json, statements},
    error::{Error, Result},
    vault::{self, Place},
};

/// Rows of one page.
const PAGE: i64 = 500;

statements! {
    STATES = "select c.id, c.chain, c.integration, c.source, s.state, s.inbox, l.links, o.plan from chain c \
        join chain_state s on s.workspace = c.workspace and s.id = c.id \
        left join chain_links l on l.workspace = c.workspace and l.id = c.id \
        left join outbox o on o.workspace = c.workspace and o.id = c.id \
        where c.workspace = ?1 and c.id > ?2 order by c.id limit ?3";
    MESSAGES = "select id, source, key, received, messages, body from inbox where workspace = ?1 and id > ?2 \
        order by id limit ?3";
    LINES = "select id, chain, integration, entry from journal where workspace = ?1 and id > ?2 order by id limit ?3";
    SHARED = "select connection, key, record from shared_link where workspace = ?1 and (key = ?2 or key = ?3 or key = ?4)";
    PAIRS = "select id, images from record_link where workspace = ?1 and id > ?2 \
        order by id limit ?3";
    ENTRIES = "select id, integration, side, kind, record, link, match_key, seen from record_entry \
        where workspace = ?1 and id > ?2 order by id limit ?3";
    ASKS_FOR = "select integration, pair, asked_at from record_ask where workspace = ?1 and named_by = 1 and subject = ?2 \
        order by integration, pair";
    COPIES = "select id, integration, calendar, event, copy from calendar_copy where workspace = ?1 and id > ?2 \
        order by id limit ?3";
    MEETINGS = "select id, integration, uid, rid, state, links, plan from calendar_meeting where workspace = ?1 and id > ?2 \
        order by id limit ?3";
    MAILS = "select id, integration, uid, email, word, state, letter from calendar_mail where workspace = ?1 and id > ?2 \
        order by id limit ?3";
}

/// A table that is read from end to end, and what of it is about the person.
pub(super) struct Pages<K> {
    pub(super) workspace: WorkspaceId,
    pub(super) address: String,
    pub(super) after: i64,
    pub(super) kind: K,
}

/// One page: what was found, and where to go on; nothing at the end.
pub(super) struct Page<T> {
    pub(super) found: Vec<T>,
    pub(super) next: Option<i64>,
}

impl<K> Pages<K> {
    async fn rows<D: Db>(&self, db: &mut D, sql: &'static crate::db::Sql) -> Result<(Vec<Row>, Option<i64>)> {
        let rows = db.rows(sql, &[P::Text(self.workspace.as_str()), P::Int(self.after), P::Int(PAGE)]).await?;
        let full = rows.len() as i64 == PAGE;
        let last = rows.last().map(|row| row.int(0)).transpose()?;
        Ok((rows, last.filter(|_| full)))
    }
}

pub(super) struct Bookings;

impl Op for Pages<Bookings> {
    type Out = Page<DossierBooking>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &STATES).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let state: Value = row.json(4)?;
            let (links, plan) = (row.opt_json::<Value>(6)?, row.opt_json::<Value>(7)?);
            let about = [Some(&state), links.as_ref(), plan.as_ref()];
            if !about.into_iter().flatten().any(|value| mention::anywhere(value, &self.address)) {
                continue;
            }
            found.push(DossierBooking {
                id: row.int(0)?,
                chain: ChainId::new(row.text(1)?),
                integration: IntegrationId::new(row.text(2)?),
                source: ConnectionId::new(row.text(3)?),
                own: mention::is_own(&state, &self.address),
                state,
                links,
                plan,
                inbox: row.json(5)?,
            });
        }
        Ok(Page { found, next })
    }
}

/// Messages; their bodies are opened with this key.
pub(super) struct Messages(pub(super) std::sync::Arc<crate::vault::DataKey>);

impl Op for Pages<Messages> {
    type Out = Page<DossierMessage>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &MESSAGES).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let (source, key) = (row.text(1)?, row.text(2)?);
            let messages: Option<Value> = row.opt_blob(4)?.and_then(|json| from_json(&json).ok());
            let body = match row.opt_blob(5)? {
                None => None,
                Some(sealed) => {
                    let place = Place {
                        workspace: &self.workspace,
                        row: &super::super::intake::body_row(&source, &key),
                        column: "body",
                    };
                    Some(vault::open(&self.kind.0, &place, &sealed)?)
                }
            };
            let in_messages = messages.as_ref().is_some_and(|value| mention::anywhere(value, &self.address));
            let in_body =
                body.as_ref().is_some_and(|body| mention::said(&String::from_utf8_lossy(body), &self.address));
            if in_messages || in_body {
                let own = messages.as_ref().is_some_and(|value| mention::is_own(value, &self.address));
                let (id, received, source) = (row.int(0)?, row.time(3)?, ConnectionId::new(source));
                found.push(DossierMessage { id, source, received, own, messages, body });
            }
        }
        Ok(Page { found, next })
    }
}

/// Lines that speak of the person, and all lines of these bookings.
pub(super) struct Lines(pub(super) std::collections::BTreeSet<ChainId>);

impl Op for Pages<Lines> {
    type Out = Page<ActivityRow>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &LINES).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let line = ActivityRow {
                id: row.int(0)?,
                chain: row.opt_text(1)?.map(ChainId::new),
                integration: row.opt_text(2)?.map(IntegrationId::new),
                entry: row.json::<JournalEntry>(3)?,
            };
            let of_booking = line.chain.as_ref().is_some_and(|chain| self.kind.0.contains(chain));
            let says = || {
                mention::in_text(&line.entry.text, &self.address)
                    || mention::anywhere(&line.entry.details, &self.address)
            };
            if of_booking || says() {
                found.push(line);
            }
        }
        Ok(Page { found, next })
    }
}

/// Who the person is in the CRMs.
pub(super) struct Shared {
    pub(super) workspace: WorkspaceId,
    /// The keys that only this person can have.
    pub(super) keys: [String; 3],
}

impl Op for Shared {
    type Out = Vec<DossierLink>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [one, two, three] = &self.keys;
        let params = [P::Text(self.workspace.as_str()), P::Text(one), P::Text(two), P::Text(three)];
        let rows = db.rows(&SHARED, &params).await?.into_iter();
        let link = |mut row: Row| {
            Ok(DossierLink {
                connection: ConnectionId::new(row.text(0)?),
                key: row.text(1)?,
                record: row.opt_text(2)?.map(RecordId::new),
            })
        };
        rows.map(link).collect()
    }
}

/// What was asked for by the person's address, and not carried out yet.
pub(super) struct AsksFor {
    pub(super) workspace: WorkspaceId,
    pub(super) address: String,
}

impl Op for AsksFor {
    type Out = Vec<DossierAsk>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rows = db.rows(&ASKS_FOR, &[P::Text(self.workspace.as_str()), P::Text(&self.address)]).await?.into_iter();
        let ask = |mut row: Row| {
            let (integration, pair) = (IntegrationId::new(row.text(0)?), row.text(1)?);
            Ok(DossierAsk { integration, pair, asked_at: row.time(2)? })
        };
        rows.map(ask).collect()
    }
}

/// A pair of records in step whose images speak of the person.
pub(super) struct Pair {
    pub(super) id: i64,
    pub(super) images: Value,
}

pub(super) struct PairsOf;

impl Op for Pages<PairsOf> {
    type Out = Page<Pair>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &PAIRS).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let images: Value = row.json(1)?;
            if mention::anywhere(&images, &self.address) {
                found.push(Pair { id: row.int(0)?, images });
            }
        }
        Ok(Page { found, next })
    }
}

/// Records that hold the address, and those of these pairs.
pub(super) struct EntriesOf(pub(super) BTreeMap<i64, Value>);

impl Op for Pages<EntriesOf> {
    type Out = Page<DossierRecord>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &ENTRIES).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let (link, key, seen) = (row.opt_int(5)?, row.opt_text(6)?, row.opt_json::<Value>(7)?);
            let images = link.and_then(|link| self.kind.0.get(&link));
            let says = key.is_some_and(|key| mention::in_text(&key, &self.address))
                || seen.as_ref().is_some_and(|seen| mention::anywhere(seen, &self.address));
            if !says && images.is_none() {
                continue;
            }
            found.push(DossierRecord {
                id: row.int(0)?,
                link,
                integration: IntegrationId::new(row.text(1)?),
                side: match row.int(2)? {
                    0 => Side::Left,
                    1 => Side::Right,
                    _ => return Err(Error::corrupt("a side is neither left nor right")),
                },
                kind: row.text(3)?,
                record: RecordId::new(row.text(4)?),
                seen,
                images: images.cloned(),
            });
        }
        Ok(Page { found, next })
    }
}

pub(super) struct CopiesOf;

impl Op for Pages<CopiesOf> {
    type Out = Page<DossierEvent>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &COPIES).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let copy: Value = row.json(4)?;
            if mention::anywhere(&copy, &self.address) {
                let (integration, calendar) = (IntegrationId::new(row.text(1)?), row.text(2)?);
                found.push(DossierEvent { id: row.int(0)?, integration, calendar, event: row.text(3)?, copy });
            }
        }
        Ok(Page { found, next })
    }
}

pub(super) struct MeetingsOf;

impl Op for Pages<MeetingsOf> {
    type Out = Page<DossierMeeting>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &MEETINGS).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let (state, links, plan): (Value, Value, Option<Value>) = (row.json(4)?, row.json(5)?, row.opt_json(6)?);
            if [Some(&state), Some(&links), plan.as_ref()]
                .into_iter()
                .flatten()
                .any(|value| mention::anywhere(value, &self.address))
            {
                let (integration, uid, rid) = (IntegrationId::new(row.text(1)?), row.text(2)?, row.text(3)?);
                found.push(DossierMeeting { id: row.int(0)?, integration, uid, rid, state, links, plan });
            }
        }
        Ok(Page { found, next })
    }
}

pub(super) struct MailsOf;

impl Op for Pages<MailsOf> {
    type Out = Page<DossierMail>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (rows, next) = self.rows(db, &MAILS).await?;
        let mut found = Vec::new();
        for mut row in rows {
            let (email, letter): (String, Option<Value>) = (row.text(3)?, row.opt_json(6)?);
            if email == self.address || letter.as_ref().is_some_and(|letter| mention::anywhere(letter, &self.address)) {
                let (id, integration, uid) = (row.int(0)?, IntegrationId::new(row.text(1)?), row.text(2)?);
                found.push(DossierMail {
                    id,
                    integration,
                    uid,
                    email,
                    word: row.text(4)?,
                    state: row.text(5)?,
                    letter,
                });
            }
        }
        Ok(Page { found, next })
    }
}
