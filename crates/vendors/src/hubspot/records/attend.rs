//! Who attends a meeting that is there already: contacts are associated and parted, owners come and go with the meeting's
//! list of them.

use std::collections::BTreeMap;

use serde_json::Map;
use syncline_connect::{Error, mirror::RowOutcome};
use syncline_core::{
    ids::RecordId,
    record::{Role, Slot, Std, Value},
    step::Write,
};

use super::{
    draw::{attends, misplanned},
    fields,
    find::{Look, numbers},
    id, people,
    ties::{self, Tie},
    write::{Course, Desk, verdict},
};
use crate::hubspot::{
    batch::{Drawn, Verb},
    roles::ATTENDING_OWNERS,
};

const MEETINGS: &str = "meetings";

/// What is to change about who attends.
#[derive(Default)]
struct Changes {
    come: Vec<Tie>,
    leave: Vec<Tie>,
    /// Owners by course and meeting.
    owners: BTreeMap<(usize, RecordId), Owners>,
}

/// Owners of one meeting, by their numbers.
#[derive(Default)]
struct Owners {
    at: usize,
    come: Vec<String>,
    leave: Vec<String>,
}

/// Does what the plans say of attendees and was not done with their meetings.
pub async fn attend(desk: &mut Desk<'_>, courses: &mut [Course<'_>]) -> Result<(), Error> {
    let mut changes = Changes::default();
    for (number, course) in courses.iter_mut().enumerate() {
        for at in course.open(Role::Attendee) {
            if let Err(error) = note(course, number, at, &mut changes) {
                course.stop(error, false);
            }
        }
    }
    ties::untie(desk, courses, changes.leave).await?;
    ties::tie(desk, courses, changes.come).await?;
    owners(desk, courses, changes.owners).await
}

/// Notes what a step asks for, and takes it for done: where it fails, the course stops.
fn note(course: &mut Course<'_>, number: usize, at: usize, changes: &mut Changes) -> Result<(), Error> {
    let step = &course.plan.steps[at];
    let wrong = || misplanned(step, "the id is not that of somebody's place in a meeting", Vec::new());
    let (meeting, who, comes) = match &step.write {
        Write::Upsert { fields, .. } => {
            let meeting = match fields.get(&Std::Meeting.into()) {
                Some(Value::Slot(slot)) => course.known.get(slot).cloned(),
                Some(other) => fields::referred(other),
                None => None,
            };
            (meeting.ok_or_else(wrong)?, attends(fields, &course.known).ok_or_else(wrong)?, true)
        }
        // A place has nothing to it that could change.
        Write::Patch { id, .. } => {
            course.done(at, Some(id.clone()));
            return Ok(());
        }
        // Whom the meeting was with is named by their own id.
        Write::Delete { id } => {
            let known = || Some((course.known.get(&Slot::Meeting)?.clone(), id.clone()));
            let (meeting, who) = id::place(id).or_else(known).ok_or_else(wrong)?;
            (meeting, who, false)
        }
    };
    let from = id::number_of(Role::Meeting, &meeting).ok_or_else(wrong)?.to_owned();
    match (id::identify(who.as_str()), id::parts(&who)) {
        (Some((Role::User, _)), _) => {
            let owners = changes.owners.entry((number, meeting.clone())).or_default();
            owners.at = at;
            let side = if comes { &mut owners.come } else { &mut owners.leave };
            side.extend(id::number(&who).map(str::to_owned));
        }
        (_, Some((object, other))) => {
            let to = (object.to_owned(), other.to_owned());
            let tie = Tie { course: number, at, from: (MEETINGS.to_owned(), from), to };
            if comes { changes.come.push(tie) } else { changes.leave.push(tie) }
        }
        _ => return Err(wrong()),
    }
    course.done(at, comes.then(|| id::of_place(&meeting, &who)));
    Ok(())
}

/// Changes the meetings' lists of owners. Who leaves is taken from the list as it stands; who comes is added to whatever
/// stands there.
async fn owners(
    desk: &mut Desk<'_>,
    courses: &mut [Course<'_>],
    changes: BTreeMap<(usize, RecordId), Owners>,
) -> Result<(), Error> {
    let changes: Vec<((usize, RecordId), Owners)> =
        changes.into_iter().filter(|((course, _), _)| courses[*course].goes_on()).collect();
    let left: Vec<RecordId> = changes
        .iter()
        .filter(|(_, owners)| !owners.leave.is_empty())
        .map(|((_, meeting), _)| meeting.clone())
        .collect();
    let mut present: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if !left.is_empty() {
        let mut look = Look { cx: desk.cx, key: desk.key.clone(), calls: 0, usage: None };
        let read = people::attending_owners(&mut look, &numbers(Role::Meeting, &left)).await;
        let first = desk.calls == 0;
        desk.calls += look.calls;
        match read {
            Ok(read) => present.extend(read),
            Err(error) if first => return Err(error),
            Err(error) => {
                changes.iter().for_each(|((course, _), _)| courses[*course].stop(error.clone(), false));
                return Ok(());
            }
        }
    }
    let mut rows = Vec::new();
    for (place, ((_, meeting), owners)) in changes.iter().enumerate() {
        let Some(number) = id::number_of(Role::Meeting, meeting) else { continue };
        let value = if owners.leave.is_empty() {
            format!(";{}", owners.come.join(";"))
        } else {
            let stay = present.get(number).into_iter().flatten().filter(|id| !owners.leave.contains(id));
            stay.chain(&owners.come).cloned().collect::<Vec<_>>().join(";")
        };
        let properties = Map::from_iter([(ATTENDING_OWNERS.to_owned(), value.into())]);
        let identity = number.to_owned();
        rows.push(Drawn { at: place, verb: Verb::Update, identity, properties, associations: Vec::new() });
    }
    for (place, outcome) in desk.send(MEETINGS, Role::Meeting, rows).await? {
        let ((number, _), owners) = &changes[place];
        let course = &mut courses[*number];
        match outcome {
            RowOutcome::Done { .. } => course.touch(),
            RowOutcome::Refused(error) => course.stop(verdict(error, &course.plan.steps[owners.at]), false),
            RowOutcome::Unknown(error) => course.stop(verdict(error, &course.plan.steps[owners.at]), true),
            RowOutcome::Taken { .. } => {}
        }
    }
    Ok(())
}
