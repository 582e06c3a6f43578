//! Writing rows one by one, each to its end: the contact itself by its number, then tags and lists. What many rows take is
//! in `bulk`.

use std::time::Duration;

use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Op, RowWrite, Singly, Written},
};
use syncline_core::{
    ids::RecordId,
    record::{Role, Value},
};

use super::{
    accounts,
    api::{Api, Beside, Which},
    bulk,
    convert::{Draft, EMAIL, LISTS, TAGS, draft, marks, seen},
    wire::ContactsPage,
};

pub async fn write(cx: &Cx<'_>, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let drafts: Vec<Result<Draft, Error>> = rows.iter().map(|row| draft("write", row)).collect();
    let bulk_rows: Vec<Option<bulk::Row>> =
        rows.iter().zip(&drafts).map(|(row, draft)| bulk::row("write", row, draft.as_ref().ok()?)).collect();
    let in_bulk = bulk_rows.iter().flatten().count();
    if in_bulk >= bulk::ROWS_MIN && in_bulk == rows.len() {
        return bulk::write(cx, bulk_rows.into_iter().flatten().collect()).await;
    }
    // What cannot go in bulk comes first, so that its outcome is told at once; a next write then takes the others.
    let waits = in_bulk >= bulk::ROWS_MIN;
    let (mut work, mut said) = (Alone { api: Api::new(cx, "write"), rows }, Singly::default());
    for (place, draft) in drafts.into_iter().enumerate() {
        match draft {
            Err(error) => said.refused(error),
            Ok(_) if waits && bulk_rows[place].is_some() => said.refused(not_tried("write")),
            Ok(draft) if said.goes_on() => {
                let mut begun = false;
                let written = work.one(place, &draft, &mut begun).await;
                said.said(written, begun);
            }
            Ok(_) => {}
        }
    }
    Ok(Answered { value: said.end()?, calls: work.api.calls(), usage: None })
}

/// A row that was left for another write: nothing is wrong with it.
pub fn not_tried(op: &'static str) -> Error {
    Error::new(ErrorKind::RateLimited, Retry::After(Duration::from_secs(1)), op, "left for the next write")
}

/// Rows that are written one by one.
struct Alone<'a> {
    api: Api<'a>,
    rows: &'a [RowWrite],
}

impl Alone<'_> {
    /// Writes one row. `begun` says whether a part of it was written already.
    async fn one(&mut self, place: usize, draft: &Draft, begun: &mut bool) -> Result<RecordId, Error> {
        match &self.rows[place].op {
            Op::Create { .. } => self.create(draft, begun).await,
            Op::Update { id } => self.update(place, id, draft, begun).await,
            Op::Delete { id } => self.api.delete(id.as_str()).await.map(|()| id.clone()),
        }
    }

    async fn create(&mut self, draft: &Draft, begun: &mut bool) -> Result<RecordId, Error> {
        let id = match self.api.create(draft.contact()).await {
            Ok(id) => id,
            Err(error) => return Err(self.holder(draft, error).await),
        };
        *begun = true;
        if draft.writes_marks() {
            self.mark(&id, draft, None).await?;
        }
        if let Some(tie) = &draft.account {
            accounts::belong(&mut self.api, &id, tie).await?;
        }
        Ok(RecordId::new(id))
    }

    async fn update(
        &mut self,
        place: usize,
        id: &RecordId,
        draft: &Draft,
        begun: &mut bool,
    ) -> Result<RecordId, Error> {
        if draft.writes_contact() {
            if let Err(error) = self.api.update(id.as_str(), draft.contact()).await {
                return Err(self.holder(draft, error).await);
            }
            // What follows can be refused by itself, and the values are then written all the same.
            *begun = true;
        }
        if draft.writes_marks() {
            let was = *begun;
            let marked = self.mark(id.as_str(), draft, Some(place)).await;
            *begun = was || marked.is_ok();
            marked?;
        }
        if let Some(tie) = &draft.account {
            accounts::belong(&mut self.api, id.as_str(), tie).await?;
        }
        Ok(id.clone())
    }

    /// An address that another contact has: that contact is named, where it can be found.
    async fn holder(&mut self, draft: &Draft, mut error: Error) -> Error {
        if error.kind == ErrorKind::KeyTaken
            && let Some(email) = &draft.email
            && let Ok((page, _)) = self.api.contacts(Which::Email(email), Beside::default()).await
        {
            let ids = page.contacts.iter().map(|contact| RecordId::new(contact.id.0.clone()));
            error.matches = ids.map(|id| (Role::Contact, id)).collect();
        }
        error
    }

    /// Brings tags and lists to what they are to be. The contact is read afresh: nobody is subscribed who unsubscribed a
    /// moment ago, and a tag that is there already is not put again, which would start automations.
    async fn mark(&mut self, id: &str, draft: &Draft, place: Option<usize>) -> Result<(), Error> {
        let op = self.api.0.op;
        let beside = Beside { tags: true, lists: true, values: false };
        let (page, _) = self.api.contacts(Which::Ids(&[id]), beside).await?;
        let fields = [TAGS.to_owned(), LISTS.to_owned()];
        let Some(fresh) = seen(&page, &fields).into_iter().find(|seen| seen.id.as_str() == id) else {
            return Err(self.api.0.error(ErrorKind::Gone, Retry::Replan, "the contact is gone"));
        };
        let hidden =
            || self.api.0.error(ErrorKind::Protocol, Retry::Backoff, "tags or lists of a contact are not shown");
        let now = marks(op, draft, &fresh.fields).ok_or_else(hidden)??;
        // What was decided is what comes and goes since the record was read: others may have marked it meanwhile.
        let decided = place.and_then(|place| self.rows[place].seen.as_ref());
        let decided = decided.and_then(|seen| marks(op, draft, &seen.fields)?.ok()).unwrap_or_else(|| now.clone());
        for tag in decided.tags_added.intersection(&now.tags_added) {
            let tag = self.api.tag(tag).await?;
            self.api.put_tag(id, &tag).await?;
        }
        for tag in decided.tags_dropped.intersection(&now.tags_dropped) {
            if let Some(held) = contact_tag(&page, tag) {
                self.api.drop_tag(held).await?;
            }
        }
        for list in decided.lists_joined.intersection(&now.lists_joined) {
            self.api.put_list(id, *list, SUBSCRIBE).await?;
        }
        // Whoever opts out leaves all lists, also one that was joined meanwhile.
        let left = if draft.opts_out { now.lists_left } else { &decided.lists_left & &now.lists_left };
        for list in left {
            self.api.put_list(id, list, UNSUBSCRIBE).await?;
        }
        Ok(())
    }
}

/// Standings of a list.
const SUBSCRIBE: u8 = 1;
const UNSUBSCRIBE: u8 = 2;

/// The number under which a contact has a tag. The page holds one contact.
fn contact_tag<'p>(page: &'p ContactsPage, name: &str) -> Option<&'p str> {
    let tag = page.tags.iter().flatten().find(|tag| tag.tag.0 == name)?;
    let held = page.contact_tags.iter().flatten().find(|held| held.tag == tag.id)?;
    Some(&held.id.0)
}

/// The address that a contact was seen with.
pub fn known_email(row: &RowWrite) -> Option<&str> {
    match row.seen.as_ref()?.fields.get(EMAIL)? {
        Value::Text(email) => Some(email),
        _ => None,
    }
}
