//! Whom the records of a batch belong to: associations, made and parted a hundred to a call. Both may be sent twice, and what
//! people associate besides stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use syncline_connect::{
    Cx, Error, ErrorKind, Retry, Usage,
    mirror::{Op, RowOutcome, RowWrite},
};
use syncline_core::record::{Field, Value};

use crate::hubspot::{
    api::{self, Written},
    batch::{self, OP},
    classify,
    convert::is_id,
    manifest::ROWS_PER_BATCH,
    roles::ASSOCIATION,
    wire::Ties,
};

/// What the calls were.
#[derive(Default)]
pub struct Told {
    pub calls: u32,
    pub usage: Option<Usage>,
}

/// What is to be done about one row's association with records of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    /// First, because a record without any may be missed meanwhile.
    Join,
    Part,
}

/// An association: of which row, and with whom.
struct Tie {
    at: usize,
    from: String,
    to: String,
}

/// Whether a row says whom its record belongs to.
pub fn has(row: &RowWrite) -> bool {
    row.fields.iter().any(|(name, _)| name.starts_with(ASSOCIATION))
}

/// Associates the records that were written with whom they belong to, and parts them from whom they belonged to before.
/// `Err` only where nothing was sent before and the first call was refused as a whole.
pub async fn write(
    cx: &Cx<'_>,
    kind: &str,
    rows: &[RowWrite],
    outcomes: &mut [RowOutcome],
    is_first: bool,
) -> Result<Told, Error> {
    let mut told = Told::default();
    for ((to, verb), ties) in wanted(rows, outcomes) {
        for part in ties.chunks(ROWS_PER_BATCH) {
            let answer = send(cx, kind, &to, verb, part).await;
            told.calls += 1;
            let doubt = |reason: &str| batch::unknown(format!("whether it was associated is unknown: {reason}"));
            match answer {
                Err(error) if is_first && told.calls == 1 => return Err(error),
                Err(error) => part.iter().for_each(|tie| refuse(rows, outcomes, tie, &to, &error)),
                Ok(Written::Refused { error, .. }) if is_first && told.calls == 1 && !is_about_rows(&error) => {
                    return Err(error);
                }
                Ok(Written::Refused { error, .. }) => {
                    part.iter().for_each(|tie| refuse(rows, outcomes, tie, &to, &error));
                }
                Ok(Written::Unknown { reason }) => part.iter().for_each(|tie| outcomes[tie.at] = doubt(&reason)),
                Ok(Written::Answer(answer)) => {
                    told.usage = answer.usage.or(told.usage);
                    // Who was not associated is parted all the same.
                    if verb == Verb::Join {
                        conclude(rows, outcomes, part, &to, &answer.body);
                    }
                }
            }
        }
    }
    Ok(told)
}

/// The associations of all rows that were written, by the kind of whom they are with.
fn wanted(rows: &[RowWrite], outcomes: &[RowOutcome]) -> BTreeMap<(String, Verb), Vec<Tie>> {
    let mut wanted: BTreeMap<(String, Verb), Vec<Tie>> = BTreeMap::new();
    for (at, (row, outcome)) in rows.iter().zip(outcomes).enumerate() {
        let RowOutcome::Done { id } = outcome else { continue };
        for (name, value) in &row.fields {
            let Some(to) = name.strip_prefix(ASSOCIATION) else { continue };
            let before = row.seen.as_ref().and_then(|seen| record(seen.fields.get(name)?));
            let now = record(value);
            let changes = [(Verb::Join, now.filter(|_| before != now)), (Verb::Part, before.filter(|_| before != now))];
            for (verb, with) in changes {
                if let Some(with) = with {
                    let tie = Tie { at, from: id.as_str().to_owned(), to: with.to_owned() };
                    wanted.entry((to.to_owned(), verb)).or_default().push(tie);
                }
            }
        }
    }
    wanted
}

fn record(value: &Value) -> Option<&str> {
    let id = match value {
        Value::Id(id) => id.as_str(),
        other => other.as_text()?,
    };
    is_id(id).then_some(id)
}

async fn send(cx: &Cx<'_>, kind: &str, to: &str, verb: Verb, part: &[Tie]) -> Result<Written<Ties>, Error> {
    let inputs = |one: fn(&Tie) -> Json| json!({ "inputs": part.iter().map(one).collect::<Vec<_>>() });
    match verb {
        Verb::Join => {
            let body = inputs(|tie| json!({ "from": { "id": tie.from }, "to": { "id": tie.to } }));
            api::associate(cx, kind, to, &body).await
        }
        Verb::Part => {
            let body = inputs(|tie| json!({ "from": { "id": tie.from }, "to": [{ "id": tie.to }] }));
            let nothing = || Ties { results: Vec::new(), errors: Vec::new() };
            Ok(match api::dissociate(cx, kind, to, &body).await? {
                Written::Answer(answer) => {
                    Written::Answer(api::Answer { body: nothing(), usage: answer.usage, at: answer.at })
                }
                Written::Refused { error, refused } => Written::Refused { error, refused },
                Written::Unknown { reason } => Written::Unknown { reason },
            })
        }
    }
}

fn is_about_rows(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Invalid | ErrorKind::Gone | ErrorKind::Field)
}

fn conclude(rows: &[RowWrite], outcomes: &mut [RowOutcome], part: &[Tie], to: &str, answer: &Ties) {
    let id = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let done: BTreeSet<(String, String)> =
        answer.results.iter().filter_map(|tie| Some((id(&tie.from.id)?, id(&tie.to.id)?))).collect();
    let failed = answer.errors.first().map(|refused| classify::of_row(OP, refused, &[]));
    for tie in part.iter().filter(|tie| !done.contains(&(tie.from.clone(), tie.to.clone()))) {
        match &failed {
            Some(error) => refuse(rows, outcomes, tie, to, error),
            None => outcomes[tie.at] = batch::unknown("the answer does not say what became of an association"),
        }
    }
}

/// What became of a row whose record could not be associated. A record that was made is there all the same: it is looked for
/// by its key, and told whom it belongs to once more.
fn refuse(rows: &[RowWrite], outcomes: &mut [RowOutcome], tie: &Tie, to: &str, error: &Error) {
    let mut error = error.clone();
    if is_about_rows(&error) {
        (error.kind, error.retry) = (ErrorKind::Invalid, Retry::Never);
        error.fields = vec![Field::Native(format!("{ASSOCIATION}{to}"))];
        error.message = format!("HubSpot does not associate it with {to} {}, which may be gone", tie.to);
    }
    outcomes[tie.at] = match rows[tie.at].op {
        Op::Create { .. } => RowOutcome::Unknown(error),
        Op::Update { .. } | Op::Delete { .. } => RowOutcome::Refused(error),
    };
}
