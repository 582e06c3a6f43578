//! `@{ref.path}` within a composite: finding references, and putting in what they stand for.

use serde_json::Value;

/// Deepest nesting of a body that is searched; deeper ones hold no references.
const MAX_DEPTH: usize = 32;

/// Whether any string within holds a reference.
pub fn has_references(value: &Value) -> bool {
    fn search(value: &Value, depth: usize) -> bool {
        match value {
            _ if depth > MAX_DEPTH => false,
            Value::String(text) => text.contains("@{"),
            Value::Array(all) => all.iter().any(|one| search(one, depth + 1)),
            Value::Object(map) => map.values().any(|one| search(one, depth + 1)),
            _ => false,
        }
    }
    search(value, 0)
}

/// Puts values in for every reference within; the error is the reference that has none.
pub fn resolve_value<'v>(value: &mut Value, find: &impl Fn(&str) -> Option<&'v Value>) -> Result<(), String> {
    match value {
        Value::String(text) => {
            if let Some(whole) = text.strip_prefix("@{").and_then(|rest| rest.strip_suffix('}'))
                && !whole.contains("@{")
                && !whole.contains('}')
            {
                *value = lookup(whole, find).ok_or_else(|| whole.to_owned())?.clone();
            } else if text.contains("@{") {
                *text = resolve_text(text, find)?;
            }
            Ok(())
        }
        Value::Array(all) => all.iter_mut().try_for_each(|one| resolve_value(one, find)),
        Value::Object(map) => map.values_mut().try_for_each(|one| resolve_value(one, find)),
        _ => Ok(()),
    }
}

/// Puts texts in for every reference in a text, such as a URL.
pub fn resolve_text<'v>(text: &str, find: &impl Fn(&str) -> Option<&'v Value>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("@{") {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            rest = &rest[start..];
            break;
        };
        match lookup(&inner[..end], find) {
            Some(Value::String(found)) => out.push_str(found),
            Some(Value::Null) | None => return Err(inner[..end].to_owned()),
            Some(other) => out.push_str(&other.to_string()),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// `ref.records[0].Id`: a body by its reference id, then names and places within it.
fn lookup<'v>(path: &str, find: &impl Fn(&str) -> Option<&'v Value>) -> Option<&'v Value> {
    let split = path.find(['.', '[']).unwrap_or(path.len());
    let mut value = find(path[..split].trim())?;
    let mut rest = &path[split..];
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (place, after) = inner.split_once(']')?;
            value = value.get(place.trim().parse::<usize>().ok()?)?;
            rest = after;
        } else {
            let name = rest.strip_prefix('.')?;
            let end = name.find(['.', '[']).unwrap_or(name.len());
            value = member(value, &name[..end])?;
            rest = &name[end..];
        }
    }
    Some(value)
}

/// Names are case-sensitive, but for `id` and `Id`, which records and results write differently.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let map = value.as_object()?;
    map.get(name).or_else(|| name.eq_ignore_ascii_case("id").then(|| map.get("id").or_else(|| map.get("Id")))?)
}
