//! What belongs to the account: owners, pipelines, own kinds of objects, and what is known of the account and its use.

use http::Method;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::super::{State, config::HubSpotUser, error::Failure, time::stamp, world::pipelines};
use super::{Ask, Done, Outcome, paging};

/// Owners of a page, unless asked otherwise, and at the most.
const OWNERS: usize = 100;
const OWNERS_MAX: usize = 500;

pub(super) fn answer(state: &State, ask: &Ask<'_>) -> Outcome {
    if ask.method != Method::GET {
        return Ok(Done::Nowhere(405));
    }
    match ask.path.as_slice() {
        ["owners"] => owners(state, ask),
        ["owners", id] => {
            let by_user = ask.one("idProperty") == Some("userId");
            let found = state.world.users.iter().find(|user| {
                let own = if by_user { user.user_id } else { user.owner_id };
                own.to_string() == *id && (user.active || ask.flag("archived"))
            });
            Ok(Done::Json(200, owner(found.ok_or_else(Failure::not_found)?)))
        }
        ["pipelines", name] => {
            let all = pipelines(state.world.schema.named(name)?).unwrap_or_else(|| json!([]));
            Ok(Done::Json(200, json!({"results": all})))
        }
        ["pipelines", name, id, rest @ ..] => {
            let all = pipelines(state.world.schema.named(name)?).unwrap_or_default();
            let found =
                all.as_array().into_iter().flatten().find(|one| one["id"] == *id).ok_or_else(Failure::not_found)?;
            match rest {
                [] => Ok(Done::Json(200, found.clone())),
                ["stages"] => Ok(Done::Json(200, json!({"results": found["stages"]}))),
                _ => Ok(Done::Nowhere(404)),
            }
        }
        ["schemas"] => {
            let own = state.world.schema.types.iter().filter(|kind| kind.is_custom());
            Ok(Done::Json(200, json!({"results": own.map(|kind| kind.wire()).collect::<Vec<_>>()})))
        }
        ["schemas", name] => {
            let no = state.world.schema.find(name).ok_or_else(Failure::not_found)?;
            Ok(Done::Json(200, state.world.schema.types[no].wire()))
        }
        ["account-info", "details"] => Ok(Done::Json(200, details(ask))),
        ["account-info", "api-usage", "daily", "private-apps"] => Ok(Done::Json(200, usage(state, ask))),
        _ => Ok(Done::Nowhere(404)),
    }
}

fn owner(user: &HubSpotUser) -> Value {
    json!({"id": user.owner_id.to_string(), "email": user.email, "type": "PERSON", "firstName": user.first_name,
           "lastName": user.last_name, "userId": user.user_id, "userIdIncludingInactive": user.user_id,
           "createdAt": stamp(0), "updatedAt": stamp(0), "archived": !user.active})
}

fn owners(state: &State, ask: &Ask<'_>) -> Outcome {
    let limit = ask.limit(OWNERS, OWNERS_MAX)?;
    let after: u64 = ask.one("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut fitting: Vec<&HubSpotUser> = state
        .world
        .users
        .iter()
        .filter(|user| user.active != ask.flag("archived") && user.owner_id > after)
        .filter(|user| ask.one("email").is_none_or(|email| user.email.eq_ignore_ascii_case(email)))
        .collect();
    fitting.sort_by_key(|user| user.owner_id);
    let more = fitting.len() > limit;
    fitting.truncate(limit);
    let mut body = json!({"results": fitting.iter().map(|user| owner(user)).collect::<Vec<_>>()});
    if let Some(last) = fitting.last().filter(|_| more) {
        body["paging"] = paging(last.owner_id);
    }
    Ok(Done::Json(200, body))
}

fn details(ask: &Ask<'_>) -> Value {
    let zone = TimeZone::get(&ask.config.time_zone).unwrap_or(TimeZone::UTC);
    let offset = Timestamp::from_millisecond(ask.by.at).map_or(0, |at| zone.to_offset(at).seconds());
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    json!({"portalId": ask.config.portal_id, "timeZone": ask.config.time_zone, "accountType": "STANDARD",
           "currency": "USD", "companyCurrency": "USD", "additionalCurrencies": [], "dataHostingLocation": "eu1",
           "uiDomain": "app-eu1.hubspot.com", "utcOffset": format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
           "utcOffsetMilliseconds": i64::from(offset) * 1000})
}

fn usage(state: &State, ask: &Ask<'_>) -> Value {
    let (used, resets) = state.limits.day(ask.by.at, ask.config);
    json!({"results": [{"name": "private-apps-api-calls-daily", "usageLimit": state.limits.rates.daily,
                        "currentUsage": used, "collectedAt": stamp(ask.by.at), "resetsAt": stamp(resets),
                        "fetchStatus": "SUCCESS"}]})
}
