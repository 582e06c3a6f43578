//! Reading: what changed, page by page, and contacts by number or address.
//!
//! Pages go by the contacts' numbers, so that nobody is passed over whatever others do meanwhile.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Ask, Changes, From, Lookup, Seen},
};
use syncline_core::ids::RecordId;

use super::{
    accounts::{self, ACCOUNT},
    api::{Api, PAGE, Which},
    check_kind, convert,
    deals::{self, DEAL},
};

/// How far before the beginning of the last run the next one begins: what is committed late is still found. A poll's
/// interval and five minutes.
const OVERLAP: SignedDuration = SignedDuration::from_mins(6);

/// How far our own clock may lie from the vendor's, where an answer bears no date.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// From so many addresses on it is asked how many contacts there are in all.
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
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// When it began, by the vendor's clock.
    began: Timestamp,
    /// The number of the last contact that was read.
    last: u64,
}

pub async fn changes(cx: &Cx<'_>, asks: &[Ask<'_>]) -> Result<Answered<Vec<Changes>>, Error> {
    let mut api = Api::new(cx, "changes");
    let mut pages = Vec::with_capacity(asks.len());
    for ask in asks {
        check_kind(api.0.op, ask.kind)?;
        pages.push(match ask.kind {
            DEAL => deals::changes(cx, &mut api, ask).await?,
            ACCOUNT => accounts::changes(cx, &mut api, ask).await?,
            _ => page(cx, &mut api, ask).await?,
        });
    }
    Ok(Answered { value: pages, calls: api.calls(), usage: None })
}

async fn page(cx: &Cx<'_>, api: &mut Api<'_>, ask: &Ask<'_>) -> Result<Changes, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, "changes", what);
    let cursor = match ask.start {
        From::Beginning => Cursor::default(),
        From::Since(since) => Cursor { since: Some(before(since, OVERLAP)), run: None },
        From::Cursor(text) => {
            serde_json::from_str(text).map_err(|_| wrong("the stored cursor is not one of ActiveCampaign's"))?
        }
    };
    let last = cursor.run.map_or(0, |run| run.last);
    let (page, date) = api.contacts(Which::After(last, cursor.since), convert::beside(ask.fields)).await?;
    let began = cursor.run.map(|run| run.began).unwrap_or_else(|| date.unwrap_or_else(|| before(cx.now, SKEW)));
    let read = page.contacts.len();
    let furthest = page.contacts.iter().filter_map(|contact| contact.id.number()).max().unwrap_or(last);
    // The total counts what lies behind the last number; where it does not, an empty page ends the run.
    let is_end = read < PAGE || page.meta.total.number() == u64::try_from(read).ok() || furthest <= last;
    let next = match is_end {
        true => Cursor { since: Some(before(began, OVERLAP)), run: None },
        false => Cursor { since: cursor.since, run: Some(Run { began, last: furthest }) },
    };
    let cursor = serde_json::to_string(&next).map_err(|_| wrong("the cursor cannot be written down"))?;
    Ok(Changes { rows: convert::seen(&page, ask.fields), cursor, more: !is_end, ask_in: Duration::ZERO })
}

fn before(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// Contacts by number, a hundred a call.
pub async fn fetch(cx: &Cx<'_>, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "fetch");
    let mut rows = Vec::with_capacity(ids.len());
    for some in ids.chunks(PAGE) {
        let some: Vec<&str> = some.iter().map(RecordId::as_str).collect();
        let (page, _) = api.contacts(Which::Ids(&some), convert::beside(fields)).await?;
        // A server that does not know the filter would show others.
        rows.extend(convert::seen(&page, fields).into_iter().filter(|seen| some.contains(&seen.id.as_str())));
    }
    Ok(Answered { value: rows, calls: api.calls(), usage: None })
}

/// Contacts by address: one by one, or, where that is cheaper, by reading through all of them. ActiveCampaign has no
/// place for a key of ours.
pub async fn find(cx: &Cx<'_>, key: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "find");
    let Lookup::Email(emails) = key else { return Ok(Answered { value: Vec::new(), calls: 0, usage: None }) };
    let found = if emails.len() >= READ_ALL_FROM { all(&mut api, emails, fields).await? } else { None };
    let rows = match found {
        Some(rows) => rows,
        None => {
            let mut rows = Vec::new();
            for email in emails {
                let (page, _) = api.contacts(Which::Email(email), convert::beside(fields)).await?;
                rows.extend(convert::seen(&page, fields));
            }
            rows
        }
    };
    Ok(Answered { value: rows, calls: api.calls(), usage: None })
}

/// Those of all contacts that bear one of the addresses; nothing where reading all takes more calls than that.
async fn all(api: &mut Api<'_>, emails: &[String], fields: &[String]) -> Result<Option<Vec<Seen>>, Error> {
    let wanted: BTreeSet<String> = emails.iter().map(|email| email.to_lowercase()).collect();
    let (mut last, mut found) = (0, Vec::new());
    for _ in 0..emails.len() {
        let (mut page, _) = api.contacts(Which::After(last, None), convert::beside(fields)).await?;
        let total = page.meta.total.number().and_then(|total| usize::try_from(total).ok());
        if last == 0 && total.is_none_or(|total| total.div_ceil(PAGE) >= emails.len()) {
            return Ok(None);
        }
        let read = page.contacts.len();
        let furthest = page.contacts.iter().filter_map(|contact| contact.id.number()).max().unwrap_or(last);
        page.contacts.retain(|contact| wanted.contains(&contact.email.0.to_lowercase()));
        found.extend(convert::seen(&page, fields));
        if read < PAGE || furthest <= last {
            return Ok(Some(found));
        }
        last = furthest;
    }
    Ok(None)
}
