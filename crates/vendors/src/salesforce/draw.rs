//! Plans as graphs: the nodes of each in an order in which every record follows what it refers to, and how many graphs
//! share a call. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    ids::RecordId,
    record::{Field, Fields, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};

use super::{
    convert, id,
    manifest::{create_only, is_assigned},
    settings::Org,
    soql::{ApiName, percent_encoded},
    wire::SubRequest,
};

/// Graphs in one call. All these limits:
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api/resources_composite_graph_limits.htm>, read 2026-11.
pub const GRAPHS_PER_CALL: usize = 75;

/// Nodes in one call, over all its graphs.
pub const NODES_PER_CALL: usize = 500;

/// Different nodes in one call: nodes differ by method, by object and by API version, of which we use one.
pub const KINDS_PER_CALL: usize = 15;

/// Longest chain of records within a graph of which each refers to the one before.
pub const DEPTH_MAX: usize = 15;

const OP: &str = "write";

/// A plan as it will be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    pub nodes: Vec<Node>,
}

/// One step as it will be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The step's place in its plan.
    pub at: usize,
    pub slot: Slot,
    pub role: Role,
    pub object: ApiName,
    pub effect: Effect,
    pub request: SubRequest,
}

/// What becomes of the record.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// It is made, or brought to the values; the id comes with the answer.
    Make,
    Patch(RecordId),
    Delete,
}

impl Drawn {
    /// Whether it makes a record whose owner assignment rules may choose.
    pub fn makes_assigned(&self) -> bool {
        self.nodes.iter().any(|node| node.effect == Effect::Make && is_assigned(node.role))
    }
}

/// What a call carries so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    nodes: usize,
    kinds: BTreeSet<(&'static str, String)>,
}

impl Load {
    /// What one plan puts on a call.
    fn of(plan: &Plan) -> Self {
        let mut load = Self::default();
        load.add(plan);
        load
    }

    /// What several plans put on a call.
    pub fn of_all<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Self {
        let mut load = Self::default();
        plans.into_iter().for_each(|plan| load.add(plan));
        load
    }

    fn add(&mut self, plan: &Plan) {
        self.nodes += plan.steps.len();
        for step in &plan.steps {
            let object = match (&step.object, step.role) {
                (Some(object), Role::Custom) => object.as_str(),
                (_, role) => convert::spec(role).object,
            };
            let kind = (method(step), object);
            if !self.kinds.iter().any(|(method, object)| (*method, object.as_str()) == kind) {
                self.kinds.insert((kind.0, kind.1.to_owned()));
            }
        }
    }

    /// Whether one call carries it.
    pub fn is_carried(&self) -> bool {
        self.nodes <= NODES_PER_CALL && self.kinds.len() <= KINDS_PER_CALL
    }
}

/// How many of these plans, from the first on, one call carries. A plan that no call carries weighs nothing: it is
/// refused and never sent.
pub fn fits(plans: &[&Plan]) -> usize {
    let mut load = Load::default();
    let within = plans.iter().take(GRAPHS_PER_CALL).take_while(|plan| {
        if Load::of(plan).is_carried() {
            load.add(plan);
        }
        load.is_carried()
    });
    within.count().max(1)
}

/// Draws the graph of a plan.
pub fn draw(org: &Org, plan: &Plan) -> Result<Drawn, Error> {
    let load = Load::of(plan);
    if load.nodes > NODES_PER_CALL {
        return Err(refusal(format!("one booking may have at most {NODES_PER_CALL} records written at once")));
    }
    if load.kinds.len() > KINDS_PER_CALL {
        return Err(refusal(format!(
            "one booking may have at most {KINDS_PER_CALL} kinds of writes at once, counting making or changing and deleting of an object each as one"
        )));
    }
    let needs: Vec<BTreeSet<usize>> = (0..plan.steps.len()).map(|at| needs(plan, at)).collect();
    let mut left: Vec<usize> = (0..plan.steps.len()).collect();
    let mut depths = vec![0; left.len()];
    let mut nodes = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let next = left.iter().position(|at| needs[*at].iter().all(|needed| depths[*needed] > 0));
        let at = left.remove(next.ok_or_else(|| refusal("the records of the plan refer to each other in a circle"))?);
        depths[at] = 1 + needs[at].iter().map(|needed| depths[*needed]).max().unwrap_or(0);
        if depths[at] > DEPTH_MAX {
            return Err(refusal(format!("more than {DEPTH_MAX} records of the plan refer to each other in a row")));
        }
        nodes.push(node(org, plan, at)?);
    }
    Ok(Drawn { nodes })
}

/// The steps whose ids this step waits for.
fn needs(plan: &Plan, at: usize) -> BTreeSet<usize> {
    let slots = fields_of(&plan.steps[at]).into_iter().flatten().filter_map(|(_, value)| match value {
        Value::Slot(slot) => maker(plan, *slot),
        _ => None,
    });
    slots.filter(|maker| matches!(plan.steps[*maker].write, Write::Upsert { .. })).collect()
}

/// The step that makes or holds the record of a slot.
fn maker(plan: &Plan, slot: Slot) -> Option<usize> {
    plan.steps.iter().position(|step| step.slot == slot && !matches!(step.write, Write::Delete { .. }))
}

fn fields_of(step: &Step) -> Option<&Fields> {
    match &step.write {
        Write::Upsert { fields, .. } | Write::Patch { fields, .. } => Some(fields),
        Write::Delete { .. } => None,
    }
}

/// A name that sub-requests can refer to; the step that others refer to bears the plain name of its slot.
fn reference(plan: &Plan, at: usize) -> String {
    let slot = plan.steps[at].slot;
    if maker(plan, slot) == Some(at) { slot.to_string() } else { format!("{slot}_{at}") }
}

fn method(step: &Step) -> &'static str {
    match step.write {
        Write::Upsert { .. } if step.role == Role::Attendee => "POST",
        Write::Upsert { .. } | Write::Patch { .. } => "PATCH",
        Write::Delete { .. } => "DELETE",
    }
}

fn node(org: &Org, plan: &Plan, at: usize) -> Result<Node, Error> {
    let step = &plan.steps[at];
    let object = convert::object_name(step.role, step.object.as_ref());
    let object = object.map_err(|why| misplanned(step, why, Vec::new()))?;
    let known = |id: &RecordId| {
        let wrong = || format!("the id to write to is not the id of this kind of record: {}", step.role.as_str());
        id::of(step.role, id.as_str()).ok_or_else(|| misplanned(step, wrong(), Vec::new()))
    };
    let (path, effect) = match &step.write {
        Write::Upsert { .. } if step.role == Role::User => {
            return Err(misplanned(step, "users are never written", Vec::new()));
        }
        // An attendee has no field for a key: one who is there already is refused as a duplicate.
        Write::Upsert { .. } if step.role == Role::Attendee => (String::new(), Effect::Make),
        Write::Upsert { key, .. } => (format!("/{}/{}", org.key_field, percent_encoded(key.as_str())), Effect::Make),
        Write::Patch { id, .. } => {
            let id = known(id)?;
            (format!("/{id}"), Effect::Patch(id))
        }
        Write::Delete { id } => (format!("/{}", known(id)?), Effect::Delete),
    };
    let body = fields_of(step).map(|fields| body(org, plan, step, fields)).transpose()?;
    let url = format!("{}/sobjects/{object}{path}", org.root());
    let request = SubRequest { method: method(step), url, reference_id: reference(plan, at), http_headers: None, body };
    Ok(Node { at, slot: step.slot, role: step.role, object, effect, request })
}

/// The fields of a step as a body. The key stands in the address of an upsert and must not be repeated.
fn body(org: &Org, plan: &Plan, step: &Step, fields: &Fields) -> Result<Map<String, Json>, Error> {
    let making = matches!(step.write, Write::Upsert { .. });
    let mut body = Map::new();
    for (field, value) in fields {
        if making && (*field == Field::Std(Std::Key) || says_nothing(step.role, field, fields)) {
            continue;
        }
        let wrong = |why: &str| misplanned(step, format!("the field {field} {why}"), vec![field.clone()]);
        let name = convert::api_name(org, step.role, field).map_err(wrong)?;
        if making && name == org.key_field {
            continue;
        }
        if convert::is_read_only(step.role, field) {
            return Err(wrong("cannot be written"));
        }
        if !making && matches!(field, Field::Std(std) if create_only(step.role, *std)) {
            return Err(wrong("cannot be changed once the record is made"));
        }
        let json = match value {
            Value::Slot(slot) => {
                reference_to(plan, *slot).ok_or_else(|| wrong("refers to a record that the plan has not"))?
            }
            value => convert::to_json(field, &convert::normalise(step.role, field, value.clone())).map_err(wrong)?,
        };
        if body.insert(name.as_str().to_owned(), json).is_some() {
            return Err(wrong("is given twice, once by another name"));
        }
    }
    Ok(body)
}

/// Whether a new attendee's field only says what holds without it. Who is neither marked as invited nor as related is
/// invited, and orgs in which an event has one person only do not have the two marks at all: a plain invitation goes
/// without them, and so suits both.
fn says_nothing(role: Role, field: &Field, fields: &Fields) -> bool {
    let is = |std: Std, value: bool| fields.get(&Field::Std(std)) == Some(&Value::Bool(value));
    role == Role::Attendee
        && match field {
            Field::Std(Std::Invited) => is(Std::Invited, true) && !is(Std::Related, true),
            Field::Std(Std::Related) => is(Std::Related, false) && !is(Std::Invited, false),
            _ => false,
        }
}

/// How a field names the record of a slot: by its id where that is known, else by reference to the step that makes it.
fn reference_to(plan: &Plan, slot: Slot) -> Option<Json> {
    let maker = maker(plan, slot)?;
    Some(match &plan.steps[maker].write {
        Write::Patch { id, .. } => Json::from(id::canonical(id.as_str())?.as_str()),
        _ => Json::from(format!("@{{{}.id}}", reference(plan, maker))),
    })
}

/// The plan cannot be sent.
fn refusal(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, OP, message)
}

/// A step of the plan cannot be sent.
fn misplanned(step: &Step, message: impl Into<String>, fields: Vec<Field>) -> Error {
    let mut error = refusal(message);
    (error.slot, error.fields) = (Some(step.slot), fields);
    error
}
