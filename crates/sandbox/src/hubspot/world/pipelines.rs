//! The pipelines of deals and tickets, as every new account has them.

use serde_json::{Value, json};

use super::super::schema::{DEAL, TICKET, TypeNo};

/// A stage: id, label, and how likely a deal is won or whether a ticket is closed.
type Stage = (&'static str, &'static str, &'static str);

/// The pipeline of a new account and its stages (recorded 2026-03).
const DEALS: [Stage; 7] = [
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
];
const TICKETS: [Stage; 4] = [
    ("1", "New", "OPEN"),
    ("2", "Waiting on contact", "OPEN"),
    ("3", "Waiting on us", "OPEN"),
    ("4", "Closed", "CLOSED"),
];

/// The id of the only pipeline of an object.
pub(in super::super) fn default_pipeline(object: TypeNo) -> Option<&'static str> {
    match object {
        DEAL => Some("default"),
        TICKET => Some("0"),
        _ => None,
    }
}

fn stages(object: TypeNo) -> &'static [Stage] {
    match object {
        DEAL => &DEALS,
        TICKET => &TICKETS,
        _ => &[],
    }
}

pub(super) fn is_stage(object: TypeNo, stage: &str) -> bool {
    stages(object).iter().any(|(id, ..)| *id == stage)
}

pub(super) fn stage_ids(object: TypeNo) -> Vec<&'static str> {
    stages(object).iter().map(|(id, ..)| *id).collect()
}

/// How likely a deal in this stage is won.
pub(super) fn probability(stage: &str) -> Option<&'static str> {
    DEALS.iter().find(|(id, ..)| *id == stage).map(|(_, _, probability)| *probability)
}

pub(super) fn is_closed(object: TypeNo, stage: &str) -> bool {
    let known = stages(object).iter().find(|(id, ..)| *id == stage);
    known.is_some_and(|(id, _, state)| *state == "CLOSED" || id.starts_with("closed"))
}

/// The pipelines as the API tells them.
pub(in super::super) fn wire(object: TypeNo) -> Option<Value> {
    const EPOCH: &str = "1970-01-01T00:00:00Z";
    let (id, label) = match object {
        DEAL => ("default", "Sales Pipeline"),
        TICKET => ("0", "Support Pipeline"),
        _ => return None,
    };
    let stages: Vec<Value> = stages(object)
        .iter()
        .enumerate()
        .map(|(order, (id, label, state))| {
            let metadata = if object == DEAL {
                json!({"isClosed": id.starts_with("closed").to_string(), "probability": state})
            } else {
                json!({"isClosed": (*state == "CLOSED").to_string(), "ticketState": state})
            };
            json!({"label": label, "displayOrder": order, "metadata": metadata, "id": id, "createdAt": EPOCH,
               "updatedAt": EPOCH, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT", "archived": false})
        })
        .collect();
    Some(json!([{"label": label, "displayOrder": 0, "id": id, "stages": stages, "createdAt": EPOCH,
                 "updatedAt": EPOCH, "archived": false}]))
}
