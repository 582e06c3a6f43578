//! Writing thousands of rows by a few imports, which Brevo works on by itself, and asking what became of them.
//!
//! An import looks contacts up by what a row bears. So only new contacts go this way, and contacts that were just seen
//! with both our key and their address: where one of the two no longer fits, Brevo reports a duplicate and writes
//! nothing. What an import sets for all of its rows (whether blanks empty a field, opting out, lists) divides the rows
//! into groups; what fits none goes by batches.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Op, RowOutcome, RowWrite, Written},
};
use syncline_core::record::{Field, Value};

use super::{
    api::Api,
    classify, companies,
    convert::{Draft, EMAIL, EXT_ID, draft, needs_schema},
    wire::Process,
    write::{BATCH_ROWS, LOOK_IN, Work, not_tried},
};
use crate::spans::Spans;

/// From so many waiting rows on an import is cheaper: fewer take less than a second of the allowance for contacts, and
/// asking for an import's end costs from the small one for everything else.
pub const ROWS_MIN: usize = 1_000;

/// Rows of one write.
pub const ROWS_MAX: usize = 10_000;

/// Bytes of one import: 10 MB are allowed, 8 MB advised (API description, read 2026-11-21).
const BYTES_MAX: usize = 8_000_000;

/// Imports of one write; the rest is left to the next.
const IMPORTS_MAX: usize = 10;

/// A group of updates that fit into one batch call gain nothing by an import.
const GROUP_MIN: usize = BATCH_ROWS;

/// How often an import's end is asked for: an account has 100 such calls an hour, for all programs together.
const ASK_IN: Duration = Duration::from_secs(60);

/// What an import sets for all of its rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    creates: bool,
    /// The names of all attributes of each row, where blanks empty a field: whether an attribute that a row does not
    /// name counts as blank then is not documented, so that no row may lack any.
    erases: Option<Vec<String>>,
    email_out: bool,
    sms_out: bool,
    lists: BTreeSet<u64>,
}

/// What is to be remembered until the imports have ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ticket {
    imports: Vec<Running>,
    /// Rows that were taken another way.
    taken: Spans,
    /// Rows of which nobody knows.
    unsure: Spans,
    /// Rows that could not be sent as they are. All others were left for another write.
    unfit: Spans,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    process: u64,
    rows: Spans,
}

/// Begins imports into a list, and writes beside them what cannot be imported.
pub async fn write(mut work: Work<'_>, list: u64) -> Result<Answered<Written>, Error> {
    let (groups, others) = grouped(&work);
    let unfit = Spans::of((0..work.rows.len()).filter(|place| work.outcomes[*place].is_some()));
    let mut imports: Vec<Running> = Vec::new();
    for (group, places) in groups {
        for part in parts(&work, &group, &places) {
            if work.halted.is_some() || imports.len() >= IMPORTS_MAX {
                break;
            }
            match work.api.import(body(&group, list, &part)).await {
                Ok(process) => {
                    imports.push(Running { process, rows: Spans::of(part.places.iter().copied()) });
                    work.done(&part.places, &RowOutcome::Taken { look_in: LOOK_IN });
                }
                Err(error) => work.failed(&part.places, error),
            }
        }
    }
    work.updates(&others).await;
    if imports.is_empty() {
        companies::tie(&mut work).await;
        return work.finish();
    }
    let mut ticket = Ticket { imports, unfit, ..Ticket::default() };
    let imported: BTreeSet<usize> =
        ticket.imports.iter().flat_map(|import| import.rows.places(work.rows.len())).collect();
    let told = |wanted: fn(&RowOutcome) -> bool| {
        let places = work.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.as_ref().is_some_and(wanted));
        Spans::of(places.map(|(place, _)| place).filter(|place| !imported.contains(place)))
    };
    ticket.taken = told(|outcome| matches!(outcome, RowOutcome::Taken { .. } | RowOutcome::Done { .. }));
    ticket.unsure = told(|outcome| matches!(outcome, RowOutcome::Unknown(_)));
    Ok(Answered { value: later(&work.api, &ticket)?, calls: work.api.calls(), usage: None })
}

fn later(api: &Api<'_>, ticket: &Ticket) -> Result<Written, Error> {
    let ticket = serde_json::to_string(ticket)
        .map_err(|_| api.0.error(ErrorKind::Configuration, Retry::Never, "the ticket cannot be written down"))?;
    Ok(Written::Later { ticket, ask_in: ASK_IN })
}

/// The rows that can be imported, by group, and updates that cannot. Deletions stay for a smaller write.
fn grouped(work: &Work<'_>) -> (BTreeMap<Group, Vec<usize>>, Vec<usize>) {
    let (mut groups, mut others) = (BTreeMap::<Group, Vec<usize>>::new(), Vec::new());
    for (place, row) in work.rows.iter().enumerate().filter(|(place, _)| work.outcomes[*place].is_none()) {
        match (group(row, &work.drafts[place]), &row.op) {
            (Some(group), _) => groups.entry(group).or_default().push(place),
            (None, Op::Update { .. }) => others.push(place),
            (None, Op::Create { .. } | Op::Delete { .. }) => {}
        }
    }
    groups.retain(|group, places| {
        let is_worth_it = group.creates || places.len() >= GROUP_MIN;
        if !is_worth_it {
            others.append(places);
        }
        is_worth_it
    });
    others.sort_unstable();
    (groups, others)
}

fn group(row: &RowWrite, draft: &Draft) -> Option<Group> {
    let out = |flag: Option<bool>| flag == Some(true);
    let group = Group {
        creates: matches!(row.op, Op::Create { .. }),
        erases: None,
        email_out: out(draft.email_out),
        sms_out: out(draft.sms_out),
        lists: draft.lists.clone().unwrap_or_default(),
    };
    match &row.op {
        Op::Create { .. } => Some(group),
        Op::Delete { .. } => None,
        Op::Update { .. } => {
            let moves = draft.email.is_some() || draft.key.is_some() || draft.lists.is_some() || draft.ties_only();
            let opts_in = draft.email_out == Some(false) || draft.sms_out == Some(false);
            let is_known = known_by(row).is_some();
            let names = || draft.attributes.keys().cloned().collect::<BTreeSet<String>>().into_iter().collect();
            let erases = draft.blanks().next().is_some().then(names);
            (!moves && !opts_in && is_known).then_some(Group { erases, ..group })
        }
    }
}

/// Key and address of a contact that was just seen with both.
fn known_by(row: &RowWrite) -> Option<(&str, &str)> {
    let seen = row.seen.as_ref()?;
    let Value::Text(email) = seen.fields.get(EMAIL)? else { return None };
    Some((seen.key.as_ref()?.as_str(), email))
}

/// Rows that go together.
struct Part {
    places: Vec<usize>,
    /// As JSON, divided by commas.
    rows: String,
}

/// A group's rows, divided where they grow too large.
fn parts(work: &Work<'_>, group: &Group, places: &[usize]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for place in places {
        let row = import_row(&work.rows[*place], &work.drafts[*place], group).to_string();
        match parts.last_mut() {
            Some(part) if part.rows.len() + row.len() < BYTES_MAX => {
                part.rows.push(',');
                part.rows.push_str(&row);
                part.places.push(*place);
            }
            _ => parts.push(Part { places: vec![*place], rows: row }),
        }
    }
    parts
}

fn import_row(row: &RowWrite, draft: &Draft, group: &Group) -> Json {
    let blank = |value: &Json| value.as_str() == Some("");
    let wanted = draft.attributes.iter().filter(|(_, value)| !group.creates || !blank(value));
    let mut attributes: Map<String, Json> = wanted.map(|(name, value)| (name.clone(), value.clone())).collect();
    let (key, email) = match &row.op {
        Op::Create { key } => (Some(key.as_str()), draft.email.as_deref()),
        Op::Update { .. } | Op::Delete { .. } => {
            known_by(row).map(|(key, email)| (Some(key), Some(email))).unwrap_or_default()
        }
    };
    attributes.extend(key.map(|key| (EXT_ID.to_owned(), json!(key))));
    let mut out = Map::new();
    out.extend(email.map(|email| ("email".to_owned(), json!(email))));
    out.insert("attributes".to_owned(), Json::Object(attributes));
    Json::Object(out)
}

fn body(group: &Group, list: u64, part: &Part) -> Bytes {
    let mut lists = group.lists.clone();
    lists.insert(list);
    let flags = json!({
        "listIds": lists,
        // A contact that is there already stays as it is: whose it is has to be decided first.
        "updateExistingContacts": !group.creates,
        "emptyContactsAttributes": group.erases.is_some(),
        "emailBlacklist": group.email_out,
        "smsBlacklist": group.sms_out,
        "disableNotification": true,
    });
    let flags = flags.to_string();
    Bytes::from(format!("{},\"jsonBody\":[{}]}}", flags.trim_end_matches('}'), part.rows))
}

/// Asks for the imports of a write.
pub async fn collect(cx: &Cx<'_>, ticket: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let mut api = Api::new(cx, "collect");
    let mut ticket: Ticket = serde_json::from_str(ticket)
        .map_err(|_| api.0.error(ErrorKind::Configuration, Retry::Never, "the stored ticket is not one of Brevo's"))?;
    let mut outcomes = vec![RowOutcome::Refused(not_tried(api.0.op)); rows.len()];
    let mut still = Vec::new();
    for import in std::mem::take(&mut ticket.imports) {
        // The allowance is small: where one is not ready, the others are not asked for.
        let process = if still.is_empty() { api.process(import.process).await? } else { None };
        match process {
            _ if !still.is_empty() => still.push(import),
            None => ticket.unsure.extend(import.rows),
            Some(process) => match ended(&process) {
                None => still.push(import),
                Some(false) => ticket.unsure.extend(import.rows),
                Some(true) => {
                    let places: Vec<usize> = import.rows.places(rows.len()).collect();
                    for (place, outcome) in places.iter().zip(told(api.0.op, rows, &places, &process)) {
                        outcomes[*place] = outcome;
                    }
                    if still.is_empty() {
                        ticket.imports.push(import);
                    }
                }
            },
        }
    }
    if !still.is_empty() {
        ticket.imports.extend(still);
        let written = later(&api, &ticket)?;
        return Ok(Answered { value: written, calls: api.calls(), usage: None });
    }
    for place in ticket.taken.places(rows.len()) {
        outcomes[place] = RowOutcome::Taken { look_in: LOOK_IN };
    }
    for place in ticket.unsure.places(rows.len()) {
        outcomes[place] = RowOutcome::Unknown(api.0.error(
            ErrorKind::UnknownOutcome,
            Retry::Backoff,
            "Brevo does not tell what became of the import",
        ));
    }
    refuse_unfit(&mut api, rows, &ticket.unfit, &mut outcomes).await?;
    Ok(Answered { value: Written::Rows(outcomes), calls: api.calls(), usage: None })
}

/// Says of rows that were never sent why they cannot be.
async fn refuse_unfit(
    api: &mut Api<'_>,
    rows: &[RowWrite],
    unfit: &Spans,
    outcomes: &mut [RowOutcome],
) -> Result<(), Error> {
    let places: Vec<usize> = unfit.places(rows.len()).collect();
    if places.iter().any(|place| needs_schema(&rows[*place])) {
        let schema = api.schema().await?;
        for place in places {
            if let Err(error) = draft(api.0.op, &rows[place], &schema) {
                outcomes[place] = RowOutcome::Refused(error);
            }
        }
    }
    Ok(())
}

/// Whether the process has ended, and well.
fn ended(process: &Process) -> Option<bool> {
    match process.status.as_str() {
        "completed" => Some(true),
        "failed" | "cancelled" => Some(false),
        _ => None,
    }
}

/// What an import's end tells of its rows. Failures are told as a number, as a list or as a file; only a list names the
/// rows, so that all others have to be looked at.
fn told(op: &'static str, rows: &[RowWrite], places: &[usize], process: &Process) -> Vec<RowOutcome> {
    let import = process.info.as_ref().and_then(|info| info.import.as_ref());
    let mut failures: BTreeMap<String, Error> = BTreeMap::new();
    for (name, listed) in import.into_iter().flatten() {
        let entries = listed.as_array().into_iter().flatten().filter_map(Json::as_str);
        failures.extend(entries.map(|entry| (entry.to_lowercase(), failure(op, name))));
    }
    let outcome = |place: &usize| {
        let named = names(&rows[*place]).into_iter().find_map(|name| failures.get(&name.to_lowercase()));
        named.map_or(RowOutcome::Taken { look_in: LOOK_IN }, |error| RowOutcome::Refused(error.clone()))
    };
    places.iter().map(outcome).collect()
}

/// What a list of failures may call a row.
fn names(row: &RowWrite) -> Vec<&str> {
    let own = row.fields.iter().filter(|(name, _)| name == EMAIL || name == "SMS");
    let mut names: Vec<&str> = own.filter_map(|(_, value)| value.as_text()).collect();
    match &row.op {
        Op::Create { key } => names.push(key.as_str()),
        Op::Update { .. } | Op::Delete { .. } => {
            names.extend(known_by(row).map(|(key, email)| [key, email]).into_iter().flatten())
        }
    }
    names
}

fn failure(op: &'static str, name: &str) -> Error {
    if name == "invalid_emails" {
        let mut error = Error::new(ErrorKind::Invalid, Retry::Never, op, "Brevo does not take the e-mail address");
        error.fields = vec![Field::Native(EMAIL.to_owned())];
        return error;
    }
    classify::held_by_another(op)
}
