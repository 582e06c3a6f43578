//! What a property accepts, and how the accepted value is kept. All values are texts.

use serde_json::Value;

use super::{
    super::{
        error::Detail,
        time::{day, is_midnight, parse, stamp},
    },
    Kind, ObjectType, PropNo, Property,
};

/// Longest text of a property ("CRM properties", read 2026-11).
const MAX_TEXT_CHARS: usize = 65_536;
/// Longest address (RFC 5321, 4.5.3.1).
const MAX_EMAIL_CHARS: usize = 254;

/// What a value is checked against, besides its property.
pub(in super::super) struct Values<'a> {
    pub(in super::super) object: &'a ObjectType,
    pub(in super::super) owners: &'a [u64],
}

/// A value as it stands in a request: texts, but numbers and booleans are taken too, and null clears.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The values of a property that takes several.
pub(in super::super) fn multiple(value: &str) -> impl Iterator<Item = &str> {
    value.split(';').filter(|one| !one.is_empty())
}

impl Values<'_> {
    /// What will be kept of one value; the empty text clears.
    pub(in super::super) fn check(&self, no: PropNo, given: &Value) -> Result<String, Detail> {
        let property = self.object.property(no);
        let wrong = |code: &'static str, message: String| Detail { message, code, property: property.name.clone() };
        if property.read_only {
            let message = format!("\"{}\" is a read only property; its value cannot be set.", property.name);
            return Err(wrong("READ_ONLY_VALUE", message));
        }
        let given =
            text(given).ok_or_else(|| wrong("INVALID_TYPE", "Only texts, numbers and booleans are values".into()))?;
        if given.is_empty() {
            return Ok(given);
        }
        match property.kind {
            Kind::Text if property.name == "email" => {
                email(&given).ok_or_else(|| wrong("INVALID_EMAIL", format!("Email address {given} is invalid")))
            }
            Kind::Text | Kind::Phone if given.chars().count() > MAX_TEXT_CHARS => {
                Err(wrong("VALUE_TOO_LONG", format!("The value is longer than {MAX_TEXT_CHARS} characters")))
            }
            Kind::Text | Kind::Phone => Ok(given),
            Kind::Number => match given.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(given.trim().to_owned()),
                _ => Err(wrong("INVALID_NUMBER", format!("{given} was not a valid number."))),
            },
            Kind::Bool => match given.to_ascii_lowercase().as_str() {
                known @ ("true" | "false") => Ok(known.to_owned()),
                _ => Err(wrong("INVALID_OPTION", format!("{given} was not one of the allowed options: [true, false]"))),
            },
            Kind::Date => match parse(&given) {
                Some(ms) if is_midnight(ms) => Ok(day(ms)),
                Some(ms) => Err(wrong("INVALID_DATE", format!("{given} is at {}, not midnight!", &stamp(ms)[11..19]))),
                None => Err(wrong("INVALID_DATE", format!("{given} was not a valid date."))),
            },
            Kind::DateTime => {
                parse(&given).map(stamp).ok_or_else(|| wrong("INVALID_LONG", format!("{given} was not a valid long.")))
            }
            Kind::Choice => self.choice(property, &given).map_err(|(code, message)| wrong(code, message)),
        }
    }

    fn choice(&self, property: &Property, given: &str) -> Result<String, (&'static str, String)> {
        if Some(property.name.as_str()) == self.object.owner.map(|no| self.object.property(no).name.as_str()) {
            let known = given.parse().is_ok_and(|id: u64| self.owners.contains(&id));
            return if known {
                Ok(given.to_owned())
            } else {
                Err(("INVALID_OWNER_ID", format!("Owner {given} does not exist")))
            };
        }
        // Pipelines and stages are looked at together, when the whole record is known.
        if property.external {
            return Ok(given.to_owned());
        }
        let known = |value: &str| property.options.iter().any(|(option, _)| option == value);
        let all = if property.several() { multiple(given).all(known) } else { known(given) };
        if all {
            return Ok(given.to_owned());
        }
        let options: Vec<&str> = property.options.iter().map(|(value, _)| value.as_str()).collect();
        Err(("INVALID_OPTION", format!("{given} was not one of the allowed options: [{}]", options.join(", "))))
    }
}

/// The address as HubSpot keeps it, in small letters; `None` when it is none.
fn email(given: &str) -> Option<String> {
    let given = given.trim();
    let (local, domain) = given.rsplit_once('@')?;
    let plain = |one: char| !one.is_whitespace() && !"@,;<>()[]\"\\".contains(one) && !one.is_control();
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|one| one.is_alphanumeric() || one == '-')
    };
    let labels: Vec<&str> = domain.split('.').collect();
    let top =
        labels.last().is_some_and(|last| last.chars().count() > 1 && !last.chars().all(|one| one.is_ascii_digit()));
    let good = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(plain)
        && labels.len() > 1
        && labels.iter().all(|part| label(part))
        && top
        && given.chars().count() <= MAX_EMAIL_CHARS;
    good.then(|| given.to_lowercase())
}
