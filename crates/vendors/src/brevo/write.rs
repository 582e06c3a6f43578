//! Writing up to a hundred rows: new contacts and deletions one by one, updates in one batch. What many rows take is in
//! `import`.
//!
//! A contact that is there is written by its id and by nothing else: its address may have changed since, and a write by
//! the old one would make a second contact.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Op, RowOutcome, RowWrite, Seen, Written},
};
use syncline_core::{
    ids::{ExternalKey, RecordId},
    record::{Field, Role},
};

use super::{
    api::{Api, Name},
    companies,
    convert::{Draft, EMAIL, LISTS, LISTS_LEFT, Shown, draft, lists, needs_schema},
    import, import_list,
    schema::Schema,
};

/// Rows of one `/contacts/batch`. Its limit is not documented; Brevo's other lists of contacts in a body take 150.
pub const BATCH_ROWS: usize = 100;

/// Rows that are written one by one although they could share a batch: two seconds of the allowance for contacts.
const EXACT_MAX: usize = 20;

/// Contacts that are read to know which lists they left, before their rows are sent: half a second of the allowance.
const LOOKS_MAX: usize = 5;

/// How soon after a batch was taken its rows can be read.
pub const LOOK_IN: Duration = Duration::from_secs(2);

pub async fn write(cx: &Cx<'_>, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let list = import_list("write", cx.settings)?;
    let mut work = Work::begin(cx, "write", rows).await?;
    if let Some(list) = list.filter(|_| rows.len() >= import::ROWS_MIN) {
        return import::write(work, list).await;
    }
    let mut updates = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        match &row.op {
            _ if work.outcomes[place].is_some() => {}
            Op::Update { .. } => updates.push(place),
            Op::Create { key } => work.create(place, key).await,
            Op::Delete { id } => work.delete(place, id).await,
        }
    }
    work.updates(&updates).await;
    companies::tie(&mut work).await;
    work.finish()
}

/// A row's position and its body.
type Placed = (usize, Json);

/// The rows of one write, and what became of them so far.
pub struct Work<'a> {
    pub api: Api<'a>,
    pub rows: &'a [RowWrite],
    /// Those that can be sent.
    pub drafts: Vec<Draft>,
    pub outcomes: Vec<Option<RowOutcome>>,
    /// Why nothing further is sent.
    pub halted: Option<Error>,
    /// Whether Brevo has answered for any row.
    pub is_heard: bool,
}

impl<'a> Work<'a> {
    /// Reads the rows; what cannot be sent is refused here.
    pub async fn begin(cx: &'a Cx<'a>, op: &'static str, rows: &'a [RowWrite]) -> Result<Self, Error> {
        let mut api = Api::new(cx, op);
        let schema = if rows.iter().any(needs_schema) { api.schema().await? } else { Schema::default() };
        let (mut drafts, mut outcomes) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in rows {
            let read = draft(op, row, &schema);
            outcomes.push(read.as_ref().err().cloned().map(RowOutcome::Refused));
            drafts.push(read.unwrap_or_default());
        }
        Ok(Self { api, rows, drafts, outcomes, halted: None, is_heard: false })
    }

    /// Where every outcome is known; `Err` where nothing was sent.
    pub fn finish(self) -> Result<Answered<Written>, Error> {
        if let Some(halted) = &self.halted
            && !self.is_heard
        {
            return Err(halted.clone());
        }
        let left = self.halted.unwrap_or_else(|| not_tried(self.api.0.op));
        let outcomes = self.outcomes.into_iter();
        let rows = outcomes.map(|outcome| outcome.unwrap_or_else(|| RowOutcome::Refused(left.clone()))).collect();
        Ok(Answered { value: Written::Rows(rows), calls: self.api.calls(), usage: None })
    }

    pub fn done(&mut self, places: &[usize], outcome: &RowOutcome) {
        self.is_heard = true;
        for place in places {
            self.outcomes[*place] = Some(outcome.clone());
        }
    }

    /// What a failed call means for its rows, and for those that are still to be sent.
    pub fn failed(&mut self, places: &[usize], error: Error) {
        if error.kind == ErrorKind::UnknownOutcome {
            self.done(places, &RowOutcome::Unknown(error.clone()));
            self.halted = Some(Error { kind: ErrorKind::Unavailable, ..error });
        } else if error.meets_every_call() {
            self.halted = Some(error);
        } else {
            self.done(places, &RowOutcome::Refused(error));
        }
    }

    async fn create(&mut self, place: usize, key: &ExternalKey) {
        if self.halted.is_some() {
            return;
        }
        match self.api.create(self.drafts[place].new_body(key)).await {
            Ok(id) => self.done(&[place], &RowOutcome::Done { id: RecordId::new(id.to_string()) }),
            Err(error) if error.kind == ErrorKind::KeyTaken => self.taken(place, Some(key), error).await,
            Err(error) => self.failed(&[place], error),
        }
    }

    /// Somebody holds the address or number: the contact that we made ourselves, or another.
    async fn taken(&mut self, place: usize, key: Option<&ExternalKey>, mut error: Error) {
        if let Some(key) = key {
            match self.api.contact(Name::Key(key.as_str())).await {
                Ok(Some(own)) => {
                    return self.done(&[place], &RowOutcome::Done { id: RecordId::new(own.id.to_string()) });
                }
                Ok(None) => {}
                Err(unheard) => return self.failed(&[place], unheard),
            }
        }
        let draft = &self.drafts[place];
        let names = |field: &str| error.fields.is_empty() || error.fields.contains(&Field::Native(field.to_owned()));
        let email = draft.email.clone().filter(|_| names(EMAIL));
        let number = draft.attributes.get("SMS").and_then(Json::as_str).map(str::to_owned).filter(|_| names("SMS"));
        let holder = match (&email, &number) {
            (Some(email), _) => self.api.contact(Name::Email(email)).await,
            (None, Some(number)) => self.api.contact(Name::Phone(number)).await,
            (None, None) => Ok(None),
        };
        // Who holds it is a help and no more: without it, whoever wrote looks for it.
        if let Ok(Some(holder)) = holder {
            error.matches = vec![(Role::Contact, RecordId::new(holder.id.to_string()))];
        }
        self.done(&[place], &RowOutcome::Refused(error));
    }

    async fn delete(&mut self, place: usize, id: &RecordId) {
        if self.halted.is_some() {
            return;
        }
        match self.api.delete(id.as_str()).await {
            Ok(()) => self.done(&[place], &RowOutcome::Done { id: id.clone() }),
            Err(error) => self.failed(&[place], error),
        }
    }

    /// Updates in batches. A batch that is refused is halved until the row is found that it is refused for: Brevo does
    /// not name it, and the others are not to suffer for it.
    ///
    /// Where contacts have to be read first, their rows are sent a few at a time: so a write gets on even where the
    /// allowance ends in its middle.
    pub async fn updates(&mut self, places: &[usize]) {
        let (mut rows, mut looks) = (Vec::with_capacity(places.len()), 0);
        for place in places {
            if self.drafts[*place].ties_only() {
                let Op::Update { id } = &self.rows[*place].op else { continue };
                self.outcomes[*place] = Some(RowOutcome::Done { id: id.clone() });
                continue;
            }
            if self.drafts[*place].lists.is_some() && self.known_lists(*place).is_none() {
                looks += 1;
            }
            match self.batch_row(*place).await {
                Ok(row) => rows.push((*place, row)),
                Err(error) => self.failed(&[*place], error),
            }
            if looks >= LOOKS_MAX {
                self.send(std::mem::take(&mut rows)).await;
                looks = 0;
            }
            if self.halted.is_some() {
                return;
            }
        }
        self.send(rows).await;
    }

    async fn send(&mut self, rows: Vec<Placed>) {
        let mut waiting: Vec<Vec<Placed>> = Vec::new();
        let (exact, rows) = self.parted(rows);
        waiting.extend(rows.chunks(BATCH_ROWS).rev().map(<[_]>::to_vec));
        waiting.extend(exact.into_iter().map(|row| vec![row]));
        while let Some(mut chunk) = waiting.pop() {
            if self.halted.is_some() {
                return;
            }
            let places: Vec<usize> = chunk.iter().map(|(place, _)| *place).collect();
            if let [place] = places.as_slice() {
                self.update(*place, chunk.remove(0).1).await;
                continue;
            }
            match self.api.batch(chunk.iter().map(|(_, row)| row.clone()).collect()).await {
                Ok(()) => self.done(&places, &RowOutcome::Taken { look_in: LOOK_IN }),
                Err(error) if !error.meets_every_call() && error.kind != ErrorKind::Locked => {
                    let second = chunk.split_off(chunk.len() / 2);
                    waiting.extend([second, chunk]);
                }
                Err(error) => self.failed(&places, error),
            }
        }
    }

    /// Rows that give a contact another identifier, and all others. A batch drops a row in silence where another contact
    /// holds the identifier, so they go alone; where they are many, those that were dropped are fewer the next time.
    fn parted(&self, rows: Vec<Placed>) -> (Vec<Placed>, Vec<Placed>) {
        let (exact, others): (Vec<_>, Vec<_>) =
            rows.iter().cloned().partition(|(place, _)| self.drafts[*place].renames());
        if exact.len() > EXACT_MAX { (Vec::new(), rows) } else { (exact, others) }
    }

    async fn update(&mut self, place: usize, row: Json) {
        let Op::Update { id } = &self.rows[place].op else { return };
        let Json::Object(mut body) = row else { return };
        body.remove("id");
        match self.api.update(id.as_str(), body).await {
            Ok(()) => self.done(&[place], &RowOutcome::Done { id: id.clone() }),
            Err(error) if error.kind == ErrorKind::KeyTaken => self.taken(place, None, error).await,
            Err(error) => self.failed(&[place], error),
        }
    }

    /// A row of a batch: the id, and what becomes of the contact.
    async fn batch_row(&mut self, place: usize) -> Result<Json, Error> {
        let Op::Update { id } = &self.rows[place].op else { return Ok(Json::Null) };
        let (joined, left) = self.moves(place, id).await?;
        let number: u64 = id.as_str().parse().map_err(|_| self.gone())?;
        let mut row = self.drafts[place].body(&joined, &left);
        row.insert("id".to_owned(), json!(number));
        Ok(Json::Object(row))
    }

    /// The lists that the contact joins, and those that it leaves. A list that it left by its own will it does not join
    /// again.
    async fn moves(&mut self, place: usize, id: &RecordId) -> Result<(BTreeSet<u64>, BTreeSet<u64>), Error> {
        let Some(wanted) = self.drafts[place].lists.clone() else { return Ok((BTreeSet::new(), BTreeSet::new())) };
        let held = match self.known_lists(place) {
            Some(held) => held,
            None => {
                let contact = self.api.contact(Name::Id(id.as_str())).await?.ok_or_else(|| self.gone())?;
                let hidden_list = import_list(self.api.0.op, self.api.0.cx.settings)?;
                let shown = Shown { fields: &[LISTS.to_owned()], hidden_list, unknown: &BTreeSet::new() };
                lists_of(&shown.seen(&contact)).unwrap_or_default()
            }
        };
        let (on, unsubscribed) = held;
        // What was decided is what comes and goes since the record was read, of which a part may have been shown.
        let before = self.rows[place].seen.as_ref().and_then(|seen| lists(seen.fields.get(LISTS)?));
        let before = before.unwrap_or_else(|| on.clone());
        let joined: BTreeSet<u64> = wanted.difference(&before).filter(|list| !on.contains(list)).copied().collect();
        if joined.is_disjoint(&unsubscribed) {
            return Ok((joined, before.difference(&wanted).filter(|list| on.contains(list)).copied().collect()));
        }
        let says = "the contact unsubscribed from a list, and is not put on it again";
        let mut error = self.api.0.error(ErrorKind::Invalid, Retry::Never, says);
        error.fields = vec![Field::Native(LISTS.to_owned())];
        Err(error)
    }

    /// The lists that the contact was seen on, and those that it had left; nothing where either was not seen.
    fn known_lists(&self, place: usize) -> Option<(BTreeSet<u64>, BTreeSet<u64>)> {
        lists_of(self.rows[place].seen.as_ref()?)
    }

    fn gone(&self) -> Error {
        self.api.0.error(ErrorKind::Gone, Retry::Replan, "the contact is gone")
    }
}

fn lists_of(seen: &Seen) -> Option<(BTreeSet<u64>, BTreeSet<u64>)> {
    Some((lists(seen.fields.get(LISTS)?)?, lists(seen.fields.get(LISTS_LEFT)?)?))
}

/// A row that was left for another write: nothing is wrong with it.
pub fn not_tried(op: &'static str) -> Error {
    Error::new(ErrorKind::RateLimited, Retry::After(Duration::from_secs(1)), op, "left for the next write")
}
