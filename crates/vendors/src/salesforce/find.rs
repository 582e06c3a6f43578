//! Look-ups: questions become queries, five of them share a call, and rows go back to the question that asked. A failed
//! query fails everything: a row that is missing for want of an answer would be taken for a person nobody knows.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use syncline_connect::{Answered, Cx, Error, ErrorKind, Find, Retry, Usage, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Field, Record, Role, Std, Value},
};

use super::{
    api, convert, id,
    manifest::{Holds, holds},
    query::{self, NoPage},
    settings::Org,
    soql::{ApiName, Condition, Literal, Select, percent_encoded},
    wire::{ErrorRow, QueryPage, SubAnswer, SubRequest},
};

/// Queries in one composite call (of its 25 sub-requests, five may be queries).
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm>
pub const QUERIES_PER_CALL: usize = 5;

/// Values in one query: at 80 characters an address, well within the length of a statement.
pub const VALUES_PER_QUERY: usize = 400;

/// Characters of values in one query: a statement may have 100,000.
/// <https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/>
pub const VALUE_CHARS_PER_QUERY: usize = 60_000;

/// Pages of one query that are followed, of up to 2,000 rows each. More rows for 400 values are no answer to a question
/// about people.
pub const PAGES_MAX: usize = 25;

const OP: &str = "find";

/// Answers all questions.
pub async fn find(cx: &Cx<'_>, finds: &[Find]) -> Result<Answered<Vec<Vec<Record>>>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let mut open = VecDeque::from(asks(&org, finds)?);
    let mut found = vec![Found::default(); finds.len()];
    let (mut calls, mut usage) = (0, None::<Usage>);
    while !open.is_empty() {
        let round: Vec<Ask> = open.drain(..open.len().min(QUERIES_PER_CALL)).collect();
        let requests = round.iter().enumerate().map(|(at, ask)| ask.request(at)).collect();
        let (answer, used) = api::composite(cx, &org, requests).await?;
        calls += 1;
        usage = used.or(usage);
        for (at, ask) in round.into_iter().enumerate() {
            let find = &finds[ask.find];
            let page = match page_of(&answer.composite_response, at, find) {
                Err(error) if error.kind == ErrorKind::Field && ask.without_marks.is_some() => {
                    open.extend(ask.again_without_marks());
                    continue;
                }
                page => page?,
            };
            for row in &page.records {
                found[ask.find].add(&org, find, row, ask.invited)?;
            }
            open.extend(ask.next(&org, &page)?);
        }
    }
    Ok(Answered { value: found.into_iter().map(Found::in_order).collect(), calls, usage })
}

/// One query, or the rest of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Whose question it is, by position.
    find: usize,
    pub url: String,
    pages: usize,
    rows: usize,
    /// The same question about attendees without the two marks that tell invited from related.
    without_marks: Option<String>,
    /// Whether the org has no such marks: an event has one person there, and whoever else attends is invited.
    invited: bool,
}

impl Ask {
    fn request(&self, at: usize) -> SubRequest {
        SubRequest { method: "GET", url: self.url.clone(), reference_id: reference(at), http_headers: None, body: None }
    }

    /// The org refused the marks as unknown: everyone who attends is invited there.
    /// <https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_eventrelation.htm>,
    /// read 2026-11.
    fn again_without_marks(self) -> Option<Ask> {
        Some(Ask { url: self.without_marks?, without_marks: None, invited: true, ..self })
    }

    /// What is still to be asked after this page.
    fn next(self, org: &Org, page: &QueryPage) -> Result<Option<Ask>, Error> {
        let (pages, rows) = (self.pages + 1, self.rows + page.records.len());
        if page.done {
            let whole = page.total_size == rows;
            return if whole { Ok(None) } else { Err(protocol("a query's answer lacks rows")) };
        }
        if pages >= PAGES_MAX {
            return Err(protocol("a query has more rows than are ever followed"));
        }
        let url = page.next_records_url.clone().filter(|url| is_next_page(org, url));
        let url = url.ok_or_else(|| protocol("a query's answer does not say where it goes on"))?;
        Ok(Some(Ask { url, pages, rows, without_marks: None, ..self }))
    }
}

/// Whether the address is one of a next page and nothing else: it will be called with our token.
pub fn is_next_page(org: &Org, url: &str) -> bool {
    let rest = url.strip_prefix(&org.root());
    let locator = rest.and_then(|rest| rest.strip_prefix("/query/").or_else(|| rest.strip_prefix("/queryAll/")));
    locator.is_some_and(|locator| {
        !locator.is_empty() && locator.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// The rows of one question, each once, in the order of their making.
#[derive(Debug, Clone, Default)]
struct Found(BTreeMap<RecordId, (Timestamp, Record)>);

impl Found {
    fn add(&mut self, org: &Org, find: &Find, row: &Map<String, Json>, invited: bool) -> Result<(), Error> {
        let mut record = convert::record(org, find.role, &wanted_fields(find), row).map_err(protocol)?;
        if find.role == Role::Attendee && !attends(&record) {
            return Ok(());
        }
        if invited {
            record.fields.insert(Std::Invited.into(), Value::Bool(true));
            record.fields.insert(Std::Related.into(), Value::Bool(false));
        }
        let created_at = convert::created_at(row).ok_or_else(|| protocol("a row does not say when it was made"))?;
        self.0.insert(record.id.clone(), (created_at, record));
        Ok(())
    }

    fn in_order(self) -> Vec<Record> {
        let mut rows: Vec<_> = self.0.into_values().collect();
        // Stable: rows of the same moment stay in the order of their ids.
        rows.sort_by_key(|(created_at, _)| *created_at);
        rows.into_iter().map(|(_, record)| record).collect()
    }
}

/// Whether the row is somebody's place in the meeting. Rows of the same object tie the meeting to what it is about, and
/// to rooms and the like.
fn attends(record: &Record) -> bool {
    let whom = record.fields.get(&Field::Std(Std::Attends)).and_then(Value::as_text).and_then(id::identify);
    whom.is_some_and(|(role, _)| matches!(role, Role::Contact | Role::Lead | Role::User))
}

/// The queries that answer all questions.
pub fn asks(org: &Org, finds: &[Find]) -> Result<Vec<Ask>, Error> {
    let mut asks = Vec::new();
    for (at, find) in finds.iter().enumerate() {
        let resource = if is_trace(find)? { "queryAll" } else { "query" };
        let url = |select: &Select| format!("{}/{resource}?q={}", org.root(), percent_encoded(&select.to_string()));
        for select in selects(org, find)? {
            let marked = find.role == Role::Attendee && select.fields.iter().any(is_mark);
            let without_marks = marked.then(|| {
                let fields = select.fields.iter().filter(|name| !is_mark(name)).cloned().collect();
                url(&Select { fields, ..select.clone() })
            });
            asks.push(Ask { find: at, url: url(&select), pages: 0, rows: 0, without_marks, invited: false });
        }
    }
    Ok(asks)
}

/// Whether the field tells invited from related.
fn is_mark(name: &ApiName) -> bool {
    let marks = [Std::Invited, Std::Related].map(|std| convert::spec(Role::Attendee).field(std));
    marks.into_iter().flatten().any(|mark| mark.name == name.as_str())
}

/// Whether the question is about what became of records. Such a question stands alone: its answer has other rows.
fn is_trace(find: &Find) -> Result<bool, Error> {
    let traces = find.any.iter().filter(|wanted| matches!(wanted, Wanted::Traces(_))).count();
    if traces > 0 && traces < find.any.len() {
        let message = "traces of records cannot be asked for together with anything else";
        return Err(Error::new(ErrorKind::Configuration, Retry::Never, OP, message));
    }
    Ok(traces > 0)
}

/// The fields to bring along, and those without which the rows tell nothing: of an attendee who it is, of a trace what
/// became of the record.
fn wanted_fields(find: &Find) -> Vec<Field> {
    let traced = find.any.iter().any(|wanted| matches!(wanted, Wanted::Traces(_)));
    let further = [
        (find.role == Role::Attendee, Std::Attends),
        (traced, Std::Deleted),
        (traced, Std::MergedInto),
        (traced, Std::Converted),
        (traced, Std::ConvertedContact),
        (traced, Std::ConvertedAccount),
    ];
    let spec = convert::spec(find.role);
    let mut fields = find.fields.clone();
    for (_, std) in further.into_iter().filter(|(wanted, std)| *wanted && spec.field(*std).is_some()) {
        if !fields.contains(&std.into()) {
            fields.push(std.into());
        }
    }
    fields
}

/// The queries that answer one question: none where nothing could match.
pub fn selects(org: &Org, find: &Find) -> Result<Vec<Select>, Error> {
    let name = |field: &Field| convert::api_name(org, find.role, field).map_err(|why| unusable(field, why));
    let mut fields = vec![ApiName::fixed("Id"), ApiName::fixed("CreatedDate")];
    for field in &wanted_fields(find) {
        let name = name(field)?;
        if !fields.contains(&name) {
            fields.push(name);
        }
    }
    let mut values = Vec::new();
    for wanted in &find.any {
        values.extend(matches(org, find.role, wanted)?);
    }
    let all = own(find.role);
    let object = convert::object_name(find.role, find.object.as_ref())
        .map_err(|why| Error::new(ErrorKind::Configuration, Retry::Never, OP, why))?;
    let chunks = chunked(values);
    Ok(chunks
        .into_iter()
        .map(|any| Select { object: object.clone(), fields: fields.clone(), any, all: all.clone() })
        .collect())
}

/// What rows of the object meet that play the role: an invitation to a user makes a child of the event, which is the
/// same meeting once more.
pub fn own(role: Role) -> Vec<Condition> {
    match role {
        Role::Meeting => vec![Condition::Is(ApiName::fixed("IsChild"), Literal::Bool(false))],
        _ => Vec::new(),
    }
}

/// One value that a row may match.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Match {
    Equals(ApiName, String),
    EndsWith(ApiName, String),
}

/// The values of one criterion. A blank is left out: a query would take it for "has none". So is what cannot be an id
/// of the role: no record has it.
fn matches(org: &Org, role: Role, wanted: &Wanted) -> Result<Vec<Match>, Error> {
    let name = |std: Std| convert::api_name(org, role, &std.into()).map_err(|why| unusable(&std.into(), why));
    Ok(match wanted {
        Wanted::Ids(ids) | Wanted::Traces(ids) => {
            let sound = ids.iter().filter_map(|id| id::of(role, id.as_str()));
            sound.map(|id| Match::Equals(ApiName::fixed("Id"), id.as_str().to_owned())).collect()
        }
        Wanted::Is(std, texts) => {
            let name = name(*std)?;
            let texts: Vec<String> = match holds(*std) {
                Holds::Line | Holds::Email => {
                    texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned).collect()
                }
                Holds::Reference => {
                    texts.iter().filter_map(|id| id::canonical(id)).map(|id| id.as_str().to_owned()).collect()
                }
                _ => return Err(unusable(&(*std).into(), "cannot be looked up by its text")),
            };
            texts.into_iter().map(|text| Match::Equals(name.clone(), text)).collect()
        }
        Wanted::EmailDomain(domains) => {
            let name = name(Std::Email)?;
            let domains = domains.iter().map(|domain| domain.trim()).filter(|domain| !domain.is_empty());
            domains.map(|domain| Match::EndsWith(name.clone(), format!("@{domain}"))).collect()
        }
    })
}

/// Packs values into as few queries as the limits allow, the values of a field side by side.
fn chunked(matches: Vec<Match>) -> Vec<Vec<Condition>> {
    let mut chunks: Vec<Vec<Condition>> = Vec::new();
    let (mut count, mut chars) = (VALUES_PER_QUERY, 0);
    for one in matches {
        let (Match::Equals(_, text) | Match::EndsWith(_, text)) = &one;
        let length = text.chars().count();
        if count >= VALUES_PER_QUERY || chars + length > VALUE_CHARS_PER_QUERY {
            chunks.push(Vec::new());
            (count, chars) = (0, 0);
        }
        (count, chars) = (count + 1, chars + length);
        let conditions = chunks.last_mut().expect("the first value opens a chunk");
        match one {
            Match::EndsWith(name, text) => conditions.push(Condition::EndsWith(name, text)),
            Match::Equals(name, text) => match conditions.iter_mut().find_map(|condition| match condition {
                Condition::In(field, literals) if *field == name => Some(literals),
                _ => None,
            }) {
                Some(literals) => literals.push(Literal::Text(text)),
                None => conditions.push(Condition::In(name, vec![Literal::Text(text)])),
            },
        }
    }
    chunks
}

fn page_of(answers: &[SubAnswer], at: usize, find: &Find) -> Result<QueryPage, Error> {
    query::page_of(OP, answers, &reference(at)).map_err(|none| {
        let NoPage { mut error, rows } = *none;
        error.fields = fields_named(&rows, find);
        error
    })
}

/// The org's own fields that an error names: one that was deleted or renamed there.
fn fields_named(rows: &[ErrorRow], find: &Find) -> Vec<Field> {
    let named = |field: &&Field| match field {
        Field::Native(name) => rows.iter().any(|row| row.names(name)),
        Field::Std(_) => false,
    };
    find.fields.iter().filter(named).cloned().collect()
}

fn reference(at: usize) -> String {
    format!("q{at}")
}

fn unusable(field: &Field, why: &str) -> Error {
    let mut error = Error::new(ErrorKind::Configuration, Retry::Never, OP, format!("the field {field} {why}"));
    error.fields = vec![field.clone()];
    error
}

fn protocol(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, OP, what)
}
