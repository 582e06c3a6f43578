//! Companies: the way through their pages, and the contacts that belong to them. What they share with deals is in `crm`.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Cx, Error, ErrorKind, Retry, Settings,
    mirror::{Ask, Changes, From, KindSpec, Op, RowOutcome},
};
use syncline_core::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    record::{Field, Role},
};

use super::{
    api::Api,
    crm::{OVERLAP, Object, PAGE, SKEW, before},
    wire::CrmRecord,
    write::{BATCH_ROWS, Work},
};

pub const COMPANY: &str = "company";

/// The field of a contact that names its company. Contacts have none of this name: the company is told.
pub const OF_CONTACT: &str = "linkedCompaniesIds";

const CREATED_AT: &str = "created_at";

pub const COMPANIES: Object = Object {
    plural: "companies",
    path: &["companies"],
    attributes: "companies",
    name: "name",
    created: CREATED_AT,
    changed: "last_updated_at",
    // A number to call takes its country's code beside it, and how it comes back is not documented.
    read_only: &[CREATED_AT, "number_of_contacts", "number_of_activities", "owner_assign_date", "phone_number"],
    key_setting: "company_key",
    ties: &[],
};

pub const KIND: KindSpec = KindSpec {
    name: COMPANY,
    role: Role::Account,
    email: None,
    phone: None,
    one_per_email: false,
    created: Some(CREATED_AT),
    opt_out: None,
    sets: &[],
    can_create: true,
    can_delete: true,
    shows_deleted: false,
    reads_at_once: 0,
    // Six looks an hour of the hundred calls that everything but contacts may take.
    every: Duration::from_secs(600),
};

/// What companies are in this account.
pub async fn describe(api: &mut Api<'_>, settings: &Settings) -> Result<ObjectDescription, Error> {
    let attributes = COMPANIES.attributes(api, settings).await?;
    Ok(ObjectDescription {
        name: COMPANY.to_owned(),
        label: "Company".to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields: COMPANIES.fields(&attributes, COMPANIES.key(settings)),
    })
}

/// The field by which a contact names its company.
pub fn of_contact() -> FieldDescription {
    let refers_to = vec![COMPANY.to_owned()];
    let label = "The company that they belong to";
    FieldDescription { refers_to, ..FieldDescription::plain(label, FieldKind::Reference) }
}

/// Where the reading stopped.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// Nothing that changed last before this is of interest; where it is missing, everything is.
    since: Option<Timestamp>,
    run: Option<Run>,
}

/// A run through the pages. Where the next one begins is told by when the last company of this one was made, so that
/// nothing moves when others go: what `page` counts is documented in two ways. It only counts where more companies were made
/// in one millisecond than a page holds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    began: Timestamp,
    /// When the last company that was read was made.
    made: Option<Timestamp>,
    page: u64,
}

/// The next page of companies, in the order of their making.
pub async fn changes(cx: &Cx<'_>, api: &mut Api<'_>, ask: &Ask<'_>) -> Result<Changes, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, "changes", what);
    let cursor: Cursor = match ask.start {
        From::Beginning => Cursor::default(),
        From::Since(since) => Cursor { since: Some(before(since, OVERLAP)), run: None },
        From::Cursor(text) => {
            serde_json::from_str(text).map_err(|_| wrong("the stored cursor is not one of Brevo's companies"))?
        }
    };
    let (made, page) = cursor.run.map_or((None, 1), |run| (run.made, run.page));
    let mut query = vec![("limit", PAGE.to_string()), ("sort", "asc".to_owned())];
    query.extend(cursor.since.map(|since| ("modifiedSince", format!("{since:.3}"))));
    // Those made in the same moment come again, whether or not "after" means it too.
    query.extend(made.map(|made| ("createdSince", format!("{:.3}", before(made, SignedDuration::from_millis(1))))));
    query.extend((page > 1).then(|| ("page", page.to_string())));
    let (companies, date) = api.crm_page(COMPANIES.path, &query).await?;
    let began = cursor.run.map(|run| run.began).or(date).unwrap_or_else(|| before(cx.now, SKEW));
    let is_end = companies.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
    let last = companies.iter().filter_map(|company| COMPANIES.made_at(company)).max();
    let next = match is_end {
        true => Cursor { since: Some(before(began, OVERLAP)), run: None },
        false if last > made => Cursor { since: cursor.since, run: Some(Run { began, made: last, page: 1 }) },
        false => Cursor { since: cursor.since, run: Some(Run { began, made, page: page + 1 }) },
    };
    let cursor = serde_json::to_string(&next).map_err(|_| wrong("the cursor cannot be written down"))?;
    let key = COMPANIES.key(cx.settings);
    let is_fresh =
        |company: &&CrmRecord| made.is_none_or(|made| COMPANIES.made_at(company).is_none_or(|at| at >= made));
    let rows = companies.iter().filter(is_fresh).map(|company| COMPANIES.seen(company, key, ask.fields)).collect();
    Ok(Changes { rows, cursor, more: !is_end, ask_in: Duration::ZERO })
}

/// The contacts of one write that come to a company, and those that leave it.
#[derive(Debug, Clone, Default)]
struct Linking {
    joined: Vec<Tied>,
    parted: Vec<Tied>,
}

/// A contact of a write: which row it is, and its number.
type Tied = (usize, u64);

/// Tells companies which contacts of a write belong to them by now and which do not any more, a call for each company.
/// What Brevo took and has not said to be done is left: it is looked at, and then told by another write.
pub async fn tie(work: &mut Work<'_>) {
    for (company, linking) in linkings(work) {
        let mut waiting = parts(&linking);
        while let Some(part) = waiting.pop() {
            let said = match work.halted.clone() {
                Some(halted) => Err(halted),
                None => work.api.crm_link(COMPANIES.path, &company, body(&part)).await,
            };
            let several = part.joined.len() + part.parted.len() > 1;
            match said {
                Ok(()) => work.is_heard = true,
                // Which of them it is refused for is not told.
                Err(error) if several && !error.meets_every_call() && error.kind != ErrorKind::Gone => {
                    waiting.extend(singly(&part));
                }
                Err(error) => failed(work, &part, error),
            }
        }
    }
}

fn linkings(work: &Work<'_>) -> BTreeMap<String, Linking> {
    let mut linkings: BTreeMap<String, Linking> = BTreeMap::new();
    for (place, (draft, outcome)) in work.drafts.iter().zip(&work.outcomes).enumerate() {
        let Some(RowOutcome::Done { id }) = outcome else { continue };
        let (Some(ties), Ok(contact)) = (&draft.company, id.as_str().parse::<u64>()) else { continue };
        if let Some(company) = ties.linked.as_ref().and_then(Json::as_str) {
            linkings.entry(company.to_owned()).or_default().joined.push((place, contact));
        }
        if let Some(company) = ties.unlinked.as_ref().and_then(Json::as_str) {
            linkings.entry(company.to_owned()).or_default().parted.push((place, contact));
        }
    }
    linkings
}

/// How many one call may name is not documented.
fn parts(linking: &Linking) -> Vec<Linking> {
    if linking.joined.len() + linking.parted.len() <= BATCH_ROWS {
        return vec![linking.clone()];
    }
    let joined = linking.joined.chunks(BATCH_ROWS).map(|some| Linking { joined: some.to_vec(), parted: Vec::new() });
    let parted = linking.parted.chunks(BATCH_ROWS).map(|some| Linking { joined: Vec::new(), parted: some.to_vec() });
    joined.chain(parted).collect()
}

fn singly(part: &Linking) -> impl Iterator<Item = Linking> {
    let joined = part.joined.iter().map(|tied| Linking { joined: vec![*tied], parted: Vec::new() });
    joined.chain(part.parted.iter().map(|tied| Linking { joined: Vec::new(), parted: vec![*tied] }))
}

fn body(part: &Linking) -> Map<String, Json> {
    let ids = |tied: &[Tied]| json!(tied.iter().map(|(_, contact)| contact).collect::<Vec<_>>());
    let named = [("linkContactIds", &part.joined), ("unlinkContactIds", &part.parted)];
    let named = named.into_iter().filter(|(_, tied)| !tied.is_empty());
    named.map(|(name, tied)| (name.to_owned(), ids(tied))).collect()
}

/// What became of rows whose contacts could not be linked. A contact that was written with more is written all the same: it
/// is looked at, and its company told once more.
fn failed(work: &mut Work<'_>, part: &Linking, mut error: Error) {
    if error.meets_every_call() {
        let is_unsure = error.kind == ErrorKind::UnknownOutcome;
        let kind = if is_unsure { ErrorKind::Unavailable } else { error.kind };
        work.halted = Some(Error { kind, ..error.clone() });
        work.is_heard |= is_unsure;
    } else {
        (error.kind, error.retry) = (ErrorKind::Invalid, Retry::Never);
        error.fields = vec![Field::Native(OF_CONTACT.to_owned())];
        error.message = "Brevo does not link the contact with its company; either may be gone".to_owned();
    }
    let is_refused = error.kind == ErrorKind::Invalid;
    // Whoever leaves a company that is gone has left it.
    let parted = part.parted.iter().filter(|_| !is_refused);
    for (place, _) in part.joined.iter().chain(parted) {
        let alone = matches!(work.rows[*place].op, Op::Update { .. }) && work.drafts[*place].ties_only();
        work.outcomes[*place] = Some(match alone && error.kind != ErrorKind::UnknownOutcome {
            true => RowOutcome::Refused(error.clone()),
            false => RowOutcome::Unknown(error.clone()),
        });
    }
}
