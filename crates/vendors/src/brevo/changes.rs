//! Reading: what changed, page by page, and contacts one by one. The way through the pages is in `walk`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Ask, Changes, From, Lookup, Seen},
};
use syncline_core::ids::RecordId;

use super::{
    api::{Api, Name, PAGE},
    companies::{self, COMPANY},
    convert::{EXT_ID, Shown, is_own},
    deals::{self, DEAL},
    import_list,
    walk::{Place, Step, Walk},
    wire::Contact,
};

/// How far before the beginning of the last run the next one begins: what Brevo commits late is still found. A poll's
/// interval and five minutes.
const OVERLAP: SignedDuration = SignedDuration::from_mins(6);

/// How far our own clock may lie from Brevo's, where an answer bears no date.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// How long ago contacts were written that somebody looks after.
const RECENT: SignedDuration = SignedDuration::from_mins(60);

/// From so many contacts on it is asked how many there are in all.
const READ_ALL_FROM: usize = 20;

/// Where the reading stopped.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// Nothing that changed last before this is of interest; where it is missing, everything is.
    since: Option<Timestamp>,
    run: Option<Run>,
}

/// A run through the pages.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// When it began, by Brevo's clock.
    began: Option<Timestamp>,
    walk: Walk,
    /// Whether the account has an attribute that no row of a page showed.
    known: BTreeMap<String, bool>,
}

pub async fn changes(cx: &Cx<'_>, asks: &[Ask<'_>]) -> Result<Answered<Vec<Changes>>, Error> {
    let mut api = Api::new(cx, "changes");
    let mut pages = Vec::with_capacity(asks.len());
    for ask in asks {
        super::check_kind(api.0.op, ask.kind)?;
        pages.push(match ask.kind {
            DEAL => deals::changes(cx, &mut api, ask).await?,
            COMPANY => companies::changes(cx, &mut api, ask).await?,
            _ => page(cx, &mut api, ask).await?,
        });
    }
    Ok(Answered { value: pages, calls: api.calls(), usage: None })
}

async fn page(cx: &Cx<'_>, api: &mut Api<'_>, ask: &Ask<'_>) -> Result<Changes, Error> {
    let mut cursor = match ask.start {
        From::Beginning => Cursor::default(),
        From::Since(since) => Cursor { since: Some(before(since, OVERLAP)), run: None },
        From::Cursor(text) => serde_json::from_str(text).map_err(|_| {
            api.0.error(ErrorKind::Configuration, Retry::Never, "the stored cursor is not one of Brevo's")
        })?,
    };
    let mut run = cursor.run.take().unwrap_or_default();
    let (page, date) = api.contacts(cursor.since, run.walk.offset).await?;
    let began = *run.began.get_or_insert_with(|| date.unwrap_or_else(|| before(cx.now, SKEW)));
    let places: Vec<Place> = page.contacts.iter().map(place).collect();
    let (fresh, more) = match run.walk.take(&places, page.count, PAGE) {
        Step::On { fresh } => (fresh, true),
        Step::End { fresh } => (fresh, false),
        Step::Back => (places.len(), true),
    };
    let contacts = page.contacts.get(fresh..).unwrap_or_default();
    let rows = seen(cx, api, contacts, ask.fields, &mut run.known).await?;
    let cursor = match more {
        true => Cursor { run: Some(run), ..cursor },
        false => Cursor { since: Some(before(began, OVERLAP)), run: None },
    };
    let cursor = serde_json::to_string(&cursor)
        .map_err(|_| api.0.error(ErrorKind::Configuration, Retry::Never, "the cursor cannot be written down"))?;
    Ok(Changes { rows, cursor, more, ask_in: Duration::ZERO })
}

fn place(contact: &Contact) -> Place {
    Place(contact.created_at.as_deref().and_then(|at| at.parse().ok()), contact.id)
}

fn before(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// Contacts by id. There is no way to ask for several at once; but who asks for many has mostly just written them, so
/// those that changed lately are read first, and then all, where either is cheaper than one by one.
pub async fn fetch(cx: &Cx<'_>, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "fetch");
    let mut left: BTreeSet<&str> = ids.iter().map(RecordId::as_str).collect();
    let mut contacts = Vec::new();
    for since in [Some(before(cx.now, RECENT)), None] {
        if left.len() < READ_ALL_FROM {
            break;
        }
        let bears = |contact: &Contact| left.contains(contact.id.to_string().as_str());
        if let Some(found) = all(&mut api, since, left.len(), bears).await? {
            found.iter().for_each(|contact| {
                left.remove(contact.id.to_string().as_str());
            });
            contacts.extend(found);
            if since.is_none() {
                // Whoever was not among all of them is not there.
                left.clear();
            }
        }
    }
    for id in left {
        contacts.extend(api.contact(Name::Id(id)).await?);
    }
    let value = seen(cx, &mut api, &contacts, fields, &mut BTreeMap::new()).await?;
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Contacts by address or key: one by one, or, where that is cheaper, by reading through all of them.
pub async fn find(cx: &Cx<'_>, key: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let wanted: BTreeSet<String> = match key {
        Lookup::Email(emails) => emails.iter().map(|email| email.to_lowercase()).collect(),
        Lookup::Key(keys) => keys.iter().map(|key| key.as_str().to_owned()).collect(),
    };
    let mut read_all = 0;
    if wanted.len() >= READ_ALL_FROM {
        let bears = |contact: &Contact| match key {
            Lookup::Email(_) => contact.email.as_ref().is_some_and(|email| wanted.contains(&email.to_lowercase())),
            Lookup::Key(_) => {
                contact.attributes.get(EXT_ID).and_then(Json::as_str).is_some_and(|key| wanted.contains(key))
            }
        };
        let mut api = Api::new(cx, "find");
        if let Some(contacts) = all(&mut api, None, wanted.len(), bears).await? {
            let value = seen(cx, &mut api, &contacts, fields, &mut BTreeMap::new()).await?;
            return Ok(Answered { value, calls: api.calls(), usage: None });
        }
        read_all = api.calls();
    }
    let names = wanted.iter().map(|name| match key {
        Lookup::Email(_) => Name::Email(name),
        Lookup::Key(_) => Name::Key(name),
    });
    let mut found = one_by_one(cx, "find", names, fields).await?;
    found.calls += read_all;
    Ok(found)
}

/// Those of all contacts, or of those that changed since then, that are wanted; nothing where reading them takes more
/// calls than `calls_max`.
async fn all(
    api: &mut Api<'_>,
    since: Option<Timestamp>,
    calls_max: usize,
    wanted: impl Fn(&Contact) -> bool,
) -> Result<Option<Vec<Contact>>, Error> {
    let (mut walk, mut found) = (Walk::default(), Vec::new());
    for _ in 0..calls_max {
        let (page, _) = api.contacts(since, walk.offset).await?;
        if page.count.div_ceil(PAGE - 1) >= u64::try_from(calls_max).unwrap_or(u64::MAX) {
            return Ok(None);
        }
        let places: Vec<Place> = page.contacts.iter().map(place).collect();
        let step = walk.take(&places, page.count, PAGE);
        if let Step::On { fresh } | Step::End { fresh } = step {
            found.extend(page.contacts.into_iter().skip(fresh).filter(&wanted));
        }
        if matches!(step, Step::End { .. }) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn one_by_one<'n>(
    cx: &Cx<'_>,
    op: &'static str,
    names: impl Iterator<Item = Name<'n>>,
    fields: &[String],
) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, op);
    let mut contacts = Vec::new();
    for name in names {
        contacts.extend(api.contact(name).await?);
    }
    let value = seen(cx, &mut api, &contacts, fields, &mut BTreeMap::new()).await?;
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Contacts as we see them. The account's attributes are only asked for where one of those wanted stands in no row:
/// it may be blank in all of them, or not be there at all.
async fn seen(
    cx: &Cx<'_>,
    api: &mut Api<'_>,
    contacts: &[Contact],
    fields: &[String],
    known: &mut BTreeMap<String, bool>,
) -> Result<Vec<Seen>, Error> {
    let hidden_list = import_list(api.0.op, cx.settings)?;
    let is_shown = |name: &String| contacts.iter().any(|contact| contact.attributes.contains_key(name));
    let absent: Vec<&String> = match contacts {
        [] => Vec::new(),
        _ => fields.iter().filter(|name| is_own(name) && !is_shown(name)).collect(),
    };
    if absent.iter().any(|name| !known.contains_key(*name)) {
        let schema = api.schema().await?;
        known.extend(absent.iter().map(|name| ((*name).clone(), schema.get(name).is_some())));
    }
    let unknown: BTreeSet<String> =
        absent.into_iter().filter(|name| known.get(*name) == Some(&false)).cloned().collect();
    let shown = Shown { fields, hidden_list, unknown: &unknown };
    Ok(contacts.iter().map(|contact| shown.seen(contact)).collect())
}
