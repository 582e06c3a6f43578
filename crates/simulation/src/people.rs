//! What the CRM's own people do there meanwhile: they edit, merge and delete, and they change what its objects are like. What
//! Syncline makes of it is looked at elsewhere.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use syncline_sandbox::salesforce::SchemaChange;

use crate::{
    checks::{self, Record},
    faults::Fault,
    network::{Line, Network},
    post::PostOffice,
    sim::{Sim, lock},
};

/// The field that administrators change, and what it offers.
const FIELD: &str = "Meeting_Status__c";
const FIELD_MEANWHILE: &str = "Standing__c";
const VALUES: [&str; 5] = ["Scheduled", "Rescheduled", "Cancelled", "Completed", "No Show"];

/// What makes a person, and what a double of one takes over.
const OF_PERSON: [(&str, &[&str]); 2] = [
    ("Contact", &["FirstName", "LastName", "Email", "Phone", "AccountId", "OwnerId"]),
    ("Lead", &["FirstName", "LastName", "Email", "Phone", "Company", "Status", "OwnerId"]),
];

async fn pause(sim: &Sim, part: &'static str, from: u64, to: u64) {
    let seconds = sim.with_dice(part, |dice| dice.between(from, to));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn some_line(sim: &Sim, network: &Network, part: &'static str) -> Arc<Line> {
    sim.with_dice(part, |dice| Arc::clone(dice.pick(&network.lines)))
}

/// They write into meetings.
pub async fn edits(sim: Arc<Sim>, network: Arc<Network>) {
    for number in 0.. {
        pause(&sim, "people", 20, 400).await;
        if !sim.may(Fault::E1) {
            return;
        }
        let line = some_line(&sim, &network, "people");
        let events = checks::records(&line.org, "Event");
        if events.is_empty() {
            continue;
        }
        let id = sim.with_dice("people", |dice| checks::text(dice.pick(&events), "Id").to_owned());
        let words = format!("room {number}, as a person wrote");
        let path = format!("/services/data/v66.0/sobjects/Event/{id}");
        if line.edit(&path, &json!({"Location": words})) {
            sim.fired(Fault::E1);
            sim.note(|| format!("ws{} a person edits {id}", line.customer));
            lock(&line.watch).edits.insert(id, words);
        }
    }
}

/// They make a double of a person and merge the person into it, so that the person goes on under another id.
pub async fn merges(sim: Arc<Sim>, network: Arc<Network>) {
    loop {
        pause(&sim, "merges", 60, 600).await;
        if !sim.may(Fault::M2) {
            return;
        }
        let line = some_line(&sim, &network, "merges");
        let (object, fields) = sim.with_dice("merges", |dice| *dice.pick(&OF_PERSON));
        let people = checks::records(&line.org, object);
        if people.is_empty() {
            continue;
        }
        let person = sim.with_dice("merges", |dice| dice.pick(&people).clone());
        merge(&sim, &line, object, fields, &person);
    }
}

fn merge(sim: &Sim, line: &Line, object: &str, fields: &[&str], person: &Record) {
    let taken = fields.iter().filter_map(|field| Some(((*field).to_owned(), person.get(*field)?.clone())));
    let taken: Map<String, Value> = taken.filter(|(_, value)| !value.is_null()).collect();
    let id = checks::text(person, "Id");
    let Ok(double) = line.org.seed(object, &taken) else { return };
    match line.org.merge(&double, &[id], &Map::new()) {
        Ok(()) => {
            sim.fired(Fault::M2);
            sim.note(|| format!("ws{} {object} {id} becomes {double}", line.customer));
        }
        // A double that stays would be found by nobody's fault.
        Err(_) => drop(line.org.purge(&double)),
    }
}

/// They delete a meeting, whom it is with or what it is about. Syncline learns of it by the next news, so it happens only
/// where such are to come for all that goes with the record.
pub async fn deletes(sim: Arc<Sim>, network: Arc<Network>, post: Arc<PostOffice>) {
    loop {
        pause(&sim, "deletes", 30, 300).await;
        if !sim.may(Fault::M3) {
            return;
        }
        let line = some_line(&sim, &network, "deletes");
        let meetings = line.org.columns("Event", ["Id", "WhoId", "WhatId", "StartDateTime"]);
        let moving = post.still_to_move();
        let (to_move, to_stay): (Vec<_>, Vec<_>) = meetings.iter().partition(|[.., start]| {
            let booking = lock(&line.watch).at(start.as_str().unwrap_or_default());
            booking.is_some_and(|(number, _)| moving.contains(&number))
        });
        if to_move.is_empty() {
            continue;
        }
        let [id, who, what, _] = sim.with_dice("deletes", |dice| *dice.pick(&to_move));
        let victim = sim.with_dice("deletes", |dice| *dice.pick(&[id, id, who, what]));
        let Some(victim) = victim.as_str() else { continue };
        if may_go(&sim, &line, victim, &to_stay) && line.org.delete(victim).is_ok() {
            sim.fired(Fault::M3);
            sim.note(|| format!("ws{} a person deletes {victim}", line.customer));
            let left: BTreeSet<String> = checks::ids(&line.org, "Event");
            lock(&line.watch).edits.retain(|edited, _| left.contains(edited));
        }
    }
}

/// Whether no meeting goes with the record that nobody looks at again, and whether all that is known of it comes from
/// bookings: what people wrote on it before would be lost.
fn may_go(sim: &Sim, line: &Line, victim: &str, to_stay: &[&[Value; 4]]) -> bool {
    let customer = &sim.story.customers[line.customer];
    let known_before = |[id, email]: &[Value; 2]| {
        let of_person = |at: &usize| email.as_str().is_some_and(|email| email == customer.people[*at].email);
        id == victim && customer.known.iter().any(of_person)
    };
    let stays = |id: &Value| to_stay.iter().any(|meeting| meeting[0] == *id);
    let attends = line.org.columns("EventRelation", ["RelationId", "EventId"]);
    to_stay.iter().all(|[_, who, what, _]| who != victim && what != victim)
        && attends.iter().all(|[who, meeting]| who != victim || !stays(meeting))
        && !line.org.columns("Contact", ["Id", "Email"]).iter().any(known_before)
}

/// They change a field that Syncline writes, and change it back after a while.
pub async fn administers(sim: Arc<Sim>, network: Arc<Network>) {
    loop {
        pause(&sim, "administrators", 60, 900).await;
        let may: Vec<Fault> = [Fault::S1, Fault::S2, Fault::S3].into_iter().filter(|fault| sim.may(*fault)).collect();
        if may.is_empty() {
            return;
        }
        let line = some_line(&sim, &network, "administrators");
        let fault = sim.with_dice("administrators", |dice| *dice.pick(&may));
        let (there, back) = change(fault);
        if line.org.change_schema(&there).is_ok() {
            sim.fired(fault);
            *lock(&line.way_back) = Some(back);
        }
        pause(&sim, "administrators", 20, 400).await;
        line.restore_schema();
    }
}

/// A change of the field, and the way back.
fn change(fault: Fault) -> (SchemaChange, SchemaChange) {
    let (object, field) = ("Event".to_owned(), FIELD.to_owned());
    let rename = |from: &str, to: &str| SchemaChange::RenameField {
        object: object.clone(),
        field: from.to_owned(),
        to: to.to_owned(),
    };
    let retype =
        |kind: &str| SchemaChange::RetypeField { object: object.clone(), field: field.clone(), kind: kind.to_owned() };
    let offer = |values: &[&str], restricted| SchemaChange::Picklist {
        object: object.clone(),
        field: field.clone(),
        values: values.iter().map(ToString::to_string).collect(),
        restricted,
    };
    match fault {
        Fault::S1 => (rename(FIELD, FIELD_MEANWHILE), rename(FIELD_MEANWHILE, FIELD)),
        Fault::S2 => (retype("string"), retype("picklist")),
        _ => (offer(&VALUES[..1], true), offer(&VALUES, false)),
    }
}
