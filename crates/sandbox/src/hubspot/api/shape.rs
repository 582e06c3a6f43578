//! Records as the API shows them.

use serde_json::{Map, Value, json};

use super::super::{
    config::HubSpotConfig,
    error::Failure,
    schema::{ObjectType, PropNo, TypeNo},
    time::stamp,
    world::{Given, HubSpotWho, Record, World},
};

/// Associated ids that are shown with a record.
const MAX_LINKS: usize = 100;

/// What of a record is to be shown.
#[derive(Default)]
pub(super) struct Wanted {
    /// Empty: what is shown by default.
    pub(super) properties: Vec<PropNo>,
    pub(super) history: Vec<PropNo>,
    pub(super) links: Vec<TypeNo>,
}

impl Wanted {
    /// Names that no property has are passed over.
    pub(super) fn new<'a>(
        kind: &ObjectType,
        properties: impl IntoIterator<Item = &'a str>,
        history: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let history: Vec<PropNo> = history.into_iter().filter_map(|name| kind.find(name)).collect();
        let properties = properties.into_iter().filter_map(|name| kind.find(name)).collect();
        Self { properties, history, links: Vec::new() }
    }

    pub(super) fn with_links(mut self, world: &World, names: &[&str]) -> Result<Self, Failure> {
        self.links = names.iter().map(|name| world.schema.named(name)).collect::<Result<_, _>>()?;
        Ok(self)
    }
}

/// The properties by name, in the alphabet's order.
fn named<'a>(kind: &'a ObjectType, mut cells: Vec<(PropNo, Option<&'a str>)>) -> Map<String, Value> {
    cells.sort_by(|one, other| kind.property(one.0).name.cmp(&kind.property(other.0).name));
    cells.dedup_by_key(|cell| cell.0);
    cells
        .into_iter()
        .map(|(prop, value)| (kind.property(prop).name.clone(), value.map_or(Value::Null, Value::from)))
        .collect()
}

fn frame(
    kind: &ObjectType,
    record: &Record,
    properties: Map<String, Value>,
    config: &HubSpotConfig,
) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("id".into(), record.id.to_string().into());
    shown.insert("properties".into(), properties.into());
    shown.insert("createdAt".into(), stamp(record.created).into());
    shown.insert("updatedAt".into(), stamp(record.updated).into());
    shown.insert("archived".into(), record.archived.is_some().into());
    if let Some(at) = record.archived {
        shown.insert("archivedAt".into(), stamp(at).into());
    }
    let (portal, id) = (config.portal_id, record.id);
    let url = if kind.singular == "task" {
        format!("https://app-eu1.hubspot.com/tasks/{portal}/view/all/task/{id}")
    } else {
        format!("https://app-eu1.hubspot.com/contacts/{portal}/record/{}/{id}", kind.id)
    };
    shown.insert("url".into(), url.into());
    shown
}

/// A record that is read.
pub(super) fn read(
    world: &World,
    config: &HubSpotConfig,
    no: TypeNo,
    record: &Record,
    wanted: &Wanted,
) -> Map<String, Value> {
    let kind = &world.schema.types[no];
    let asked =
        if wanted.properties.is_empty() && wanted.history.is_empty() { &kind.shown } else { &wanted.properties };
    let all = asked.iter().chain(&wanted.history).chain(&kind.always);
    let properties = named(kind, all.map(|prop| (*prop, record.get(*prop))).collect());
    let mut shown = frame(kind, record, properties, config);
    if !wanted.history.is_empty() {
        let histories = wanted.history.iter().map(|prop| {
            let versions: Vec<Value> = record
                .history(*prop)
                .map(|cell| {
                    let mut version = source(cell.by);
                    version.insert("value".into(), (*cell.value).into());
                    version.insert("timestamp".into(), stamp(cell.at).into());
                    version.into()
                })
                .collect();
            (kind.property(*prop).name.clone(), Value::from(versions))
        });
        shown.insert("propertiesWithHistory".into(), histories.collect::<Map<_, _>>().into());
    }
    let links = links(world, no, record, &wanted.links);
    if !links.is_empty() {
        shown.insert("associations".into(), links.into());
    }
    shown
}

/// Where a value came from.
fn source(by: HubSpotWho) -> Map<String, Value> {
    let source = match by {
        HubSpotWho::App(app) => json!({"sourceType": "INTEGRATION", "sourceId": app.to_string()}),
        HubSpotWho::Person(user) => {
            json!({"sourceType": "CRM_UI", "sourceId": format!("userId:{user}"), "updatedByUserId": user})
        }
        HubSpotWho::Vendor => json!({"sourceType": "CALCULATED", "sourceId": "", "sourceLabel": "CALCULATED"}),
    };
    let Value::Object(source) = source else { return Map::new() };
    source
}

/// An object without associations is not named at all (recorded 2026-03).
fn links(world: &World, no: TypeNo, record: &Record, wanted: &[TypeNo]) -> Map<String, Value> {
    let kind = &world.schema.types[no];
    let mut shown = Map::new();
    for to in wanted {
        let other = &world.schema.types[*to];
        let mut rows: Vec<Value> = Vec::new();
        for (id, types) in world.joined((no, record.id), *to).take(MAX_LINKS) {
            for known in world.links.types(no, *to).filter(|known| types.contains(&known.id)) {
                let pair = format!("{}_to_{}", kind.singular, other.singular);
                let has_primary = world.links.types(no, *to).any(|other| other.label.as_deref() == Some("Primary"));
                let name = match known.label.as_deref() {
                    None if has_primary => format!("{pair}_unlabeled"),
                    None | Some("Primary") => pair,
                    Some(label) => label.to_lowercase().replace(' ', "_"),
                };
                rows.push(json!({"id": id.to_string(), "type": name}));
            }
        }
        if !rows.is_empty() {
            shown.insert(other.plural.clone(), json!({"results": rows}));
        }
    }
    shown
}

/// A record as the answer to making it: everything that has a value.
pub(super) fn made(
    world: &World,
    config: &HubSpotConfig,
    no: TypeNo,
    record: &Record,
    given: &Given,
) -> Map<String, Value> {
    let kind = &world.schema.types[no];
    let mut cells: Vec<(PropNo, Option<&str>)> = record.values().map(|(prop, value)| (prop, Some(value))).collect();
    cells.extend(cleared(record, given));
    frame(kind, record, named(kind, cells), config)
}

/// A record as the answer to changing it: what was written, and a little more. What was cleared is an empty text here,
/// and null in every later answer (recorded 2022 and 2026).
pub(super) fn changed(
    world: &World,
    config: &HubSpotConfig,
    no: TypeNo,
    record: &Record,
    given: &Given,
) -> Map<String, Value> {
    let kind = &world.schema.types[no];
    let more = ["hs_object_source", "hs_object_source_id", "hs_object_source_label", "lifecyclestage"];
    let mut cells: Vec<(PropNo, Option<&str>)> = cleared(record, given).collect();
    let also = more.iter().filter_map(|name| kind.find(name)).chain(kind.always.iter().copied());
    let written = given.iter().map(|(prop, _)| *prop).chain(also);
    cells.extend(written.filter_map(|prop| Some((prop, Some(record.get(prop)?)))));
    frame(kind, record, named(kind, cells), config)
}

fn cleared<'a>(record: &'a Record, given: &'a Given) -> impl Iterator<Item = (PropNo, Option<&'a str>)> + 'a {
    let empty = given.iter().filter(|(prop, value)| value.is_empty() && record.get(*prop).is_none());
    empty.map(|(prop, _)| (*prop, Some("")))
}
