//! Deals over HTTP. Money is in cents, and no key guards against making the same deal twice.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Deal, known, pipelines};
use crate::{
    activecampaign::{
        Act, State,
        answers::{Answer, Asked, Refused, id_of, text_of, unknown},
        contacts::no_contact,
        shapes::Shapes,
    },
    journal::EffectKind,
    web::json as answer,
};

pub(super) fn deals(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => list_deals(state, shapes, asked),
        (&Method::POST, []) => {
            let given = asked.object("deal")?;
            for name in ["title", "value", "currency"] {
                if text_of(given.get(name)).is_none_or(|text| text.is_empty()) {
                    return Err(Refused::attribute(&format!("The {name} was not provided."), "field_missing", name));
                }
            }
            if id_of(given.get("contact")).is_none() && id_of(given.get("account")).is_none() {
                return Err(Refused::attribute("The contact was not provided.", "field_missing", "contact"));
            }
            let group = id_of(given.get("group")).unwrap_or(1);
            let first = state.crm.stages.iter().find(|(_, stage)| stage.group == group).map(|(id, _)| *id);
            let stage = first.ok_or_else(|| Refused::no_result("DealGroup", group))?;
            let new = Deal {
                texts: BTreeMap::new(),
                value: 0,
                status: 0,
                contact: None,
                account: None,
                group,
                stage,
                fields: Vec::new(),
                created: act.now,
                updated: act.now,
            };
            let deal = with(state, new, given, act.now)?;
            let id = state.number("deal");
            state.crm.deals.insert(id, deal);
            state.journal.note(act.now, &act.actor, EffectKind::Created, "deal", id, given.clone());
            answered_deal(state, shapes, 201, id)
        }
        (_, [id]) => {
            let id = known(&state.crm.deals, "Deal", id)?;
            match *method {
                Method::GET => Ok(answer(200, &json!({"deal": shown_deal(shapes, id, &state.crm.deals[&id])}))),
                Method::DELETE => {
                    delete(state, act, id);
                    Ok(answer(200, &json!({})))
                }
                Method::PUT | Method::PATCH => {
                    let given = asked.object("deal")?;
                    let old = state.crm.deals.remove(&id).ok_or_else(|| Refused::no_result("Deal", id))?;
                    let before = shallow(&old);
                    match with(state, old, given, act.now) {
                        Ok(deal) => state.crm.deals.insert(id, deal),
                        Err(refused) => {
                            state.crm.deals.insert(id, before);
                            return Err(refused);
                        }
                    };
                    state.journal.note(act.now, &act.actor, EffectKind::Updated, "deal", id, given.clone());
                    answered_deal(state, shapes, 200, id)
                }
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

/// Takes one away; answers whether there was one.
pub(in super::super) fn delete(state: &mut State, act: &Act, id: u64) -> bool {
    let was = state.crm.deals.remove(&id).is_some();
    if was {
        state.journal.note(act.now, &act.actor, EffectKind::Deleted, "deal", id, Map::new());
    }
    was
}

fn answered_deal(state: &State, shapes: &Shapes, status: u16, id: u64) -> Answer {
    let deal = &state.crm.deals[&id];
    let mut shown = shown_deal(shapes, id, deal);
    // Numbers in this answer, text in others.
    (shown["value"], shown["status"]) = (deal.value.into(), deal.status.into());
    shown["fields"] = deal.fields.clone().into();
    shown["customFieldSaveStatus"] = json!({"status": "success"});
    shown["nextTask"] = Value::Null;
    let stage = state.crm.stages.get(&deal.stage).map(|stage| pipelines::shown_stage(shapes, deal.stage, stage));
    Ok(answer(status, &json!({"dealStages": stage.into_iter().collect::<Vec<_>>(), "deal": shown})))
}

/// A deal with what was said of it.
fn with(state: &State, mut deal: Deal, given: &Map<String, Value>, now: Timestamp) -> Result<Deal, Refused> {
    for name in ["title", "description", "currency", "owner", "percent"] {
        if let Some(text) = text_of(given.get(name)) {
            let text = if name == "currency" { text.to_lowercase() } else { text };
            deal.texts.insert(name, text);
        }
    }
    if let Some(value) = text_of(given.get("value")) {
        let invalid = || Refused::attribute("The value is not valid", "invalid", "value");
        deal.value = value.parse().map_err(|_| invalid())?;
    }
    deal.status = id_of(given.get("status")).unwrap_or(deal.status);
    if let Some(contact) = id_of(given.get("contact")) {
        state.book.get(contact).ok_or_else(|| no_contact(contact))?;
        deal.contact = Some(contact);
    }
    if let Some(account) = id_of(given.get("account")) {
        state.crm.accounts.get(&account).ok_or_else(|| Refused::no_result("Account", account))?;
        deal.account = Some(account);
    }
    if let Some(stage) = id_of(given.get("stage")) {
        let known = state.crm.stages.get(&stage).ok_or_else(|| Refused::no_result("DealStage", stage))?;
        (deal.stage, deal.group) = (stage, known.group);
    }
    for field in given.get("fields").and_then(Value::as_array).into_iter().flatten() {
        deal.fields.retain(|known| known["customFieldId"] != field["customFieldId"]);
        deal.fields.push(field.clone());
    }
    deal.updated = now;
    Ok(deal)
}

fn shallow(deal: &Deal) -> Deal {
    Deal { texts: deal.texts.clone(), fields: deal.fields.clone(), ..*deal }
}

pub(super) fn shown_deal(shapes: &Shapes, id: u64, deal: &Deal) -> Value {
    const LINKS: &[&str] = &[
        "dealActivities",
        "contact",
        "contactDeals",
        "group",
        "nextTask",
        "notes",
        "account",
        "customerAccount",
        "organization",
        "owner",
        "scoreValues",
        "stage",
        "tasks",
        "dealCustomFieldData",
    ];
    let text = |name: &str, default: &str| deal.texts.get(name).map_or(default, String::as_str).to_owned();
    let number = |id: Option<u64>| id.map(|id| id.to_string());
    json!({
        "hash": format!("{:08x}", id.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF), "owner": text("owner", "1"),
        "contact": number(deal.contact), "organization": null, "group": deal.group.to_string(),
        "stage": deal.stage.to_string(), "title": text("title", ""), "description": text("description", ""),
        "percent": text("percent", "0"), "cdate": shapes.stamp(deal.created), "mdate": shapes.stamp(deal.updated),
        "nextdate": null, "nexttaskid": "0", "value": deal.value.to_string(), "currency": text("currency", "usd"),
        "status": deal.status.to_string(), "activitycount": "0", "nextdealid": id.to_string(), "edate": null,
        "winProbability": null, "winProbabilityMdate": null, "links": shapes.links("deals", id, LINKS),
        "id": id.to_string(), "isDisabled": false, "account": number(deal.account),
        "customerAccount": number(deal.account),
    })
}

fn list_deals(state: &State, shapes: &Shapes, asked: &Asked) -> Answer {
    let number = |name: &str| asked.number(&format!("filters[{name}]"));
    let after = asked.param("filters[updated_after]").and_then(|text| shapes.parse(text));
    let made = asked.param("filters[created_after]").and_then(|text| shapes.parse(text));
    let title = asked.param("filters[title]");
    let (stage, group, status) = (number("stage"), number("group"), number("status"));
    let fits = |deal: &Deal| {
        after.is_none_or(|after| deal.updated.as_second() > after.as_second())
            && made.is_none_or(|made| deal.created.as_second() >= made.as_second())
            && title.is_none_or(|title| deal.texts.get("title").is_some_and(|held| held == title))
            && stage.is_none_or(|id| deal.stage == id)
            && group.is_none_or(|id| deal.group == id)
            && status.is_none_or(|status| deal.status == status)
    };
    let found: Vec<(&u64, &Deal)> = state.crm.deals.iter().filter(|(_, deal)| fits(deal)).collect();
    let mut sums: BTreeMap<String, (u64, i64)> = BTreeMap::new();
    for (_, deal) in &found {
        let sum = sums.entry(deal.texts.get("currency").map_or("USD".into(), |c| c.to_uppercase())).or_default();
        *sum = (sum.0 + 1, sum.1 + deal.value);
    }
    let sums: Map<String, Value> = sums
        .into_iter()
        .map(|(currency, (total, value))| {
            let sum = json!({"total": total.to_string(), "value": value.to_string(), "currency": currency});
            (currency, sum)
        })
        .collect();
    let (limit, offset) = asked.window();
    let page: Vec<Value> =
        found.iter().skip(offset).take(limit).map(|(id, deal)| shown_deal(shapes, **id, deal)).collect();
    Ok(answer(200, &json!({"deals": page, "meta": {"currencies": sums, "total": found.len()}})))
}
