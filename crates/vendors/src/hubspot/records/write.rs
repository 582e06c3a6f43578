//! Writes. HubSpot does no graph at once: the companies of all plans go first, then the contacts under them, tickets and
//! deals, the meetings, and what else there is; each kind by one batch. A record is made together with its associations, so
//! that none is ever left hanging in the air.
//!
//! A plan that stops half-way is told as one whose outcome is unknown: what it made is found by its keys, and only the rest
//! is written then. All of it may be sent twice: what is made bears its key, changes name absolute values, and associations
//! are as good twice as once.

use std::collections::{BTreeMap, BTreeSet};

use syncline_connect::{Answered, Cx, Error, ErrorKind, GraphOutcome, Retry, Usage, mirror::RowOutcome};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Slot, Std},
    step::{Plan, Step, Write},
};

use super::{
    attend,
    draw::{self, Known, Other, Row, Types, Work},
    fields, id,
    ties::{self, Tie},
};
use crate::hubspot::{
    api,
    batch::{self, Drawn, OP, Target, Verb},
    settings::key_property,
};

/// The kinds in the order in which they are made: none refers to a later one, save further records among themselves.
const ORDER: [Role; 6] = [Role::Account, Role::Contact, Role::Case, Role::Opportunity, Role::Meeting, Role::Custom];

/// Writes the plans.
pub async fn write(cx: &Cx<'_>, plans: &[&Plan]) -> Result<Answered<Vec<GraphOutcome>>, Error> {
    let key = key_property(cx.settings, OP)?;
    let mut desk = Desk { cx, key, types: Types::new(), calls: 0, usage: None };
    let mut courses: Vec<Course<'_>> = plans.iter().map(|plan| Course::new(plan)).collect();
    for course in &mut courses {
        if let Some(step) =
            course.plan.steps.iter().find(|step| !ORDER.contains(&step.role) && step.role != Role::Attendee)
        {
            course.stop(draw::misplanned(step, "no such record is ever written", Vec::new()), false);
        }
    }
    for role in ORDER {
        // Whoever attends a meeting that is there already is seated once all people are known.
        if role == Role::Custom {
            attend::attend(&mut desk, &mut courses).await?;
        }
        while desk.pass(&mut courses, role).await? {}
    }
    let value = courses.into_iter().map(Course::outcome).collect();
    Ok(Answered { value, calls: desk.calls, usage: desk.usage })
}

/// One plan on its way.
pub struct Course<'p> {
    pub plan: &'p Plan,
    pub known: Known,
    /// By the step's place: what it yielded.
    done: BTreeMap<usize, Option<RecordId>>,
    stopped: Option<(Error, bool)>,
    /// Whether something of it was done, or may have been.
    touched: bool,
}

impl<'p> Course<'p> {
    fn new(plan: &'p Plan) -> Self {
        let known = plan.steps.iter().filter_map(|step| match &step.write {
            Write::Patch { id, .. } => Some((step.slot, id.clone())),
            Write::Upsert { .. } | Write::Delete { .. } => None,
        });
        Self { plan, known: known.collect(), done: BTreeMap::new(), stopped: None, touched: false }
    }

    /// The step is done; the record's id may be another one than it was, where it was merged.
    pub fn done(&mut self, at: usize, id: Option<RecordId>) {
        if let Some(id) = &id {
            self.known.insert(self.plan.steps[at].slot, id.clone());
        }
        self.done.insert(at, id);
    }

    /// Something of the plan was sent and may have been done.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Nothing more of the plan is sent.
    pub fn stop(&mut self, error: Error, unknown: bool) {
        self.touched |= unknown;
        self.stopped.get_or_insert((error, unknown));
    }

    /// Whether nothing stopped it yet.
    pub fn goes_on(&self) -> bool {
        self.stopped.is_none()
    }

    /// The steps of a role that are still to be done and can be.
    pub fn open(&self, role: Role) -> Vec<usize> {
        let all = self.plan.steps.iter().enumerate().filter(|(at, step)| {
            self.stopped.is_none()
                && step.role == role
                && !self.done.contains_key(at)
                && draw::is_ready(step, &self.known)
        });
        all.map(|(at, _)| at).collect()
    }

    fn outcome(self) -> GraphOutcome {
        let left = self.plan.steps.iter().enumerate().find(|(at, _)| !self.done.contains_key(at));
        let stopped = self.stopped.or_else(|| {
            let (_, step) = left?;
            Some((draw::misplanned(step, "the records of the plan refer to each other in a circle", Vec::new()), false))
        });
        match stopped {
            None => {
                let ids = self.done.iter().filter_map(|(at, id)| Some((self.plan.steps[*at].slot, id.clone()?)));
                GraphOutcome::Done(ids.collect())
            }
            Some((error, _)) if self.touched => GraphOutcome::Unknown(error),
            Some((error, _)) => GraphOutcome::Refused(error),
        }
    }
}

/// All plans of one write, and what it cost so far.
pub struct Desk<'a> {
    pub cx: &'a Cx<'a>,
    pub key: String,
    /// What was learned of associations of the account's own.
    types: Types,
    pub calls: u32,
    pub usage: Option<Usage>,
}

impl Desk<'_> {
    /// Writes what can be written of one kind; whether there was anything.
    async fn pass(&mut self, courses: &mut [Course<'_>], role: Role) -> Result<bool, Error> {
        let mut works = self.drawn(courses, role);
        let untyped = draw::untyped(&self.types, works.iter().map(|(_, work)| work));
        if !untyped.is_empty() {
            let first = self.calls == 0;
            if let Err(error) = self.learn_types(&untyped).await {
                if first {
                    return Err(error);
                }
                for (number, work) in works.iter().filter(|(_, work)| !work.ties.is_empty()) {
                    courses[*number].stop(verdict(error.clone(), &courses[*number].plan.steps[work.at]), false);
                }
            }
            works = self.drawn(courses, role);
        }
        for object in draw::objects(&works) {
            let of_object: Vec<&(usize, Work)> = works.iter().filter(|(_, work)| work.object == object).collect();
            self.write_object(courses, &object, role, &of_object).await?;
        }
        Ok(!works.is_empty())
    }

    /// The steps of one kind that can go now, drawn.
    fn drawn(&self, courses: &mut [Course<'_>], role: Role) -> Vec<(usize, Work)> {
        let mut works: Vec<(usize, Work)> = Vec::new();
        for (number, course) in courses.iter_mut().enumerate() {
            for at in course.open(role) {
                match draw::draw(&self.key, &self.types, course.plan, at, &course.known) {
                    Ok(work) => works.push((number, work)),
                    Err(error) => course.stop(error, false),
                }
            }
        }
        works
    }

    /// Asks how records of these objects are associated: who is made together with its associations has them even where
    /// the answer is lost.
    async fn learn_types(&mut self, pairs: &BTreeSet<(String, String)>) -> Result<(), Error> {
        for (from, to) in pairs {
            self.calls += 1;
            let types = match api::association_types(self.cx, OP, from, to).await {
                Ok(answer) => {
                    self.usage = answer.usage.or(self.usage);
                    let plain = answer.body.results.into_iter().find(|known| known.label.is_none());
                    plain.map(|known| draw::association_type(&known.category, known.type_id)).into_iter().collect()
                }
                // There is no such object, or it cannot be seen: what is refused then tells it better.
                Err(error) if matches!(error.kind, ErrorKind::Gone | ErrorKind::Invalid | ErrorKind::Forbidden) => {
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            self.types.insert((from.clone(), to.clone()), types);
        }
        Ok(())
    }

    async fn write_object(
        &mut self,
        courses: &mut [Course<'_>],
        object: &str,
        role: Role,
        works: &[&(usize, Work)],
    ) -> Result<(), Error> {
        let mut ties: Vec<Tie> = Vec::new();
        let mut rows = Vec::new();
        for (place, (number, work)) in works.iter().enumerate() {
            match &work.row {
                Some(row) => rows.push(drawn(place, row)),
                None => {
                    let id = courses[*number].known.get(&courses[*number].plan.steps[work.at].slot).cloned();
                    settle(&mut courses[*number], *number, work, id, &work.ties, &mut ties);
                }
            }
        }
        let outcomes = self.send(object, role, rows).await?;
        let mut again = Vec::new();
        for (place, outcome) in outcomes {
            let (number, work) = works[place];
            match (outcome, &work.row) {
                // Where it was made before and nobody knew, it is brought up to date; where another record stands in the
                // way, that is told once more.
                (RowOutcome::Refused(error), Some(row))
                    if row.verb == Verb::Create && error.kind == ErrorKind::KeyTaken =>
                {
                    again.push(Drawn { verb: Verb::Upsert, associations: Vec::new(), ..drawn(place, row) });
                }
                (outcome, _) => conclude(&mut courses[*number], *number, work, outcome, &work.ties, &mut ties),
            }
        }
        for (place, outcome) in self.send(object, role, again).await? {
            let (number, work) = works[place];
            let with = work.row.iter().flat_map(|row| &row.with).chain(&work.ties).cloned().collect::<Vec<_>>();
            conclude(&mut courses[*number], *number, work, outcome, &with, &mut ties);
        }
        ties::tie(self, courses, ties).await
    }

    /// Sends rows of one object. `Err` only where this is the first call and it was refused as a whole.
    pub async fn send(
        &mut self,
        object: &str,
        role: Role,
        rows: Vec<Drawn>,
    ) -> Result<BTreeMap<usize, RowOutcome>, Error> {
        if rows.is_empty() {
            return Ok(BTreeMap::new());
        }
        let places: Vec<usize> = rows.iter().map(|row| row.at).collect();
        let target = Target { object, key: &self.key, role };
        match batch::send(self.cx, &target, rows).await {
            Ok(sent) => {
                self.calls += sent.calls;
                self.usage = sent.usage.or(self.usage);
                Ok(sent.outcomes)
            }
            Err(error) if self.calls == 0 => Err(error),
            Err(error) => {
                self.calls += 1;
                Ok(places.into_iter().map(|place| (place, RowOutcome::Refused(error.clone()))).collect())
            }
        }
    }
}

fn drawn(at: usize, row: &Row) -> Drawn {
    Drawn {
        at,
        verb: row.verb,
        identity: row.identity.clone(),
        properties: row.properties.clone(),
        associations: row.associations.clone(),
    }
}

/// What became of a row becomes what became of its step.
fn conclude(
    course: &mut Course<'_>,
    number: usize,
    work: &Work,
    outcome: RowOutcome,
    with: &[Other],
    ties: &mut Vec<Tie>,
) {
    let is_gone = work.row.as_ref().is_some_and(|row| row.verb == Verb::Archive);
    match outcome {
        RowOutcome::Done { id } => {
            course.touch();
            let id = (!is_gone).then(|| id::of(&work.object, id.as_str()));
            settle(course, number, work, id, with, ties);
        }
        RowOutcome::Refused(error) => {
            let error = verdict(error, &course.plan.steps[work.at]);
            course.stop(error, false);
        }
        RowOutcome::Unknown(error) => {
            let error = verdict(error, &course.plan.steps[work.at]);
            course.stop(error, true);
        }
        RowOutcome::Taken { .. } => {
            let message = "the answer does not say what became of the record";
            course.stop(Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, message), true);
        }
    }
}

fn settle(
    course: &mut Course<'_>,
    number: usize,
    work: &Work,
    id: Option<RecordId>,
    with: &[Other],
    ties: &mut Vec<Tie>,
) {
    if let Some((object, own)) = id.as_ref().and_then(id::parts) {
        let from = (object.to_owned(), own.to_owned());
        ties.extend(with.iter().map(|to| Tie { course: number, at: work.at, from: from.clone(), to: to.clone() }));
    }
    for (at, who) in &work.seated {
        course.done(*at, id.as_ref().map(|meeting| id::of_place(meeting, who)));
    }
    course.done(work.at, id);
}

/// What a refusal means for the step: which record and fields it is about, in our words.
pub fn verdict(mut error: Error, step: &Step) -> Error {
    error.slot = Some(step.slot);
    error.fields = error
        .fields
        .into_iter()
        .map(|field| match field {
            Field::Native(name) => fields::shared_field(step.role, &name),
            field => field,
        })
        .collect();
    let makes = matches!(step.write, Write::Upsert { .. });
    if error.kind == ErrorKind::KeyTaken && !error.matches.is_empty() {
        // The address is another contact's: that one stands in.
        let number = |(_, id): &(Role, RecordId)| (Role::Contact, id::of("contacts", id.as_str()));
        error.matches = error.matches.iter().map(number).collect();
        if makes && matches!(step.slot, Slot::Person | Slot::Guest(_)) {
            (error.kind, error.retry) = (ErrorKind::DuplicateRule, Retry::Never);
            error.message = "a contact with this e-mail address is there already".to_owned();
        }
    }
    if error.kind == ErrorKind::Invalid && error.fields.contains(&Std::Owner.into()) {
        (error.kind, error.retry) = (ErrorKind::Owner, Retry::Replan);
        error.message = "the owner cannot own records".to_owned();
    }
    error
}
