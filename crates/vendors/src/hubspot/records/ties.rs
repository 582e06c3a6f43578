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
    for ((from, to), all) in by_objects(ties) {
        for part in all.chunks(ROWS_PER_BATCH) {
            let ends = |tie: &Tie| json!({ "from": { "id": tie.from.1 }, "to": { "id": tie.to.1 } });
            let inputs: Vec<Json> = part.iter().map(ends).collect();
            let answer = api::associate(desk.cx, &from, &to, &json!({ "inputs": inputs })).await;
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
                    conclude(courses, part, &answer.body);
                }
            }
        }
    }
    Ok(())
}

/// Parts records; those that are not associated are no matter.
pub async fn untie(desk: &mut Desk<'_>, courses: &mut [Course<'_>], ties: Vec<Tie>) -> Result<(), Error> {
    for ((from, to), all) in by_objects(ties) {
        for part in all.chunks(ROWS_PER_BATCH) {
            let ends = |tie: &Tie| json!({ "from": { "id": tie.from.1 }, "to": [{ "id": tie.to.1 }] });
            let inputs: Vec<Json> = part.iter().map(ends).collect();
            let answer = api::dissociate(desk.cx, &from, &to, &json!({ "inputs": inputs })).await;
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
                    part.iter().for_each(|tie| courses[tie.course].touch());
                }
            }
        }
    }
    Ok(())
}

/// Whether a refusal is about the call and not about what stands in it.
fn is_about_call(error: &Error) -> bool {
    !matches!(error.kind, ErrorKind::Invalid | ErrorKind::Gone | ErrorKind::Field)
}

fn by_objects(ties: Vec<Tie>) -> BTreeMap<(String, String), Vec<Tie>> {
    let mut all: BTreeMap<(String, String), Vec<Tie>> = BTreeMap::new();
    for tie in ties {
        all.entry((tie.from.0.clone(), tie.to.0.clone())).or_default().push(tie);
    }
    all
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
