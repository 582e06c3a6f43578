//! The properties of an object: reading them, and making, changing and archiving those of the account's own.

use http::Method;
use serde_json::{Map, Value, json};

use super::super::{State, config::HubSpotProperty, error::Failure, schema::Property};
use super::{Ask, Done, Outcome};

pub(super) fn answer(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let [_, name, rest @ ..] = ask.path.as_slice() else { return Ok(Done::Nowhere(404)) };
    let no = state.world.schema.named(name)?;
    let kind = &mut state.world.schema.types[no];
    match (ask.method, rest) {
        (&Method::GET, []) => {
            let shown = kind.properties.iter().filter(|known| known.archived == ask.flag("archived"));
            Ok(Done::Json(200, json!({"results": shown.map(Property::wire).collect::<Vec<_>>()})))
        }
        (&Method::POST, []) => {
            let own = own(ask.body()?)?;
            let group = ask.body()?.get("groupName").and_then(Value::as_str).unwrap_or_default().to_owned();
            let prop = kind.add_own(&own, &group, ask.by.at)?;
            Ok(Done::Json(201, kind.property(prop).wire()))
        }
        (&Method::GET, [property]) => {
            let prop = kind.find(property).ok_or_else(Failure::not_found)?;
            Ok(Done::Json(200, kind.property(prop).wire()))
        }
        (&Method::PATCH, [property]) => {
            let given = options(ask.body()?);
            kind.reshape(property, ask.by.at, |known| {
                if let Some(options) = given {
                    known.options = options;
                }
            })?;
            let prop = kind.find(property).ok_or_else(Failure::not_found)?;
            Ok(Done::Json(200, kind.property(prop).wire()))
        }
        (&Method::DELETE, [property]) => {
            kind.reshape(property, ask.by.at, |known| known.archived = true)?;
            Ok(Done::Empty(204))
        }
        _ => Ok(Done::Nowhere(405)),
    }
}

fn options(body: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let given = body.get("options")?.as_array()?;
    let option = |one: &Value| Some((one["value"].as_str()?.to_owned(), one["label"].as_str()?.to_owned()));
    Some(given.iter().filter_map(option).collect())
}

fn own(body: &Map<String, Value>) -> Result<HubSpotProperty, Failure> {
    let text = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| Failure::invalid(format!("Invalid input JSON: {name} is missing")))
    };
    text("groupName")?;
    let options = options(body).unwrap_or_default();
    Ok(HubSpotProperty {
        name: text("name")?.to_lowercase(),
        label: text("label")?,
        kind: text("type")?,
        field_type: text("fieldType")?,
        options: options.into_iter().map(|(value, _)| value).collect(),
        unique: body.get("hasUniqueValue").and_then(Value::as_bool).unwrap_or(false),
    })
}
