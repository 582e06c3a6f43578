//! Companies, deals and pipelines, as far as a contact's deals need them: create, read, list, change, link, delete.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, State,
    answers::{Answer, Asked, Refused, created, no_content, unknown_path, wrong_method},
    contacts::moment,
};
use crate::{journal::EffectKind, web};

/// The pipeline that every account has, and its stages.
const PIPELINE: &str = "6093d296ad1e9c5cf2140a58";
const STAGES: &[(&str, &str)] = &[
    ("9e577ff7-8e42-4ab3-be26-2b5e01b42518", "New"),
    ("4f1a2e0c-8e42-4ab3-be26-2b5e01b42519", "Qualifying"),
    ("8d7c6b5a-8e42-4ab3-be26-2b5e01b4251a", "Demo Completed"),
    ("1c2b3a4d-8e42-4ab3-be26-2b5e01b4251b", "Won"),
    ("5e6f7a8b-8e42-4ab3-be26-2b5e01b4251c", "Lost"),
];
/// Attributes of a deal and their types.
const DEAL_ATTRIBUTES: &[(&str, &str, &str)] = &[
    ("deal_name", "Deal Name", "text"),
    ("deal_owner", "Deal Owner", "user"),
    ("amount", "Amount", "number"),
    ("pipeline", "Pipeline", "single-select"),
    ("deal_stage", "Deal Stage", "single-select"),
    ("close_date", "Close Date", "date"),
];
/// Attributes of a company and their types.
const COMPANY_ATTRIBUTES: &[(&str, &str, &str)] = &[
    ("name", "Company Name", "text"),
    ("owner", "Owner", "user"),
    ("domain", "Domain", "text"),
    ("industry", "Industry", "text"),
    ("phone_number", "Phone Number", "number"),
    ("revenue", "Revenue", "number"),
    ("number_of_employees", "Number of Employees", "number"),
    ("number_of_contacts", "Number of Contacts", "number"),
    ("created_at", "Created At", "date"),
    ("last_updated_at", "Last Updated At", "date"),
];
/// What the account keeps of a company by itself.
const COMPANY_KEPT: &[&str] = &["number_of_contacts", "created_at", "last_updated_at"];
/// Rows a page, unless asked otherwise and at the most.
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Company,
    Deal,
}

#[derive(Debug)]
struct Row {
    attributes: Map<String, Value>,
    contacts: BTreeSet<u64>,
    /// Deals of a company, companies of a deal.
    others: BTreeSet<String>,
    created: Timestamp,
    modified: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Crm {
    rows: BTreeMap<(Kind, String), Row>,
    /// Attributes that somebody made, by their internal names: label and type.
    attributes: BTreeMap<(Kind, String), (String, String)>,
    numbers: u64,
}

impl Crm {
    pub(super) fn forget_contact(&mut self, id: u64) {
        self.rows.values_mut().for_each(|row| {
            row.contacts.remove(&id);
        });
    }

    /// All deals or companies, as they are shown.
    pub(super) fn all(&self, kind: Kind) -> Vec<Value> {
        self.of(kind).map(|(id, row)| row.shown(kind, id)).collect()
    }

    /// Makes an attribute; its internal name is its label in small letters.
    pub(super) fn add_attribute(&mut self, of: Kind, label: &str, kind: &str) -> String {
        let name = label.to_lowercase().replace(' ', "_");
        self.attributes.insert((of, name.clone()), (label.to_owned(), kind.to_owned()));
        name
    }

    /// Attributes that somebody made: internal name, label and type.
    fn own_attributes(&self, of: Kind) -> impl Iterator<Item = (&str, &str, &str)> {
        let own = self.attributes.iter().filter(move |((kind, _), _)| *kind == of);
        own.map(|((_, name), (label, kind))| (name.as_str(), label.as_str(), kind.as_str()))
    }

    /// Whether somebody can set the attribute.
    fn takes(&self, of: Kind, name: &str) -> bool {
        let is_kept = of == Kind::Company && COMPANY_KEPT.contains(&name);
        let mut known = of.attributes().iter().copied().chain(self.own_attributes(of));
        !is_kept && known.any(|(known, ..)| known == name)
    }

    fn of(&self, kind: Kind) -> impl DoubleEndedIterator<Item = (&String, &Row)> {
        self.rows.iter().filter(move |((known, _), _)| *known == kind).map(|((_, id), row)| (id, row))
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Deal => "deal",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Company => Self::Deal,
            Self::Deal => Self::Company,
        }
    }

    /// What the linked records of the other kind are called.
    fn others(self) -> &'static str {
        match self {
            Self::Company => "linkedDealsIds",
            Self::Deal => "linkedCompaniesIds",
        }
    }

    /// What attributes are asked for by.
    fn plural(self) -> &'static str {
        match self {
            Self::Company => "companies",
            Self::Deal => "deals",
        }
    }

    /// Attributes that every account has.
    fn attributes(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            Self::Company => COMPANY_ATTRIBUTES,
            Self::Deal => DEAL_ATTRIBUTES,
        }
    }

    fn of_plural(name: &str) -> Option<Self> {
        [Self::Company, Self::Deal].into_iter().find(|kind| kind.plural() == name)
    }

    fn name_attribute(self) -> &'static str {
        match self {
            Self::Company => "name",
            Self::Deal => "deal_name",
        }
    }
}

impl Row {
    fn shown(&self, kind: Kind, id: &str) -> Value {
        let mut attributes = self.attributes.clone();
        let stamp = |at: Timestamp| Value::from(format!("{at:.3}"));
        attributes.insert("created_at".to_owned(), stamp(self.created));
        let changed = match kind {
            Kind::Company => "last_updated_at",
            Kind::Deal => "last_updated_date",
        };
        attributes.insert(changed.to_owned(), stamp(self.modified));
        if kind == Kind::Company {
            attributes.insert("number_of_contacts".to_owned(), self.contacts.len().into());
        }
        let mut out = json!({"id": id, "attributes": attributes, "linkedContactsIds": self.contacts});
        out[kind.others()] = json!(self.others);
        out
    }
}

pub(super) fn answer(state: &mut State, act: &Act, method: &Method, parts: &[&str], asked: &Asked) -> Answer {
    match parts {
        ["companies", rest @ ..] => rows(state, act, Kind::Company, method, rest, asked),
        ["crm", "deals", rest @ ..] => rows(state, act, Kind::Deal, method, rest, asked),
        ["crm", "pipeline", "details", "all"] if method == Method::GET => Ok(answer_pipelines()),
        ["crm", "pipeline", "details", PIPELINE] if method == Method::GET => Ok(answer_pipelines()),
        ["crm", "pipeline", "details", _] => Err(Refused::invalid("Pipeline not found")),
        ["crm", "attributes", of] if method == Method::GET => {
            let of = Kind::of_plural(of).ok_or_else(unknown_path)?;
            let shown = |(name, label, kind): (&str, &str, &str)| {
                json!({"internalName": name, "label": label,
                "attributeTypeName": kind, "attributeOptions": [], "isRequired": name == of.name_attribute()})
            };
            let all = of.attributes().iter().copied().chain(state.crm.own_attributes(of));
            Ok(web::json(200, &all.map(shown).collect()))
        }
        ["crm", "attributes"] if method == Method::POST => {
            let word = |name: &str| asked.body.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
            let missing = || Refused::missing("label, attributeType or objectType is missing");
            let (label, kind) = word("label").zip(word("attributeType")).ok_or_else(missing)?;
            let of = word("objectType").ok_or_else(missing)?;
            let of = Kind::of_plural(of).ok_or_else(|| Refused::invalid("objectType is invalid"))?;
            state.crm.add_attribute(of, label, kind);
            state.crm.numbers += 1;
            Ok(web::json(200, &json!({"id": format!("{:024x}", state.crm.numbers)})))
        }
        _ => Err(unknown_path()),
    }
}

fn answer_pipelines() -> http::Response<bytes::Bytes> {
    let stages: Vec<Value> = STAGES.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    web::json(200, &json!([{"pipeline": PIPELINE, "pipeline_name": "Sales Pipeline", "stages": stages}]))
}

fn rows(state: &mut State, act: &Act, kind: Kind, method: &Method, rest: &[&str], asked: &Asked) -> Answer {
    let known = |state: &State, id: &str| {
        let place = (kind, id.to_owned());
        match state.crm.rows.contains_key(&place) {
            true => Ok(place),
            false => Err(Refused::not_found(format!("The {} does not exist", kind.name()))),
        }
    };
    match (method, rest) {
        (&Method::GET, []) => list(state, kind, asked),
        (&Method::POST, []) => create(state, act, kind, asked),
        (&Method::GET, [id]) => {
            let place = known(state, id)?;
            Ok(web::json(200, &state.crm.rows[&place].shown(kind, id)))
        }
        (&Method::PATCH, ["link-unlink", id]) => {
            let place = known(state, id)?;
            link(state, act, &place, asked)?;
            Ok(no_content())
        }
        (&Method::PATCH, [id]) => {
            let place = known(state, id)?;
            change(state, act, &place, &asked.body, EffectKind::Updated)?;
            Ok(match kind {
                Kind::Company => web::json(200, &state.crm.rows[&place].shown(kind, id)),
                Kind::Deal => no_content(),
            })
        }
        (&Method::DELETE, [id]) => {
            let place = known(state, id)?;
            remove(state, act, &place);
            Ok(no_content())
        }
        _ => Err(wrong_method(method)),
    }
}

fn create(state: &mut State, act: &Act, kind: Kind, asked: &Asked) -> Answer {
    let name = asked.body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refused::missing("name is missing"))?.to_owned();
    state.crm.numbers += 1;
    // Ids of this kind are twelve bytes in hexadecimal digits.
    let id = format!("{:024x}", 0x0061_a5ce_0000_0000_u64 + state.crm.numbers);
    let mut attributes = Map::new();
    attributes.insert(kind.name_attribute().to_owned(), name.into());
    if kind == Kind::Deal {
        attributes.insert("pipeline".into(), PIPELINE.into());
        attributes.insert("deal_stage".into(), STAGES[0].0.into());
    }
    let row =
        Row { attributes, contacts: BTreeSet::new(), others: BTreeSet::new(), created: act.now, modified: act.now };
    let place = (kind, id.clone());
    state.crm.rows.insert(place.clone(), row);
    if let Err(refused) = change(state, act, &place, &asked.body, EffectKind::Created) {
        state.crm.rows.remove(&place);
        return Err(refused);
    }
    let body = json!({"id": id});
    Ok(if kind == Kind::Company { web::json(200, &body) } else { created(&body) })
}

/// Sets attributes, and the linked records where they are named.
pub(super) fn change(
    state: &mut State,
    act: &Act,
    place: &(Kind, String),
    said: &Map<String, Value>,
    effect: EffectKind,
) -> Result<(), Refused> {
    let (kind, id) = place;
    let contacts = said.get("linkedContactsIds").map(|ids| contact_ids(state, ids)).transpose()?;
    let others = said.get(kind.others()).map(|ids| other_ids(state, *kind, ids)).transpose()?;
    let mut given = said.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
    let stage = given.get("deal_stage").and_then(Value::as_str);
    if stage.is_some_and(|stage| !STAGES.iter().any(|(known, _)| *known == stage)) {
        return Err(Refused::invalid("Deal stage not found"));
    }
    if let Some(name) = said.get("name") {
        given.insert(kind.name_attribute().to_owned(), name.clone());
    }
    // What is no attribute is left out with a success, as with contacts.
    given.retain(|name, _| state.crm.takes(*kind, name));
    let Some(row) = state.crm.rows.get_mut(place) else { return Ok(()) };
    row.modified = act.now;
    row.attributes.extend(given.clone());
    row.attributes.retain(|_, value| !value.is_null());
    row.contacts = contacts.unwrap_or_else(|| std::mem::take(&mut row.contacts));
    if let Some(others) = others {
        let gone: Vec<String> = row.others.difference(&others).cloned().collect();
        row.others.clone_from(&others);
        mirror(state, place, &others, &gone);
    }
    state.journal.note(act.now, &act.actor, effect, kind.name(), id, given);
    Ok(())
}

/// Takes one away, and out of those it is linked with; answers whether there was one.
pub(super) fn remove(state: &mut State, act: &Act, place: &(Kind, String)) -> bool {
    let (kind, id) = place;
    if state.crm.rows.remove(place).is_none() {
        return false;
    }
    let others = state.crm.rows.iter_mut().filter(|((known, _), _)| *known == kind.other());
    others.for_each(|(_, row)| {
        row.others.remove(id);
    });
    state.journal.note(act.now, &act.actor, EffectKind::Deleted, kind.name(), id, Map::new());
    true
}

/// Writes a link between a company and a deal on the other side too.
fn mirror(state: &mut State, place: &(Kind, String), linked: &BTreeSet<String>, gone: &[String]) {
    let (kind, id) = place;
    for other in linked {
        if let Some(row) = state.crm.rows.get_mut(&(kind.other(), other.clone())) {
            row.others.insert(id.clone());
        }
    }
    for other in gone {
        if let Some(row) = state.crm.rows.get_mut(&(kind.other(), other.clone())) {
            row.others.remove(id);
        }
    }
}

fn link(state: &mut State, act: &Act, place: &(Kind, String), asked: &Asked) -> Result<(), Refused> {
    let (kind, id) = place;
    let (link, unlink) = match kind {
        Kind::Company => ("linkDealsIds", "unlinkDealsIds"),
        Kind::Deal => ("linkCompanyIds", "unlinkCompanyIds"),
    };
    let none = Value::Array(Vec::new());
    let given = |name: &str| asked.body.get(name).unwrap_or(&none);
    let joined = contact_ids(state, given("linkContactIds"))?;
    let left = contact_ids(state, given("unlinkContactIds"))?;
    let linked = other_ids(state, *kind, given(link))?;
    let unlinked: Vec<String> = other_ids(state, *kind, given(unlink))?.into_iter().collect();
    let Some(row) = state.crm.rows.get_mut(place) else { return Ok(()) };
    row.modified = act.now;
    row.contacts.extend(joined);
    row.contacts.retain(|contact| !left.contains(contact));
    row.others.extend(linked.iter().cloned());
    row.others.retain(|other| !unlinked.contains(other));
    mirror(state, place, &linked, &unlinked);
    state.journal.note(act.now, &act.actor, EffectKind::Updated, kind.name(), id, asked.body.clone());
    Ok(())
}

fn contact_ids(state: &State, given: &Value) -> Result<BTreeSet<u64>, Refused> {
    let ids = given.as_array().into_iter().flatten();
    let ids: Option<BTreeSet<u64>> = ids.map(|id| id.as_u64().filter(|id| state.book.get(*id).is_some())).collect();
    ids.ok_or_else(|| Refused::invalid("Contact does not exist"))
}

fn other_ids(state: &State, kind: Kind, given: &Value) -> Result<BTreeSet<String>, Refused> {
    let ids = given.as_array().into_iter().flatten();
    let known = |id: &Value| {
        let id = id.as_str()?.to_owned();
        state.crm.rows.contains_key(&(kind.other(), id.clone())).then_some(id)
    };
    let ids: Option<BTreeSet<String>> = ids.map(known).collect();
    ids.ok_or_else(|| Refused::invalid(format!("The linked {} does not exist", kind.other().name())))
}

fn list(state: &State, kind: Kind, asked: &Asked) -> Answer {
    let (limit, mut offset) = asked.window(PAGE_DEFAULT, PAGE_MAX)?;
    if let (Kind::Company, Some(page)) = (kind, asked.param("page").and_then(|page| page.parse::<usize>().ok())) {
        offset = page.saturating_sub(1).saturating_mul(limit);
    }
    let (modified, made) = (moment(asked, "modifiedSince")?, moment(asked, "createdSince")?);
    let names = [kind.name_attribute()].into_iter().chain(state.crm.own_attributes(kind).map(|(name, ..)| name));
    let wanted: Vec<(&str, &str)> = names
        .filter_map(|name| {
            let value = asked.param(&format!("filters[attributes.{name}]"))?;
            Some((name, value))
        })
        .collect();
    let contact = asked.param("filters[linkedContactsIds]").or_else(|| asked.param("linkedContactsIds"));
    let other = asked.param(&format!("filters[{}]", kind.others())).or_else(|| asked.param(kind.others()));
    let fits = |row: &Row| {
        modified.is_none_or(|after| row.modified > after)
            && made.is_none_or(|after| row.created > after)
            && other.is_none_or(|id| row.others.contains(id))
            && wanted.iter().all(|(name, value)| row.attributes.get(*name).and_then(Value::as_str) == Some(*value))
            && contact.is_none_or(|id| id.parse().is_ok_and(|id| row.contacts.contains(&id)))
    };
    let found = state.crm.of(kind).filter(|(_, row)| fits(row));
    // Ids count up, so that their order is that of making; the newest come first, unless asked otherwise.
    let found: Vec<_> = if asked.param("sort") == Some("asc") { found.collect() } else { found.rev().collect() };
    let page: Vec<Value> = found.into_iter().skip(offset).take(limit).map(|(id, row)| row.shown(kind, id)).collect();
    Ok(web::json(200, &json!({"items": page})))
}
