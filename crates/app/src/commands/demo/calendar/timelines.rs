//! What stands on the timelines of both CRMs, and what is known of the events that do not, as lines that can be compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_core::calendar::{eligible::Verdict, privacy::Privacy};
use syncline_engine::{Engine, calendars::CalendarFlow};
use syncline_sandbox::{GoogleWorkspace, HubSpotAccount, SalesforceOrg, hubspot::HubSpotRecord};
use syncline_store::MeetingFilter;

use super::{
    accounts::{ANNA, Accounts},
    story::LOGGED,
};

/// More events than the demo makes.
const EVENTS_MAX: usize = 200;

/// Lines by what they are about: a record, or an event that has none.
pub type Lines = BTreeMap<String, String>;

/// Everything that there is to see just now.
pub async fn all(accounts: &Accounts, engine: &Engine) -> anyhow::Result<Lines> {
    let mut lines = Lines::new();
    hubspot(&accounts.hub, &mut lines);
    salesforce(&accounts.org, &mut lines);
    calendar(&accounts.google, &mut lines);
    for flow in &engine.setup().calendars {
        left_out(engine, flow, &mut lines).await?;
    }
    Ok(lines)
}

/// What is new or different, and what is gone.
pub fn differences(before: &Lines, after: &Lines) -> Vec<String> {
    let mut told = Vec::new();
    for (about, line) in after {
        match before.get(about) {
            Some(known) if known == line => {}
            Some(_) => told.push(format!("~ {line}")),
            None => told.push(format!("+ {line}")),
        }
    }
    told.extend(before.iter().filter(|(about, _)| !after.contains_key(*about)).map(|(_, line)| format!("- {line}")));
    told
}

fn hubspot(hub: &HubSpotAccount, lines: &mut Lines) {
    let mut all = hub.snapshot();
    let value = |record: &HubSpotRecord, name: &str| record.properties.get(name).cloned().unwrap_or_default();
    let people: BTreeMap<String, String> =
        all.remove("contacts").unwrap_or_default().iter().map(|one| (one.id.clone(), value(one, "email"))).collect();
    for meeting in all.remove("meetings").unwrap_or_default() {
        let with: Vec<String> = meeting
            .links
            .iter()
            .filter_map(|link| people.get(&link.id).filter(|_| link.object == "contacts").cloned())
            .collect();
        let line = format!(
            "HubSpot     {}, {}, on the timeline of {} ({})",
            value(&meeting, "hs_meeting_title"),
            value(&meeting, "hs_meeting_start_time"),
            listed(with),
            value(&meeting, "hs_meeting_outcome")
        );
        lines.insert(format!("hubspot record {}", meeting.id), line);
    }
}

fn salesforce(org: &SalesforceOrg, lines: &mut Lines) {
    let text = |record: &Map<String, Value>, name: &str| {
        record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let live = |record: &Map<String, Value>| record.get("IsDeleted") != Some(&Value::Bool(true));
    let people: BTreeMap<String, String> = ["Contact", "Lead", "User"]
        .into_iter()
        .flat_map(|object| org.records(object))
        .map(|record| (text(&record, "Id"), text(&record, "Email")))
        .collect();
    let attends = org.records("EventRelation");
    for event in org.records("Event").into_iter().filter(live) {
        let id = text(&event, "Id");
        // An invitation makes an event of its own for the user who is invited; the meeting is its parent.
        if event.get("IsChild") == Some(&Value::Bool(true)) {
            continue;
        }
        let mut with: Vec<String> = people.get(&text(&event, "WhoId")).cloned().into_iter().collect();
        let further = attends.iter().filter(|row| live(row) && text(row, "EventId") == id);
        for row in further {
            let Some(email) = people.get(&text(row, "RelationId")) else { continue };
            let reply = text(row, "Response");
            with.retain(|known| known != email);
            with.push(if reply.is_empty() { email.clone() } else { format!("{email}: {reply}") });
        }
        let line = format!(
            "Salesforce  {}, {}, on the timeline of {}",
            text(&event, "Subject"),
            text(&event, "StartDateTime"),
            listed(with)
        );
        lines.insert(format!("salesforce record {id}"), line);
    }
}

/// What Anna's calendar says of the meeting that is logged in a CRM.
fn calendar(google: &GoogleWorkspace, lines: &mut Lines) {
    for event in google.snapshot().remove(ANNA).unwrap_or_default() {
        let Some(title) = event["summary"].as_str().filter(|title| title.starts_with(LOGGED)) else { continue };
        let guests = event["attendees"].as_array().into_iter().flatten();
        let guests = guests.filter_map(|guest| guest["email"].as_str().map(str::to_owned)).collect();
        let start = event["start"]["dateTime"].as_str().unwrap_or_default();
        lines
            .insert(format!("event {}", event["id"]), format!("Anna        {title}, {start}, with {}", listed(guests)));
    }
}

async fn left_out(engine: &Engine, flow: &CalendarFlow, lines: &mut Lines) -> anyhow::Result<()> {
    for view in engine.calendar_events(flow, MeetingFilter::All, 0, EVENTS_MAX).await? {
        let state = &view.state;
        let said = match (&state.verdict, &state.title) {
            (Verdict::LeftOut(reason), Some(title)) => format!("left out: {title}: {}", reason.sentence()),
            (Verdict::LeftOut(reason), None) => format!("left out: {}", reason.sentence()),
            (Verdict::Log, _) if state.privacy == Privacy::Frozen => {
                "a meeting is private by now: its record stays as it was".to_owned()
            }
            (Verdict::Log, _) => continue,
        };
        let about = format!("{} left out {} {}", flow.id, view.key.uid.as_str(), view.key.rid);
        lines.insert(about, format!("{:<11} {said}", flow.crm.as_str()));
    }
    Ok(())
}

fn listed(mut people: Vec<String>) -> String {
    people.sort();
    if people.is_empty() { "nobody".to_owned() } else { people.join(", ") }
}
