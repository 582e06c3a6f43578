//! Objects as a mapping sees them: their properties, and what their records may be associated with.

use syncline_connect::{Answered, Cx, Error, ErrorKind, Object, Usage};
use syncline_core::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    record::Role,
};

use super::fields;
use crate::hubspot::{
    api, describe,
    roles::{ASSOCIATION, TYPE_IDS},
};

/// Describes the objects, position by position.
pub async fn describe(cx: &Cx<'_>, objects: &[Object]) -> Result<Answered<Vec<Option<ObjectDescription>>>, Error> {
    let (mut value, mut calls, mut usage) = (Vec::with_capacity(objects.len()), 0, None::<Usage>);
    for object in objects {
        let Some(name) = name_of(object) else {
            value.push(None);
            continue;
        };
        calls += 1;
        let properties = match api::properties(cx, describe::OP, name).await {
            Ok((properties, used)) => {
                usage = used.or(usage);
                properties
            }
            // A name that no object has is an invalid request.
            Err(error) if error.kind == ErrorKind::Invalid && matches!(object, Object::Named(_)) => None,
            Err(error) => return Err(error),
        };
        value.push(properties.map(|properties| {
            let mut described = describe::read(name, &properties);
            described.fields.extend(associations(name));
            described
        }));
    }
    Ok(Answered { value, calls, usage })
}

/// The object as the API names it; `None` where HubSpot has no such object.
fn name_of(object: &Object) -> Option<&str> {
    match object {
        Object::Of(role) if TYPE_IDS.iter().any(|(_, known)| known == role) => fields::object_name(*role, None).ok(),
        Object::Of(_) => None,
        Object::Named(name) => fields::object_name(Role::Custom, Some(name)).ok(),
    }
}

/// What stands for associations with records that bookings have.
fn associations(of: &str) -> impl Iterator<Item = (String, FieldDescription)> {
    let others = TYPE_IDS.iter().filter_map(|(_, role)| fields::object_name(*role, None).ok());
    others.filter(move |other| *other != of).map(|other| {
        let plain = FieldDescription::plain(format!("Associated {other}"), FieldKind::Reference);
        let field = FieldDescription { refers_to: vec![other.to_owned()], ..plain };
        (format!("{ASSOCIATION}{other}"), field)
    })
}
