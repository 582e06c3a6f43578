//! The account's own people, and who attends a meeting: contacts who are associated with it, and owners whom it names.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use syncline_connect::{Error, ErrorKind, Find, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Fields, Record, Role, Std, Value},
};

use super::{
    find::{Look, OP, numbers, protocol},
    id,
};
use crate::hubspot::{
    api, classify,
    convert::is_id,
    manifest::ROWS_PER_BATCH,
    roles::ATTENDING_OWNERS,
    wire::{Owner, Tied},
};

/// Owners of a page.
/// <https://developers.hubspot.com/docs/api-reference/crm-crm-owners-v3/guide>, read 2026-11.
const OWNERS_PER_PAGE: usize = 500;

/// Pages of owners that are read: more people than any account has.
const OWNER_PAGES_MAX: usize = 40;

/// Pages of one meeting's associations that are read, 500 to a page.
const TIED_PAGES_MAX: usize = 10;

const MEETINGS: &str = "meetings";
const CONTACTS: &str = "contacts";

/// Active owners by address and id: one call for a single address, and for several one for all of the account's people.
pub async fn owners(look: &mut Look<'_>, find: &Find) -> Result<Vec<Record>, Error> {
    let mut emails: BTreeSet<String> = BTreeSet::new();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for wanted in &find.any {
        match wanted {
            Wanted::Is(Std::Email, texts) => emails.extend(texts.iter().map(|text| text.trim().to_lowercase())),
            Wanted::Ids(all) | Wanted::Traces(all) => ids.extend(numbers(Role::User, all)),
            Wanted::Is(..) | Wanted::EmailDomain(_) => {}
        }
    }
    emails.retain(|email| !email.is_empty());
    let mut found = Vec::new();
    let one = emails.first().filter(|_| emails.len() == 1);
    let filter = one.map(|email| {
        let email: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
        format!("&email={email}")
    });
    let mut after: Option<String> = None;
    for page in 1.. {
        if emails.is_empty() {
            break;
        }
        if page > OWNER_PAGES_MAX {
            return Err(protocol("the account has more owners than are ever read"));
        }
        let after_this = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let query = format!("limit={OWNERS_PER_PAGE}{}{after_this}", filter.as_deref().unwrap_or_default());
        look.calls += 1;
        let answer = api::owners(look.cx, OP, &query).await?;
        look.usage = answer.usage.or(look.usage);
        let meant = |owner: &Owner| {
            let email = owner.email.as_deref().unwrap_or_default().trim().to_lowercase();
            emails.contains(&email) || ids.contains(&owner.id)
        };
        found.extend(answer.body.results.into_iter().filter(meant));
        let next = answer.body.paging.and_then(|paging| paging.next).map(|next| next.after);
        after = next.filter(|after| is_id(after));
        if after.is_none() {
            break;
        }
    }
    for number in ids.iter().filter(|id| found.iter().all(|owner| owner.id != **id)).collect::<Vec<_>>() {
        look.calls += 1;
        let (owner, usage) = api::owner(look.cx, OP, number).await?;
        look.usage = usage.or(look.usage);
        found.extend(owner);
    }
    Ok(found.into_iter().filter_map(owner).collect())
}

fn owner(owner: Owner) -> Option<Record> {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty()).map_or(Value::Null, Value::Text);
    let fields = Fields::from([
        (Std::Email.into(), text(owner.email)),
        (Std::FirstName.into(), text(owner.first_name)),
        (Std::LastName.into(), text(owner.last_name)),
        (Std::Active.into(), Value::Bool(!owner.archived)),
    ]);
    is_id(&owner.id).then(|| Record { role: Role::User, id: id::of_owner(&owner.id), fields })
}

/// Who attends these meetings.
pub async fn attendees(look: &mut Look<'_>, find: &Find) -> Result<Vec<Record>, Error> {
    let wanted = find.any.iter().filter_map(|wanted| match wanted {
        Wanted::Is(Std::Meeting, ids) => Some(ids.iter().map(RecordId::new).collect::<Vec<_>>()),
        _ => None,
    });
    let meetings = numbers(Role::Meeting, &wanted.flatten().collect::<Vec<_>>());
    let mut places = Vec::new();
    for part in meetings.chunks(ROWS_PER_BATCH) {
        contacts(look, part, &mut places).await?;
        for (meeting, owners) in attending_owners(look, part).await? {
            places.extend(owners.into_iter().map(|owner| (meeting.clone(), id::of_owner(&owner))));
        }
    }
    let record = |(meeting, attends): (String, RecordId)| {
        let meeting = id::of(MEETINGS, &meeting);
        let id = id::of_place(&meeting, &attends);
        let fields = [(Std::Meeting.into(), Value::Id(meeting)), (Std::Attends.into(), Value::Id(attends))];
        Record { role: Role::Attendee, id, fields: Fields::from(fields) }
    };
    Ok(places.into_iter().map(record).collect())
}

/// The contacts who are associated with the meetings.
async fn contacts(look: &mut Look<'_>, meetings: &[String], places: &mut Vec<(String, RecordId)>) -> Result<(), Error> {
    let mut open: Vec<Json> = meetings.iter().map(|number| json!({ "id": number })).collect();
    for page in 1.. {
        if open.is_empty() {
            return Ok(());
        }
        if page > TIED_PAGES_MAX {
            return Err(protocol("a meeting has more contacts than are ever read"));
        }
        look.calls += 1;
        let answer = api::associations(look.cx, OP, MEETINGS, CONTACTS, &json!({ "inputs": open })).await;
        let Tied { results, errors, .. } = match answer {
            // Nobody is associated with any of them.
            Err(error) if error.kind == ErrorKind::Gone => return Ok(()),
            answer => {
                let answer = answer?;
                look.usage = answer.usage.or(look.usage);
                answer.body
            }
        };
        let failed = errors.iter().map(|refused| classify::of_row(OP, refused, &[]));
        failed.filter(|error| error.kind != ErrorKind::Gone).try_for_each(Err)?;
        open.clear();
        for row in results {
            let meeting = number(&row.from.id).ok_or_else(|| protocol("an association has no sound id"))?;
            for to in &row.to {
                let contact = number(&to.to_object_id).ok_or_else(|| protocol("an association has no sound id"))?;
                places.push((meeting.clone(), id::of(CONTACTS, &contact)));
            }
            if let Some(next) = row.paging.and_then(|paging| paging.next) {
                open.push(json!({ "id": meeting, "after": next.after }));
            }
        }
    }
    Ok(())
}

/// The owners whom the meetings name, by the meeting's number.
pub async fn attending_owners(look: &mut Look<'_>, meetings: &[String]) -> Result<Vec<(String, Vec<String>)>, Error> {
    let rows = look.batch(MEETINGS, &[ATTENDING_OWNERS.to_owned()], meetings, None, false).await?;
    let owners = |text: &str| text.split(';').filter(|id| is_id(id)).map(str::to_owned).collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let text = row.properties.get(ATTENDING_OWNERS).cloned().flatten().unwrap_or_default();
            (row.id, owners(&text))
        })
        .collect())
}

/// An id as a text, which some answers give as a number.
pub fn number(id: &Json) -> Option<String> {
    let text = match id {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    is_id(&text).then_some(text)
}
