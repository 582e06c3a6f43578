//! What must hold of an org: after every write, and in the end. An independent small model says what the end is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use syncline_core::booking::settings::PersonMode;
use syncline_sandbox::SalesforceOrg;

use crate::{
    network::Line,
    sim::{Reached, Sim, lock},
    story::Story,
};

pub type Record = Map<String, Value>;

/// Objects of which one thing has one record, and the field that tells the thing.
const ONE_EACH: &[(&str, &str)] = &[("Contact", "Email"), ("Lead", "Email"), ("Account", "Website")];

/// The records of an object that are not in the recycle bin.
pub fn records(org: &SalesforceOrg, object: &str) -> Vec<Record> {
    let alive = |record: &Record| record.get("IsDeleted") != Some(&Value::Bool(true));
    org.records(object).into_iter().filter(alive).collect()
}

/// Their ids alone.
pub fn ids(org: &SalesforceOrg, object: &str) -> BTreeSet<String> {
    org.columns(object, ["Id"]).into_iter().filter_map(|[id]| id.as_str().map(str::to_owned)).collect()
}

/// A value as a text, which is empty where it is none.
fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn text<'a>(record: &'a Record, field: &str) -> &'a str {
    record.get(field).map_or("", word)
}

/// After every write.
pub fn after_write(sim: &Sim, customer: usize, org: &SalesforceOrg) {
    for (object, field) in ONE_EACH {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for [name] in org.columns(object, [field]) {
            let name = name.as_str().unwrap_or_default().to_lowercase();
            if !name.is_empty() {
                *seen.entry(name).or_default() += 1;
            }
        }
        if let Some((_, times)) = seen.iter().find(|(_, times)| **times > 1) {
            sim.violation("I2", format!("ws{customer} has {times} records of one {object}"));
        }
    }
    let mut attending = BTreeSet::new();
    for [invited, event, who] in org.columns("EventRelation", ["IsInvitee", "EventId", "RelationId"]) {
        if invited == true && !attending.insert((event.to_string(), who.to_string())) {
            sim.violation("I2", format!("ws{customer} has somebody attend one meeting twice"));
        }
    }
    let prefix = &sim.story.customers[customer].settings.cancel.prefix;
    for [subject] in org.columns("Event", ["Subject"]) {
        let count = subject.as_str().unwrap_or_default().matches(prefix.trim()).count();
        if count > 1 {
            sim.violation("I10", format!("ws{customer} has a meeting with {count} prefixes"));
        }
    }
}

/// Whether every message about the booking was delivered: of others the small model does not know the end, and what tied
/// its parts together may be missing, so that they are bookings of their own.
pub fn is_complete(story: &Story, booking: usize) -> bool {
    story.messages.iter().filter(|message| message.booking == Some(booking)).all(|message| !message.lost)
        && story.messages.iter().any(|message| message.booking == Some(booking))
}

/// In the end: every booking has one meeting, at its last time, with its standing, of its person.
pub fn in_the_end(sim: &Sim, line: &Line) {
    let customer = &sim.story.customers[line.customer];
    let events = records(&line.org, "Event");
    let people: BTreeMap<String, String> = ["Contact", "Lead"]
        .iter()
        .flat_map(|object| line.org.columns(object, ["Id", "Email"]))
        .map(|[id, email]| (word(&id).to_owned(), word(&email).to_lowercase()))
        .collect();
    let mut of_booking: BTreeMap<usize, Vec<(usize, &Record)>> = BTreeMap::new();
    for event in &events {
        match lock(&line.watch).at(text(event, "StartDateTime")) {
            Some((booking, version)) => of_booking.entry(booking).or_default().push((version, event)),
            None => sim.violation("J2", format!("ws{} has a meeting that nobody booked", line.customer)),
        }
    }
    for (number, booking) in sim.story.bookings.iter().enumerate() {
        if booking.customer != line.customer {
            continue;
        }
        let found = of_booking.remove(&number).unwrap_or_default();
        if !is_complete(&sim.story, number) {
            continue;
        }
        if found.len() > 1 {
            sim.violation("I2", format!("booking {number} has {} meetings", found.len()));
        }
        let Some((version, event)) = found.first() else {
            sim.violation("J2", format!("booking {number} has no meeting"));
            continue;
        };
        if *version + 1 != booking.starts.len() {
            sim.violation("J2", format!("booking {number} is at version {version} of {}", booking.starts.len() - 1));
        }
        let prefixed = text(event, "Subject").starts_with(customer.settings.cancel.prefix.as_str());
        if prefixed != booking.cancelled {
            let says = if booking.cancelled { "does not say" } else { "says" };
            sim.violation("J2", format!("the meeting of booking {number} {says} that it is cancelled"));
        }
        let who = people.get(text(event, "WhoId"));
        let expected = |person: &usize| who.is_some_and(|email| *email == customer.people[*person].email);
        if !booking.people.iter().any(expected) {
            sim.violation("J2", format!("the meeting of booking {number} is with somebody else"));
        }
    }
    for (object, each) in
        [("Case", customer.settings.case.is_some()), ("Opportunity", customer.settings.opportunity.is_some())]
    {
        let found = ids(&line.org, object).len();
        if found != if each { events.len() } else { 0 } {
            sim.violation("I2", format!("ws{}: {found} of {object} for {} meetings", line.customer, events.len()));
        }
    }
    edits(sim, line, &events);
    shared_people(sim, line);
}

/// What a person wrote is still there.
fn edits(sim: &Sim, line: &Line, events: &[Record]) {
    for (id, words) in &lock(&line.watch).edits {
        let event = events.iter().find(|event| text(event, "Id") == id);
        if event.is_some_and(|event| text(event, "Location") == words) {
            sim.reach(Reached::EditSurvived);
        } else {
            sim.violation("edit", format!("what a person wrote into {id} is gone"));
        }
    }
}

fn shared_people(sim: &Sim, line: &Line) {
    let story = &sim.story;
    let customer = &story.customers[line.customer];
    let shared = (0..customer.people.len()).filter(|person| !customer.known.contains(person)).any(|person| {
        let of_person = |number: &usize| story.bookings[*number].people.contains(&person);
        (0..story.bookings.len())
            .filter(|number| story.bookings[*number].customer == line.customer)
            .filter(of_person)
            .count()
            > 1
    });
    if shared && customer.settings.person == PersonMode::Contact {
        sim.reach(Reached::SharedPerson);
    }
}

/// People of whom the CRM may or may not have heard, and the companies that they may have brought with them: those who
/// gave up a seat, and booked nothing else.
fn passers(story: &Story, customer: usize) -> BTreeSet<String> {
    let people = &story.customers[customer].people;
    // Of a booking of which no message came that says that it stands nobody can know.
    let told = story.messages.iter().filter(|message| message.stands && !message.lost);
    let told: BTreeSet<usize> = told.filter_map(|message| message.booking).collect();
    let bookings = || {
        let all = story.bookings.iter().enumerate();
        all.filter(|(number, booking)| booking.customer == customer && told.contains(number))
            .map(|(_, booking)| booking)
    };
    let stays =
        |person: usize| bookings().any(|booking| booking.people.contains(&person) && !booking.left.contains(&person));
    let left = bookings().flat_map(|booking| &booking.left).filter(|person| !stays(**person));
    let company = |email: &str| email.split_once('@').map_or_else(String::new, |(_, domain)| domain.to_owned());
    left.flat_map(|person| {
        let person = &people[*person];
        [person.email.clone(), company(&person.email), format!("{} {}", person.first, person.last).to_lowercase()]
    })
    .collect()
}

/// What the org holds, without what differs from run to run: ids, keys, times of writing. References are told by what
/// they point at.
pub fn holdings(story: &Story, customer: usize, org: &SalesforceOrg) -> BTreeMap<String, Vec<String>> {
    let passers = passers(story, customer);
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (object, name) in [
        ("Account", "Name"),
        ("Contact", "Email"),
        ("Lead", "Email"),
        ("Case", "Subject"),
        ("Opportunity", "Name"),
        ("Event", "StartDateTime"),
        ("User", "Email"),
    ] {
        for [id, name] in org.columns_with_bin(object, ["Id", name]) {
            names.insert(word(&id).to_owned(), format!("{object} {}", word(&name).to_lowercase()));
        }
    }
    let passes = |record: &Record| {
        let attends = names.get(text(record, "RelationId")).and_then(|name| name.split(' ').nth(1));
        let of_field = ["Email", "Website", "Name"].iter().any(|field| {
            let value = text(record, field).to_lowercase();
            passers.iter().any(|passer| value == *passer || *field == "Website" && value.ends_with(passer.as_str()))
        });
        of_field || attends.is_some_and(|email| passers.contains(email))
    };
    let kept: &[(&str, &[&str])] = &[
        ("Account", &["Name", "Website", "OwnerId"]),
        ("Contact", &["Email", "LastName", "FirstName", "AccountId", "OwnerId", "Phone"]),
        ("Lead", &["Email", "LastName", "FirstName", "Company", "OwnerId", "Status"]),
        ("Case", &["Subject", "Description", "ContactId", "AccountId", "Status", "Origin", "OwnerId"]),
        ("Opportunity", &["Name", "CloseDate", "StageName", "AccountId", "OwnerId"]),
        (
            "Event",
            &[
                "Subject",
                "Description",
                "StartDateTime",
                "EndDateTime",
                "WhoId",
                "WhatId",
                "OwnerId",
                "ShowAs",
                "Meeting_Status__c",
            ],
        ),
        ("EventRelation", &["EventId", "RelationId", "Response"]),
    ];
    kept.iter()
        .map(|(object, fields)| {
            let line = |record: &Record| {
                let shown = |field: &&str| match record.get(*field).and_then(Value::as_str) {
                    Some(value) if field.ends_with("Id") => {
                        names.get(value).cloned().unwrap_or_else(|| value.to_owned())
                    }
                    Some(value) if *field == "Email" => value.to_lowercase(),
                    Some(value) => value.to_owned(),
                    None => "-".to_owned(),
                };
                fields.iter().map(shown).collect::<Vec<_>>().join(" | ")
            };
            let mut lines: Vec<String> =
                records(org, object).iter().filter(|record| !passes(record)).map(line).collect();
            lines.sort();
            ((*object).to_owned(), lines)
        })
        .collect()
}

/// The first difference between two orgs, in words.
pub fn difference(expected: &BTreeMap<String, Vec<String>>, found: &BTreeMap<String, Vec<String>>) -> Option<String> {
    expected.iter().find_map(|(object, lines)| {
        let other = &found[object];
        if lines == other {
            return None;
        }
        let missing: Vec<&String> = lines.iter().filter(|line| !other.contains(line)).collect();
        let extra: Vec<&String> = other.iter().filter(|line| !lines.contains(line)).collect();
        Some(format!("{object}: expected {missing:?}, found {extra:?} ({} and {})", lines.len(), other.len()))
    })
}
