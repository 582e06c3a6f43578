//! Pipelines and their stages over HTTP.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Group, Stage, known};
use crate::{
    activecampaign::{
        Act, State,
        answers::{Answer, Asked, Refused, id_of, text_of, unknown},
        shapes::{Shapes, object},
    },
    web::json as answer,
};

/// The stage of a new pipeline.
const FIRST_STAGE: &str = "To Contact";

/// The pipeline that every account has.
pub(in crate::activecampaign) fn found(state: &mut State, now: Timestamp) {
    let group = add_group(state, "Pipeline", "usd", now);
    for title in ["In Contact", "Follow Up"] {
        add_stage(state, title, group, now);
    }
}

fn add_group(state: &mut State, title: &str, currency: &str, now: Timestamp) -> u64 {
    let id = state.number("dealGroup");
    let group = Group { title: title.into(), currency: currency.into(), created: now, updated: now };
    state.crm.groups.insert(id, group);
    add_stage(state, FIRST_STAGE, id, now);
    id
}

fn add_stage(state: &mut State, title: &str, group: u64, now: Timestamp) -> u64 {
    let id = state.number("dealStage");
    let order = state.crm.stages.values().filter(|stage| stage.group == group).count() as u64 + 1;
    state.crm.stages.insert(id, Stage { title: title.into(), group, order, created: now, updated: now });
    id
}

pub(super) fn groups(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => {
            let (limit, offset) = asked.window();
            let page: Vec<u64> = state.crm.groups.keys().copied().skip(offset).take(limit).collect();
            let rows: Vec<Value> =
                page.iter().map(|id| shown_group(state, shapes, *id, &["count", "stages"])).collect();
            let stages: Vec<Value> = page.iter().flat_map(|id| stages_of(state, shapes, *id)).collect();
            let meta = json!({"total": state.crm.groups.len()});
            Ok(answer(200, &json!({"dealStages": stages, "dealGroups": rows, "meta": meta})))
        }
        (&Method::POST, []) => {
            let given = asked.object("dealGroup")?;
            let missing = || Refused::attribute("The title was not provided.", "field_missing", "title");
            let title = text_of(given.get("title")).filter(|title| !title.is_empty()).ok_or_else(missing)?;
            let currency = text_of(given.get("currency")).unwrap_or_else(|| "usd".into()).to_lowercase();
            let id = add_group(state, &title, &currency, act.now);
            let mut shown = object(shown_group(state, shapes, id, &["stages"]));
            for name in ["allusers", "allgroups", "win_probability_initialize_date"] {
                shown.remove(name);
            }
            Ok(answer(201, &json!({"dealStages": stages_of(state, shapes, id), "dealGroup": shown})))
        }
        (_, [id]) => {
            let id = known(&state.crm.groups, "DealGroup", id)?;
            match *method {
                Method::PUT | Method::PATCH => {
                    let title = text_of(asked.object("dealGroup")?.get("title"));
                    if let Some(group) = state.crm.groups.get_mut(&id) {
                        group.title = title.unwrap_or_else(|| group.title.clone());
                        group.updated = act.now;
                    }
                    Ok(answer(200, &json!({"dealGroup": shown_group(state, shapes, id, &[])})))
                }
                Method::GET => {
                    let shown = shown_group(state, shapes, id, &["stages"]);
                    Ok(answer(200, &json!({"dealStages": stages_of(state, shapes, id), "dealGroup": shown})))
                }
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

fn shown_group(state: &State, shapes: &Shapes, id: u64, more: &[&str]) -> Value {
    const LINKS: &[&str] = &["stages", "dealGroupUsers", "dealGroupGroups", "winProbabilityFeatures"];
    let group = &state.crm.groups[&id];
    let mut out = json!({"title": group.title, "currency": group.currency, "autoassign": "0", "allusers": "0",
        "allgroups": "1", "win_probability_initialize_date": null, "cdate": shapes.stamp(group.created),
        "udate": shapes.stamp(group.updated), "source": "", "links": shapes.links("dealGroups", id, LINKS),
        "id": id.to_string()});
    if more.contains(&"count") {
        out["count"] = state.crm.deals.values().filter(|deal| deal.group == id).count().to_string().into();
    }
    if more.contains(&"stages") {
        let stages = state.crm.stages.iter().filter(|(_, stage)| stage.group == id);
        out["stages"] = stages.map(|(id, _)| Value::from(id.to_string())).collect();
    }
    out
}

fn stages_of(state: &State, shapes: &Shapes, group: u64) -> Vec<Value> {
    let stages = state.crm.stages.iter().filter(|(_, stage)| stage.group == group);
    stages.map(|(id, stage)| shown_stage(shapes, *id, stage)).collect()
}

pub(super) fn shown_stage(shapes: &Shapes, id: u64, stage: &Stage) -> Value {
    json!({"group": stage.group.to_string(), "title": stage.title, "color": "19CCA3",
           "order": stage.order.to_string(), "width": "280", "dealOrder": "next-action DESC", "cardRegion1": "title",
           "cardRegion2": "next-action", "cardRegion3": "show-avatar", "cardRegion4": "contact-fullname-acctname",
           "cardRegion5": "value", "cdate": shapes.stamp(stage.created), "udate": shapes.stamp(stage.updated),
           "links": shapes.links("dealStages", id, &["group"]), "id": id.to_string()})
}

pub(super) fn stages(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => {
            let group = asked.number("filters[d_groupid]");
            let found = state.crm.stages.iter().filter(|(_, stage)| group.is_none_or(|id| stage.group == id));
            Ok(asked.page("dealStages", found, |(id, stage)| shown_stage(shapes, *id, stage)))
        }
        (&Method::POST, []) => {
            let given = asked.object("dealStage")?;
            let missing =
                |name: &str| Refused::attribute(&format!("The {name} was not provided."), "field_missing", name);
            let title =
                text_of(given.get("title")).filter(|title| !title.is_empty()).ok_or_else(|| missing("title"))?;
            let group = id_of(given.get("group")).ok_or_else(|| missing("group"))?;
            if !state.crm.groups.contains_key(&group) {
                return Err(Refused::no_result("DealGroup", group));
            }
            let id = add_stage(state, &title, group, act.now);
            let stage = &state.crm.stages[&id];
            let mut shown = shown_stage(shapes, id, stage);
            (shown["width"], shown["order"]) = (280.into(), stage.order.into());
            let groups = [shown_group(state, shapes, group, &[])];
            Ok(answer(201, &json!({"dealGroups": groups, "dealStage": shown})))
        }
        (_, [id]) => {
            let id = known(&state.crm.stages, "DealStage", id)?;
            match *method {
                Method::DELETE => {
                    state.crm.stages.remove(&id);
                    Ok(answer(200, &json!({})))
                }
                Method::GET => Ok(answer(200, &json!({"dealStage": shown_stage(shapes, id, &state.crm.stages[&id])}))),
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}
