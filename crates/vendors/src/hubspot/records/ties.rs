//! Associations that are made or parted for themselves, a hundred to a call. Both may be sent twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use syncline_connect::{Error, ErrorKind, Retry};

use super::{
    draw::Other,
    people::number,
    write::{Course, Desk, verdict},
};
use crate::hubspot::{
    api::{self, Written},
    batch::OP,
    classify,
    manifest::ROWS_PER_BATCH,
    wire::Ties,
};

/// Two records that belong together, for the sake of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    pub course: usize,
    pub at: usize,
    pub from: Other,
    pub to: Other,
}

/// Associates records, as HubSpot does by default.
pub async fn tie(desk: &mut Desk<'_>, courses: &mut [Course<'_>], ties: Vec<Tie>) -> Result<(), Error> {
    for ((from, to), part) in in_calls(ties) {
        let inputs: Vec<Json> =
            part.iter().map(|tie| json!({ "from": { "id": tie.from.1 }, "to": { "id": tie.to.1 } })).collect();
        let answer = api::associate(desk.cx, &from, &to, &json!({ "inputs": inputs })).await;
        hear(desk, courses, &part, answer, |courses, answer| conclude(courses, &part, answer))?;
    }
    Ok(())
}

/// Parts records; those that are not associated are no matter.
pub async fn untie(desk: &mut Desk<'_>, courses: &mut [Course<'_>], ties: Vec<Tie>) -> Result<(), Error> {
    for ((from, to), part) in in_calls(ties) {
        let inputs: Vec<Json> =
            part.iter().map(|tie| json!({ "from": { "id": tie.from.1 }, "to": [{ "id": tie.to.1 }] })).collect();
        let answer = api::dissociate(desk.cx, &from, &to, &json!({ "inputs": inputs })).await;
        hear(desk, courses, &part, answer, |courses, ()| part.iter().for_each(|tie| courses[tie.course].touch()))?;
    }
    Ok(())
}

/// What one call's answer means for its ties. A first call that is refused as a whole stops everything.
fn hear<T>(
    desk: &mut Desk<'_>,
    courses: &mut [Course<'_>],
    part: &[Tie],
    answer: Result<Written<T>, Error>,
    done: impl FnOnce(&mut [Course<'_>], &T),
) -> Result<(), Error> {
    desk.calls += 1;
    let first = desk.calls == 1;
    match answer {
        Err(error) | Ok(Written::Refused { error, .. }) if first && is_about_call(&error) => return Err(error),
        Err(error) | Ok(Written::Refused { error, .. }) => {
            part.iter().for_each(|tie| refuse(courses, tie, error.clone()));
        }
        Ok(Written::Unknown { reason }) => part.iter().for_each(|tie| doubt(courses, tie, &reason)),
        Ok(Written::Answer(answer)) => {
            desk.usage = answer.usage.or(desk.usage);
            done(courses, &answer.body);
        }
    }
    Ok(())
}

/// Whether a refusal is about the call and not about what stands in it.
fn is_about_call(error: &Error) -> bool {
    !matches!(error.kind, ErrorKind::Invalid | ErrorKind::Gone | ErrorKind::Field)
}

/// The ties of each call: of one pair of objects, and no more than a call carries.
fn in_calls(ties: Vec<Tie>) -> Vec<((String, String), Vec<Tie>)> {
    let mut all: BTreeMap<(String, String), Vec<Tie>> = BTreeMap::new();
    for tie in ties {
        all.entry((tie.from.0.clone(), tie.to.0.clone())).or_default().push(tie);
    }
    let chunks = |(objects, ties): ((String, String), Vec<Tie>)| {
        ties.chunks(ROWS_PER_BATCH).map(|part| (objects.clone(), part.to_vec())).collect::<Vec<_>>()
    };
    all.into_iter().flat_map(chunks).collect()
}

fn conclude(courses: &mut [Course<'_>], part: &[Tie], answer: &Ties) {
    let done: BTreeSet<(String, String)> =
        answer.results.iter().filter_map(|tie| Some((number(&tie.from.id)?, number(&tie.to.id)?))).collect();
    let failed = answer.errors.first().map(|refused| classify::of_row(OP, refused, &[]));
    for tie in part {
        let is_done = done.contains(&(tie.from.1.clone(), tie.to.1.clone()));
        match failed.clone().filter(|_| !is_done) {
            None if is_done => courses[tie.course].touch(),
            None => doubt(courses, tie, "the answer does not say what became of an association"),
            Some(error) => refuse(courses, tie, error),
        }
    }
}

/// One of the two is gone, or merged into another.
fn refuse(courses: &mut [Course<'_>], tie: &Tie, error: Error) {
    let course = &mut courses[tie.course];
    let mut error = verdict(error, &course.plan.steps[tie.at]);
    if matches!(error.kind, ErrorKind::Gone | ErrorKind::Invalid) {
        (error.kind, error.retry) = (ErrorKind::Reference, Retry::Replan);
        error.message = "a record that is to be associated is gone".to_owned();
    }
    course.stop(error, false);
}

fn doubt(courses: &mut [Course<'_>], tie: &Tie, reason: &str) {
    let message = format!("whether it was applied is unknown: {reason}");
    courses[tie.course].stop(Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, message), true);
}
