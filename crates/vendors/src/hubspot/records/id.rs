//! Ids of records. HubSpot numbers the records of each kind by themselves, so that a contact and a company may bear the
//! same number: our id has the kind before the number, as the address of the record's page has it. Pure.

use syncline_core::{ids::RecordId, record::Role};

use crate::hubspot::{
    convert::is_id,
    roles::{OWNERS, ROLES, TYPE_IDS},
};

/// Between a kind and a number, and between a meeting and who attends it.
const SLASH: char = '/';

/// What stands before kind and number in the address of a record's page.
const PAGE: &str = "/record/";

/// The id of the record of this object and number. `object` is a name as the API takes it.
pub fn of(object: &str, number: &str) -> RecordId {
    let role = ROLES.iter().find(|spec| spec.object == object && spec.role != Role::Attendee).map(|spec| spec.role);
    let kind = role.and_then(kind).unwrap_or(object);
    RecordId::new(format!("{kind}{SLASH}{number}"))
}

/// The id of an owner.
pub fn of_owner(number: &str) -> RecordId {
    of(OWNERS, number)
}

fn kind(role: Role) -> Option<&'static str> {
    TYPE_IDS.iter().find(|(_, known)| *known == role).map(|(kind, _)| *kind)
}

/// The number within an id.
pub fn number(id: &RecordId) -> Option<&str> {
    let (_, number) = id.as_str().rsplit_once(SLASH)?;
    is_id(number).then_some(number)
}

/// The object's name for the API and the number, of a record that can be associated.
pub fn parts(id: &RecordId) -> Option<(&str, &str)> {
    let (kind, number) = id.as_str().rsplit_once(SLASH)?;
    if !is_id(number) || kind.is_empty() || kind.contains(SLASH) || kind == OWNERS {
        return None;
    }
    let role = TYPE_IDS.iter().find(|(known, _)| *known == kind).map(|(_, role)| *role);
    let object = role.and_then(|role| ROLES.iter().find(|spec| spec.role == role)).map(|spec| spec.object);
    Some((object.unwrap_or(kind), number))
}

/// The number, where the id is one of this role.
pub fn number_of(role: Role, id: &RecordId) -> Option<&str> {
    match role {
        Role::Custom => parts(id).map(|(_, number)| number),
        _ => {
            let (found, _) = identify(id.as_str())?;
            (found == role).then(|| number(id)).flatten()
        }
    }
}

/// What an id is of, by its form alone: `0-1/512`, the address of such a record's page, or `owners/41`.
pub fn identify(text: &str) -> Option<(Role, RecordId)> {
    let text = text.trim();
    let text = text.split(['?', '#']).next()?;
    let text = text.rsplit_once(PAGE).map_or(text, |(_, tail)| tail).trim_end_matches(SLASH);
    let (kind, number) = text.split_once(SLASH)?;
    if !is_id(number) {
        return None;
    }
    if kind == OWNERS {
        return Some((Role::User, of_owner(number)));
    }
    let (kind, role) = TYPE_IDS.iter().find(|(known, _)| *known == kind)?;
    Some((*role, RecordId::new(format!("{kind}{SLASH}{number}"))))
}

/// The id of somebody's place in a meeting: HubSpot has none.
pub fn of_place(meeting: &RecordId, attends: &RecordId) -> RecordId {
    RecordId::new(format!("{meeting}{SLASH}{attends}"))
}

/// The meeting, and who attends.
pub fn place(id: &RecordId) -> Option<(RecordId, RecordId)> {
    let mut at = id.as_str().match_indices(SLASH).map(|(at, _)| at);
    let middle = at.nth(1)?;
    let (meeting, attends) = id.as_str().split_at(middle);
    let (meeting, attends) = (identify(meeting)?, identify(&attends[1..])?);
    let fits = meeting.0 == Role::Meeting && matches!(attends.0, Role::Contact | Role::User);
    fits.then_some((meeting.1, attends.1))
}
