//! Deals: the stages of their pipelines, and the way through their pages. What they share with companies is in `crm`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_connect::{
    Cx, Error, ErrorKind, Retry, Settings,
    mirror::{Ask, Changes, From, KindSpec},
};
use syncline_core::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    record::Role,
};

use super::{
    api::Api,
    companies::COMPANY,
    convert::CONTACT,
    crm::{OVERLAP, Object, PAGE, SKEW, TieSpec, before},
    walk::{Place, Step, Walk},
    wire::{CrmAttribute, CrmRecord, Pipeline},
};

pub const DEAL: &str = "deal";

const STAGE: &str = "deal_stage";
const PIPELINE: &str = "pipeline";
const CREATED_AT: &str = "created_at";
/// Whom a deal belongs to.
const CONTACTS: &str = "linkedContactsIds";
const COMPANIES: &str = "linkedCompaniesIds";

/// Stages that a field's label names.
const NAMED_MAX: usize = 50;

pub const DEALS: Object = Object {
    plural: "deals",
    path: &["crm", "deals"],
    attributes: "deals",
    name: "deal_name",
    created: CREATED_AT,
    changed: "last_updated_date",
    read_only: &[
        CREATED_AT,
        "last_activity_date",
        "next_activity_date",
        "number_of_activities",
        "number_of_contacts",
        "stage_updated_at",
    ],
    key_setting: "deal_key",
    ties: &[
        TieSpec {
            field: CONTACTS,
            link: "linkContactIds",
            unlink: "unlinkContactIds",
            numbers: true,
            wrong: "it names no contact",
        },
        TieSpec {
            field: COMPANIES,
            link: "linkCompanyIds",
            unlink: "unlinkCompanyIds",
            numbers: false,
            wrong: "it names no company",
        },
    ],
};

pub const KIND: KindSpec = KindSpec {
    name: DEAL,
    role: Role::Opportunity,
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

/// What deals are in this account: their attributes, and the stages of its pipelines by their ids.
pub async fn describe(api: &mut Api<'_>, settings: &Settings) -> Result<ObjectDescription, Error> {
    let attributes = DEALS.attributes(api, settings).await?;
    let pipelines = api.pipelines().await?;
    Ok(description(&attributes, &pipelines, DEALS.key(settings)))
}

fn description(attributes: &[CrmAttribute], pipelines: &[Pipeline], key: &str) -> ObjectDescription {
    let mut fields = DEALS.fields(attributes, key);
    let stages = pipelines.iter().flat_map(|pipeline| {
        let of = |name: &str| format!("{name} of {}", pipeline.name);
        pipeline.stages.iter().map(move |stage| (stage.id.clone(), of(&stage.name)))
    });
    fields.insert(STAGE.to_owned(), choice("Deal stage", stages.collect()));
    let lines = pipelines.iter().map(|pipeline| (pipeline.id.clone(), pipeline.name.clone()));
    fields.insert(PIPELINE.to_owned(), choice("Pipeline", lines.collect()));
    for (name, label, kind) in
        [(CONTACTS, "The contact that it belongs to", CONTACT), (COMPANIES, "The company that it belongs to", COMPANY)]
    {
        let refers_to = vec![kind.to_owned()];
        let tie = FieldDescription { refers_to, ..FieldDescription::plain(label, FieldKind::Reference) };
        fields.insert(name.to_owned(), tie);
    }
    ObjectDescription {
        name: DEAL.to_owned(),
        label: "Deal".to_owned(),
        createable: true,
        updateable: true,
        relates_many: true,
        fields,
    }
}

/// One of these ids, which say nothing to people: the label names them.
fn choice(label: &str, options: Vec<(String, String)>) -> FieldDescription {
    let named: Vec<String> = options.iter().take(NAMED_MAX).map(|(id, name)| format!("{id} {name}")).collect();
    FieldDescription {
        restricted: true,
        values: options.into_iter().map(|(id, _)| id).collect(),
        nillable: false,
        ..FieldDescription::plain(format!("{label} ({})", named.join(", ")), FieldKind::Picklist)
    }
}

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
    began: Option<Timestamp>,
    walk: Walk,
}

/// The next page of deals, in the order of their making.
pub async fn changes(cx: &Cx<'_>, api: &mut Api<'_>, ask: &Ask<'_>) -> Result<Changes, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, "changes", what);
    let cursor: Cursor = match ask.start {
        From::Beginning => Cursor::default(),
        From::Since(since) => Cursor { since: Some(before(since, OVERLAP)), run: None },
        From::Cursor(text) => {
            serde_json::from_str(text).map_err(|_| wrong("the stored cursor is not one of Brevo's deals"))?
        }
    };
    let Run { began, mut walk } = cursor.run.unwrap_or_default();
    let (limit, offset) = (PAGE.to_string(), walk.offset.to_string());
    let mut query = vec![("limit", limit), ("offset", offset), ("sort", "asc".to_owned())];
    query.extend(cursor.since.map(|since| ("modifiedSince", format!("{since:.3}"))));
    let (deals, date) = api.crm_page(DEALS.path, &query).await?;
    let began = began.or(date).unwrap_or_else(|| before(cx.now, SKEW));
    let places: Vec<Place> = deals.iter().map(place).collect();
    let (fresh, is_end) = match walk.take(&places, u64::MAX, PAGE) {
        Step::On { fresh } => (fresh, false),
        Step::End { fresh } => (fresh, true),
        Step::Back => (deals.len(), false),
    };
    let next = match is_end {
        true => Cursor { since: Some(before(began, OVERLAP)), run: None },
        false => Cursor { since: cursor.since, run: Some(Run { began: Some(began), walk }) },
    };
    let cursor = serde_json::to_string(&next).map_err(|_| wrong("the cursor cannot be written down"))?;
    let key = DEALS.key(cx.settings);
    let rows = deals.iter().skip(fresh).map(|deal| DEALS.seen(deal, key, ask.fields)).collect();
    Ok(Changes { rows, cursor, more: !is_end, ask_in: Duration::ZERO })
}

/// Where a deal stands in the order of making. Of those made at the same moment the end of the id tells, which counts up.
fn place(deal: &CrmRecord) -> Place {
    let digits = deal.id.get(deal.id.len().saturating_sub(16)..).unwrap_or_default();
    Place(DEALS.made_at(deal), u64::from_str_radix(digits, 16).unwrap_or(0))
}
