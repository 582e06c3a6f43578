//! Steps as they will be sent: properties, and what the record is associated with. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    ids::RecordId,
    record::{Field, Fields, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};

use super::{
    fields::{self, Place},
    id,
};
use crate::hubspot::{
    batch::{OP, Verb},
    manifest::ROWS_PER_BATCH,
    roles::{ASSOCIATIONS, ATTENDING_OWNERS, TIMESTAMP},
};

/// Ids of a plan's records, as far as they are known.
pub type Known = BTreeMap<Slot, RecordId>;

/// A record at the other end of an association: object and number.
pub type Other = (String, String);

/// By the two objects: the types of an association as they stand in a body. Empty where the account has none without a
/// label.
pub type Types = BTreeMap<(String, String), Vec<Json>>;

/// A step as it will be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The step's place in its plan.
    pub at: usize,
    pub role: Role,
    pub object: String,
    /// `None`: nothing about the record itself changes.
    pub row: Option<Row>,
    /// What is associated once the record is there.
    pub ties: Vec<Other>,
    /// Attendees who come with the meeting that is made: their steps' places, and who they are.
    pub seated: Vec<(usize, RecordId)>,
}

/// What is written to the record itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub verb: Verb,
    pub identity: String,
    pub properties: Map<String, Json>,
    pub associations: Vec<Json>,
    /// The other ends of `associations`.
    pub with: Vec<Other>,
}

/// How many of these plans, from the first on, make one batch of each kind.
pub fn fits(plans: &[&Plan]) -> usize {
    let mut rows: BTreeMap<(String, u8), usize> = BTreeMap::new();
    let within = plans.iter().take_while(|plan| {
        for step in &plan.steps {
            let object = match &step.object {
                Some(object) => object.as_str(),
                None => step.role.as_str(),
            };
            let verb = match step.write {
                Write::Upsert { .. } => 0,
                Write::Patch { .. } => 1,
                Write::Delete { .. } => 2,
            };
            *rows.entry((object.to_owned(), verb)).or_default() += 1;
        }
        rows.values().all(|count| *count <= ROWS_PER_BATCH)
    });
    within.count().max(1)
}

/// Whether all records that the step refers to are known.
pub fn is_ready(step: &Step, known: &Known) -> bool {
    let fields = match &step.write {
        Write::Upsert { fields, .. } | Write::Patch { fields, .. } => Some(fields),
        Write::Delete { .. } => None,
    };
    fields.into_iter().flatten().all(|(_, value)| match value {
        Value::Slot(slot) => known.contains_key(slot),
        _ => true,
    })
}

/// Draws one step; an attendee's is drawn elsewhere.
pub fn draw(key: &str, types: &Types, plan: &Plan, at: usize, known: &Known) -> Result<Work, Error> {
    let step = &plan.steps[at];
    let object = fields::object_name(step.role, step.object.as_ref());
    let object = object.map_err(|why| misplanned(step, why, Vec::new()))?;
    let mut work =
        Work { at, role: step.role, object: object.to_owned(), row: None, ties: Vec::new(), seated: Vec::new() };
    match &step.write {
        Write::Upsert { .. } if matches!(step.role, Role::User | Role::Attendee) => {
            return Err(misplanned(step, "no such record is ever made", Vec::new()));
        }
        Write::Upsert { key: own, fields } => {
            let Body { mut properties, mut with } = body(key, step, fields, known)?;
            properties.insert(key.to_owned(), own.as_str().into());
            if step.role == Role::Meeting {
                seat(plan, known, &mut work, &mut properties, &mut with);
            }
            let of = |to: &str| {
                types.get(&(object.to_owned(), to.to_owned())).cloned().unwrap_or_else(|| known_types(object, to))
            };
            let (typed, untyped): (Vec<Other>, Vec<Other>) = with.into_iter().partition(|(to, _)| !of(to).is_empty());
            let association = |(to, number): &Other| json!({ "to": { "id": number }, "types": of(to) });
            let associations: Vec<Json> = typed.iter().map(association).collect();
            // Where nothing hangs on it, one that is there already may as well be brought up to date.
            let verb = if associations.is_empty() { Verb::Upsert } else { Verb::Create };
            let identity = own.as_str().to_owned();
            work.row = Some(Row { verb, identity, properties, associations, with: typed });
            work.ties = untyped;
        }
        Write::Patch { id, fields } => {
            let Body { properties, with } = body(key, step, fields, known)?;
            let identity = number(step, id)?;
            work.row = (!properties.is_empty()).then_some(Row {
                verb: Verb::Update,
                identity,
                properties,
                associations: Vec::new(),
                with: Vec::new(),
            });
            work.ties = with;
        }
        Write::Delete { id } => {
            work.row = Some(Row {
                verb: Verb::Archive,
                identity: number(step, id)?,
                properties: Map::new(),
                associations: Vec::new(),
                with: Vec::new(),
            });
        }
    }
    Ok(work)
}

fn number(step: &Step, id: &RecordId) -> Result<String, Error> {
    let number = id::number_of(step.role, id).map(str::to_owned);
    number.ok_or_else(|| misplanned(step, "the id to write to is not the id of this kind of record", Vec::new()))
}

/// What a step says of its record.
struct Body {
    properties: Map<String, Json>,
    with: Vec<Other>,
}

fn body(key: &str, step: &Step, all: &Fields, known: &Known) -> Result<Body, Error> {
    let mut body = Body { properties: Map::new(), with: Vec::new() };
    for (field, value) in all {
        if *field == Field::Std(Std::Key) || *field == Field::Native(key.to_owned()) {
            continue;
        }
        let wrong = |why: &str| misplanned(step, format!("the field {field} {why}"), vec![field.clone()]);
        let value = match value {
            Value::Slot(slot) => {
                let id = known.get(slot).cloned();
                Value::Id(id.ok_or_else(|| wrong("refers to a record that the plan has not"))?)
            }
            value => value.clone(),
        };
        match fields::place(key, step.role, field).map_err(wrong)? {
            Place::Association(_) if value == Value::Null => {}
            Place::Association(_) => {
                let id = fields::referred(&value).ok_or_else(|| wrong("does not hold the id of a record"))?;
                let other = id::parts(&id).ok_or_else(|| wrong("does not hold the id of a record"))?;
                let other = (other.0.to_owned(), other.1.to_owned());
                if !body.with.contains(&other) {
                    body.with.push(other);
                }
            }
            Place::Property(_) if fields::is_read_only(step.role, field) => return Err(wrong("cannot be written")),
            Place::Property(name) => {
                let normal = fields::normalise(step.role, field, value);
                let text = fields::to_property(step.role, field, &normal).map_err(wrong)?;
                if *field == Field::Std(Std::Start) {
                    body.properties.insert(TIMESTAMP.to_owned(), text.clone().into());
                }
                if body.properties.insert(name.to_owned(), text.into()).is_some() {
                    return Err(wrong("is given twice, once by another name"));
                }
            }
        }
    }
    Ok(body)
}

/// Seats those who are to attend a meeting that is made: contacts by an association, owners by its list of them.
fn seat(plan: &Plan, known: &Known, work: &mut Work, properties: &mut Map<String, Json>, with: &mut Vec<Other>) {
    let mut owners: Vec<&str> = Vec::new();
    let attends: Vec<(usize, RecordId)> = plan
        .steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| {
            let Write::Upsert { fields, .. } = &step.write else { return None };
            let of_this = fields.get(&Std::Meeting.into()) == Some(&Value::Slot(Slot::Meeting));
            (step.role == Role::Attendee && of_this).then(|| Some((at, attends(fields, known)?)))?
        })
        .collect();
    for (at, id) in &attends {
        match (id::identify(id.as_str()), id::parts(id)) {
            (Some((Role::User, _)), _) => owners.extend(id::number(id)),
            (_, Some((object, number))) => {
                let other = (object.to_owned(), number.to_owned());
                if !with.contains(&other) {
                    with.push(other);
                }
            }
            _ => continue,
        }
        work.seated.push((*at, id.clone()));
    }
    if !owners.is_empty() {
        properties.insert(ATTENDING_OWNERS.to_owned(), owners.join(";").into());
    }
}

/// Who attends by these fields of an attendee, where it is known.
pub fn attends(fields: &Fields, known: &Known) -> Option<RecordId> {
    match fields.get(&Std::Attends.into())? {
        Value::Slot(slot) => known.get(slot).cloned(),
        other => fields::referred(other),
    }
}

/// The types of an association from one object to another that every account has.
fn known_types(from: &str, to: &str) -> Vec<Json> {
    let known = ASSOCIATIONS.iter().find(|known| known.0 == from && known.1 == to);
    known.into_iter().flat_map(|known| known.2).map(|id| association_type("HUBSPOT_DEFINED", *id)).collect()
}

/// A type of association as it stands in a body.
pub fn association_type(category: &str, id: u32) -> Json {
    json!({ "associationCategory": category, "associationTypeId": id })
}

/// The objects that records to be made are to be associated with, where nobody knows yet how.
pub fn untyped<'a>(types: &Types, works: impl Iterator<Item = &'a Work>) -> BTreeSet<(String, String)> {
    let makes = |work: &&Work| work.row.as_ref().is_some_and(|row| matches!(row.verb, Verb::Create | Verb::Upsert));
    let pairs = works.filter(makes).flat_map(|work| work.ties.iter().map(|(to, _)| (work.object.clone(), to.clone())));
    pairs.filter(|pair| !types.contains_key(pair)).collect()
}

/// Objects of further records in the order of their first steps, so that a pass is the same every time.
pub fn objects(works: &[(usize, Work)]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    works.iter().filter(|(_, work)| seen.insert(work.object.clone())).map(|(_, work)| work.object.clone()).collect()
}

/// A step of the plan cannot be sent.
pub fn misplanned(step: &Step, message: impl Into<String>, fields: Vec<Field>) -> Error {
    let mut error = Error::new(ErrorKind::Configuration, Retry::Never, OP, message);
    (error.slot, error.fields) = (Some(step.slot), fields);
    error
}
