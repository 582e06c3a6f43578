//! Custom fields and their values. All values are text; several of one field stand between double bars.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, State,
    answers::{Answer, Asked, Refused, id_of, text_of, unknown},
    book::{Contact, FieldValue},
    contacts::no_contact,
    hooks,
    shapes::Shapes,
};
use crate::{journal::EffectKind, web::json as answer};

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Textarea,
    Date,
    Datetime,
    Dropdown,
    Radio,
    Checkbox,
    Listbox,
    Hidden,
}

impl FieldKind {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Textarea => "textarea",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::Dropdown => "dropdown",
            Self::Radio => "radio",
            Self::Checkbox => "checkbox",
            Self::Listbox => "listbox",
            Self::Hidden => "hidden",
        }
    }

    fn named(name: &str) -> Option<Self> {
        const ALL: [FieldKind; 9] = [
            FieldKind::Text,
            FieldKind::Textarea,
            FieldKind::Date,
            FieldKind::Datetime,
            FieldKind::Dropdown,
            FieldKind::Radio,
            FieldKind::Checkbox,
            FieldKind::Listbox,
            FieldKind::Hidden,
        ];
        ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Debug)]
struct Field {
    title: String,
    perstag: String,
    kind: FieldKind,
    /// Numbers and words.
    options: Vec<(u64, String)>,
    relation: u64,
    created: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<u64, Field>);

impl Fields {
    pub(super) fn perstag(&self, id: u64) -> Option<&str> {
        self.0.get(&id).map(|field| field.perstag.as_str())
    }

    pub(super) fn with_perstag(&self, perstag: &str) -> Option<u64> {
        self.0.iter().find(|(_, field)| field.perstag == perstag).map(|(id, _)| *id)
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.0.contains_key(&id)
    }
}

pub(super) fn add(
    state: &mut State,
    title: &str,
    perstag: &str,
    kind: FieldKind,
    options: &[String],
    now: Timestamp,
) -> u64 {
    let id = state.number("field");
    let relation = state.number("fieldRel");
    let options = options.iter().map(|option| (state.number("fieldOption"), option.clone())).collect();
    let field = Field { title: title.into(), perstag: perstag.into(), kind, options, relation, created: now };
    state.fields.0.insert(id, field);
    id
}

/// A value as it is kept: lists between double bars; `None` for objects.
pub(super) fn written(value: &Value) -> Option<String> {
    match value {
        Value::Array(rows) => {
            let rows: Vec<String> = rows.iter().filter_map(|row| text_of(Some(row))).collect();
            Some(if rows.is_empty() { String::new() } else { format!("||{}||", rows.join("||")) })
        }
        value => text_of(Some(value)),
    }
}

/// Sets a value and answers whether it is other than before; its time moves only then. Unknown fields are passed over.
pub(super) fn set(state: &mut State, now: Timestamp, contact: u64, field: u64, value: &str) -> bool {
    let is_known = state.fields.contains(field);
    let held = state.book.get(contact).map(|contact| contact.values.get(&field).map(|held| held.value.clone()));
    let Some(held) = held.filter(|_| is_known) else { return false };
    if held.as_deref() == Some(value) || held.is_none() && value.is_empty() {
        return false;
    }
    let id = state.number("fieldValue");
    let new = FieldValue { id, value: value.to_owned(), created: now, updated: now };
    let Some(contact) = state.book.get_mut(contact) else { return false };
    let owner = contact.id;
    let kept = contact.values.entry(field).or_insert(new);
    kept.value = value.to_owned();
    kept.updated = now;
    let kept = kept.id;
    state.book.values.insert(kept, (owner, field));
    true
}

pub(super) fn of_contact(shapes: &Shapes, contact: &Contact) -> Vec<Value> {
    contact.values.iter().map(|(field, value)| shapes.field_value(contact.id, *field, value)).collect()
}

/// `/fields…` and `/fieldValues…`
pub(super) fn answer_to(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    parts: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, parts) {
        (&Method::GET, ["fields"]) => {
            let wanted = asked.param("filters[perstag]");
            let found = state.fields.0.iter().filter(|(_, field)| wanted.is_none_or(|wanted| field.perstag == wanted));
            let found: Vec<(u64, &Field)> = found.map(|(id, field)| (*id, field)).collect();
            let (limit, offset) = asked.window();
            let page: Vec<_> = found.iter().skip(offset).take(limit).copied().collect();
            let mut body = with_options(shapes, &page);
            body.insert("fields".into(), page.iter().map(|(id, field)| shown(shapes, *id, field)).collect());
            body.insert("meta".into(), json!({"total": found.len().to_string(), "selected": null}));
            Ok(answer(200, &Value::Object(body)))
        }
        (&Method::POST, ["fields"]) => create(state, act, shapes, asked),
        (&Method::GET, ["fields", id, "options"]) => {
            let id: u64 = id.parse().ok().filter(|id| state.fields.contains(*id)).ok_or_else(|| no_field(id))?;
            let options = with_options(shapes, &[(id, &state.fields.0[&id])])["fieldOptions"].clone();
            Ok(answer(200, &json!({"fieldOptions": options})))
        }
        (&Method::POST, ["fieldOption", "bulk"]) => add_options(state, shapes, asked),
        (&Method::POST, ["fieldRels"]) => {
            let field = id_of(asked.object("fieldRel")?.get("field")).filter(|id| state.fields.contains(*id));
            let field =
                field.ok_or_else(|| Refused::attribute("The field is not known", "related_missing", "field"))?;
            let relation = with_options(shapes, &[(field, &state.fields.0[&field])])["fieldRels"][0].clone();
            Ok(answer(201, &json!({"fieldRel": relation})))
        }
        (_, ["fields", id]) => {
            let id: u64 = id.parse().ok().filter(|id| state.fields.contains(*id)).ok_or_else(|| no_field(id))?;
            if method == Method::DELETE {
                state.fields.0.remove(&id);
                drop_values(state, id);
                return Ok(answer(200, &json!({})));
            }
            if method == Method::PUT {
                let given = asked.object("field")?;
                if let Some(field) = state.fields.0.get_mut(&id) {
                    field.title = text_of(given.get("title")).unwrap_or_else(|| field.title.clone());
                    field.perstag = text_of(given.get("perstag")).unwrap_or_else(|| field.perstag.clone());
                }
            }
            let mut body = with_options(shapes, &[(id, &state.fields.0[&id])]);
            body.insert("field".into(), shown(shapes, id, &state.fields.0[&id]));
            Ok(answer(200, &Value::Object(body)))
        }
        (&Method::GET, ["fieldValues"]) => {
            let (field, text) = (asked.number("filters[fieldid]"), asked.param("filters[val]"));
            let rows = state.book.after(0).flat_map(|contact| contact.values.iter().map(move |row| (contact.id, row)));
            let fits = |value: &FieldValue, of: u64| {
                field.is_none_or(|field| field == of) && text.is_none_or(|text| value.value == text)
            };
            let rows = rows.filter(|(_, (of, value))| fits(value, **of));
            Ok(asked.page("fieldValues", rows, |(id, (of, value))| shapes.field_value(id, *of, value)))
        }
        (&Method::POST, ["fieldValues"]) => write_value(state, act, shapes, asked, None),
        (&Method::GET, ["fieldValues", id]) => {
            let (contact, field) = owner(state, id)?;
            let held = state.book.get(contact).and_then(|contact| contact.values.get(&field));
            let held = held.ok_or_else(|| no_value(id))?;
            Ok(answer(200, &json!({"fieldValue": shapes.field_value(contact, field, held)})))
        }
        (&Method::PUT, ["fieldValues", id]) => {
            let place = owner(state, id)?;
            write_value(state, act, shapes, asked, Some(place))
        }
        (&Method::DELETE, ["fieldValues", id]) => {
            let (contact, field) = owner(state, id)?;
            if let Some(value) = state.book.get_mut(contact).and_then(|contact| contact.values.remove(&field)) {
                state.book.values.remove(&value.id);
                changed(state, act, contact, field, Value::Null);
            }
            Ok(answer(200, &json!({})))
        }
        _ => Err(unknown()),
    }
}

fn owner(state: &State, id: &str) -> Result<(u64, u64), Refused> {
    id.parse().ok().and_then(|id: u64| state.book.values.get(&id).copied()).ok_or_else(|| no_value(id))
}

fn no_value(id: &str) -> Refused {
    Refused::no_result("FieldValue", id)
}

fn no_field(id: &str) -> Refused {
    Refused::no_result("Field", id)
}

fn create(state: &mut State, act: &Act, shapes: &Shapes, asked: &Asked) -> Answer {
    let given = asked.object("field")?;
    let missing =
        |what: &str| Refused::attribute(&format!("The field {what} was not provided."), "field_missing", what);
    let title = text_of(given.get("title")).filter(|title| !title.is_empty()).ok_or_else(|| missing("title"))?;
    let kind = given.get("type").and_then(Value::as_str).ok_or_else(|| missing("type"))?;
    let kind = FieldKind::named(kind).ok_or_else(|| Refused::attribute("The type is not valid", "invalid", "type"))?;
    if state.fields.0.values().any(|field| field.title == title) {
        let detail = format!("There is already a field named '{title}' -- choose another name");
        let error = json!({"title": "There is already a field with this title", "detail": detail, "code": "duplicate"});
        return Err(Refused::new(422, json!({"errors": [error]})));
    }
    let perstag = text_of(given.get("perstag")).filter(|tag| !tag.is_empty());
    let perstag = perstag.unwrap_or_else(|| title.to_uppercase().replace(' ', "_"));
    let id = add(state, &title, &perstag, kind, &[], act.now);
    let mut body = Map::new();
    body.insert("fieldOptions".into(), json!([]));
    body.insert("field".into(), shown(shapes, id, &state.fields.0[&id]));
    Ok(answer(201, &Value::Object(body)))
}

/// All options of one field, or none.
fn add_options(state: &mut State, shapes: &Shapes, asked: &Asked) -> Answer {
    let invalid = || Refused::attribute("The fieldOptions are not valid", "invalid", "fieldOptions");
    let rows = asked.body.get("fieldOptions").and_then(Value::as_array).ok_or_else(invalid)?;
    let row = |row: &Value| {
        let field = id_of(row.get("field")).filter(|id| state.fields.contains(*id))?;
        Some((field, text_of(row.get("value")).filter(|value| !value.is_empty())?))
    };
    let rows: Vec<(u64, String)> = rows.iter().map(row).collect::<Option<_>>().ok_or_else(invalid)?;
    let mut made = Vec::new();
    for (field, value) in rows {
        let id = state.number("fieldOption");
        if let Some(known) = state.fields.0.get_mut(&field) {
            known.options.push((id, value));
            let all = with_options(shapes, &[(field, &*known)]);
            made.extend(all["fieldOptions"].as_array().and_then(|all| all.last()).cloned());
        }
    }
    Ok(answer(201, &json!({"fieldOptions": made})))
}

fn write_value(state: &mut State, act: &Act, shapes: &Shapes, asked: &Asked, place: Option<(u64, u64)>) -> Answer {
    let given = asked.object("fieldValue")?;
    let (contact, field) = match place {
        Some(place) => place,
        None => (id_of(given.get("contact")).unwrap_or_default(), id_of(given.get("field")).unwrap_or_default()),
    };
    if state.book.get(contact).is_none() {
        return Err(no_contact(contact));
    }
    if !state.fields.contains(field) {
        return Err(Refused::no_result("Field", field));
    }
    let value = given.get("value").and_then(written).unwrap_or_default();
    if set(state, act.now, contact, field, &value) {
        changed(state, act, contact, field, value.into());
    }
    let owner = state.book.get(contact).ok_or_else(|| no_contact(contact))?;
    let held = owner.values.get(&field).ok_or_else(|| Refused::no_result("FieldValue", 0))?;
    let shown = shapes.field_value(contact, field, held);
    Ok(answer(200, &json!({"contacts": [shapes.contact(owner)], "fieldValue": shown})))
}

fn changed(state: &mut State, act: &Act, contact: u64, field: u64, value: Value) {
    state.book.touch(contact, act.now);
    let fields = Map::from_iter([(format!("field:{field}"), value)]);
    state.journal.note(act.now, &act.actor, EffectKind::Updated, "contact", contact, fields);
    hooks::tell(state, act, "update", contact, &[]);
}

fn drop_values(state: &mut State, field: u64) {
    let gone: Vec<(u64, u64)> = state
        .book
        .values
        .iter()
        .filter(|(_, (_, of))| *of == field)
        .map(|(id, (contact, _))| (*id, *contact))
        .collect();
    for (id, contact) in gone {
        state.book.values.remove(&id);
        if let Some(contact) = state.book.get_mut(contact) {
            contact.values.remove(&field);
        }
    }
}

fn with_options(shapes: &Shapes, fields: &[(u64, &Field)]) -> Map<String, Value> {
    let mut options = Vec::new();
    let mut relations = Vec::new();
    for (id, field) in fields {
        for (order, (option, label)) in field.options.iter().enumerate() {
            options.push(json!({"field": id.to_string(), "orderid": (order + 1).to_string(), "value": label,
                "label": label, "isdefault": "0", "cdate": null, "udate": null,
                "links": shapes.links("fieldOptions", *option, &["field"]), "id": option.to_string()}));
        }
        relations.push(json!({"field": id.to_string(), "relid": "0", "dorder": "0",
            "cdate": shapes.stamp(field.created), "links": [], "id": field.relation.to_string()}));
    }
    Map::from_iter([("fieldOptions".to_owned(), options.into()), ("fieldRels".to_owned(), relations.into())])
}

fn shown(shapes: &Shapes, id: u64, field: &Field) -> Value {
    let options: Vec<String> = field.options.iter().map(|(option, _)| option.to_string()).collect();
    json!({
        "title": field.title, "descript": null, "type": field.kind.name(), "isrequired": "0",
        "perstag": field.perstag, "defval": null, "show_in_list": "0", "rows": "0", "cols": "0", "visible": "1",
        "service": "", "ordernum": id.to_string(), "cdate": shapes.stamp(field.created),
        "udate": shapes.stamp(field.created), "created_timestamp": shapes.plain(field.created),
        "updated_timestamp": shapes.plain(field.created), "created_by": "1", "updated_by": "1",
        "options": options, "relations": [field.relation.to_string()],
        "links": shapes.links("fields", id, &["options", "relations"]), "id": id.to_string(),
    })
}
