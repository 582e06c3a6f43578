//! Brevo: contacts, companies and deals kept in step, by API v3 and an API key.
//!
//! Manifest and facet only; calls are in `api`, shapes in `wire`, their meaning in `convert` and `schema`, refusals in
//! `classify`, reading in `changes` and `walk`, writing in `write` and `import`; `crm` is about deals and
//! companies, and `deals` and `companies` about what is theirs alone. What must not live here: anything about another vendor.

mod api;
mod changes;
mod classify;
mod companies;
mod convert;
mod crm;
mod deals;
mod hints;
mod hook;
mod import;
mod limits;
mod schema;
mod walk;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use std::time::Duration;

use syncline_connect::{
    Answered, BoxFuture, Connector, Cx, Error, ErrorKind, Hints, Limits, Manifest, Mirror, RawRequest, Retry, Settings,
    mirror::{Ask, Changes, KindSpec, Lookup, MarkSpec, Named, RowWrite, Seen, Written},
};
use syncline_core::{description::ObjectDescription, ids::RecordId, record::Role};

use self::{
    companies::{COMPANIES, COMPANY},
    convert::{CONTACT, CREATED_AT, EMAIL, EMAIL_OUT, LISTS, LISTS_LEFT},
    crm::Object,
    deals::{DEAL, DEALS},
};

/// The setting that names the list for imports.
const IMPORT_LIST: &str = "import_list";

const MANIFEST: Manifest = Manifest {
    vendor: "brevo",
    display_name: "Brevo",
    docs: "https://developers.brevo.com/reference",
    scopes: &[],
    settings: &[
        (
            IMPORT_LIST,
            "the number of a list that nothing is sent to: with it, thousands of rows are written by imports, whose contacts \
             join it",
        ),
        (
            DEALS.key_setting,
            "the internal name of the text attribute of deals that bears Syncline's key; `syncline_key` unless set; needed \
             where deals are kept in step",
        ),
        (
            COMPANIES.key_setting,
            "the internal name of the text attribute of companies that bears Syncline's key; `syncline_key` unless set; \
             needed where companies are kept in step",
        ),
    ],
    roles: &[],
    // Brevo repeats a webhook after 429, and gives it up after any other refusal.
    overload_status: 429,
    trusted_domains: &[],
};

const KINDS: &[KindSpec] = &[CONTACTS, companies::KIND, deals::KIND];

const CONTACTS: KindSpec = KindSpec {
    name: CONTACT,
    role: Role::Contact,
    email: Some(EMAIL),
    phone: Some("SMS"),
    one_per_email: true,
    created: Some(CREATED_AT),
    opt_out: Some(EMAIL_OUT),
    sets: &[LISTS],
    can_create: true,
    can_delete: true,
    shows_deleted: false,
    reads_at_once: 0,
    // A look that finds nothing is one call of the 36,000 an hour that every plan has.
    every: Duration::from_secs(60),
};

/// The connector for Brevo.
#[derive(Debug, Clone, Copy)]
pub struct Brevo;

impl Connector for Brevo {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn mirror(&self) -> Option<&dyn Mirror> {
        Some(self)
    }

    fn hints(&self) -> Option<&dyn Hints> {
        Some(self)
    }

    fn limits(&self) -> Option<&dyn Limits> {
        Some(self)
    }
}

impl Mirror for Brevo {
    fn kinds(&self) -> &'static [KindSpec] {
        KINDS
    }

    fn keeps_keys(&self) -> bool {
        true
    }

    fn marks(&self, kind: &str) -> Option<MarkSpec> {
        // There are no tags; a list that nothing is sent to does the same.
        (kind == CONTACT).then_some(MarkSpec { field: LISTS, free: false, reads: &[LISTS_LEFT] })
    }

    fn named(&self, raw: &RawRequest) -> Option<Named> {
        hook::named(&raw.body)
    }

    fn describe<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kinds: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<ObjectDescription>>>, Error>> {
        Box::pin(async move {
            let mut api = api::Api::new(cx, "describe");
            let mut value = Vec::with_capacity(kinds.len());
            for kind in kinds {
                value.push(match *kind {
                    CONTACT => Some(api.schema().await?.describe(&api.lists().await?)),
                    DEAL => Some(deals::describe(&mut api, cx.settings).await?),
                    COMPANY => Some(companies::describe(&mut api, cx.settings).await?),
                    _ => None,
                });
            }
            Ok(Answered { value, calls: api.calls(), usage: None })
        })
    }

    fn changes<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        asks: &'a [Ask<'a>],
    ) -> BoxFuture<'a, Result<Answered<Vec<Changes>>, Error>> {
        Box::pin(changes::changes(cx, asks))
    }

    fn fetch<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        ids: &'a [RecordId],
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<Answered<Vec<Seen>>, Error>> {
        Box::pin(async move {
            check_kind("fetch", kind)?;
            if let Some(object) = object(kind) {
                return object.fetch(cx, ids, fields).await;
            }
            changes::fetch(cx, ids, fields).await
        })
    }

    fn find<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        key: Lookup<'a>,
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<Answered<Vec<Seen>>, Error>> {
        Box::pin(async move {
            check_kind("find", kind)?;
            if let Some(object) = object(kind) {
                return object.find(cx, key, fields).await;
            }
            changes::find(cx, key, fields).await
        })
    }

    fn carries(&self, settings: &Settings, kind: &str, waiting: usize) -> usize {
        if object(kind).is_some() {
            return crm::ROWS_MAX;
        }
        let imports = settings.contains_key(IMPORT_LIST) && waiting >= import::ROWS_MIN;
        if imports { import::ROWS_MAX } else { write::BATCH_ROWS }
    }

    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>> {
        Box::pin(async move {
            check_kind("write", kind)?;
            if let Some(object) = object(kind) {
                return object.write(cx, rows).await;
            }
            write::write(cx, rows).await
        })
    }

    fn collect<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        ticket: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>> {
        Box::pin(async move {
            check_kind("collect", kind)?;
            import::collect(cx, ticket, rows).await
        })
    }
}

fn check_kind(op: &'static str, kind: &str) -> Result<(), Error> {
    match kind {
        CONTACT | COMPANY | DEAL => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Configuration,
            Retry::Never,
            op,
            "Brevo keeps contacts, companies and deals in step, nothing else",
        )),
    }
}

/// What of the CRM the kind is.
fn object(kind: &str) -> Option<&'static Object> {
    match kind {
        DEAL => Some(&DEALS),
        COMPANY => Some(&COMPANIES),
        _ => None,
    }
}

/// The list that imports put their contacts on, where there is one.
fn import_list(op: &'static str, settings: &Settings) -> Result<Option<u64>, Error> {
    let wrong =
        |_| Error::new(ErrorKind::Configuration, Retry::Never, op, "the setting `import_list` is the number of a list");
    settings.get(IMPORT_LIST).map(|list| list.trim().parse().map_err(wrong)).transpose()
}
