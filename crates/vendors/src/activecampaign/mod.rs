//! ActiveCampaign: contacts, accounts and deals kept in step, by API v3 and an API key.
//!
//! Manifest and facet only; calls are in `api`, shapes in `wire`, their meaning in `convert` and `describe`, refusals in
//! `classify`, reading in `changes`, writing in `write` and `bulk`; `deals` is all about deals, `accounts` all about
//! accounts. What must not live here: anything about another vendor.

mod accounts;
mod api;
mod bulk;
mod changes;
mod classify;
mod convert;
mod crm;
mod deals;
mod describe;
mod hints;
mod hook;
mod limits;
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
    accounts::ACCOUNT,
    convert::{CONTACT, CREATED_AT, EMAIL, LISTS, OPT_OUT, TAGS},
    deals::DEAL,
};

const MANIFEST: Manifest = Manifest {
    vendor: "activecampaign",
    display_name: "ActiveCampaign",
    docs: "https://developers.activecampaign.com/reference",
    scopes: &[],
    settings: &[(
        accounts::KEY_SETTING,
        "the number of the custom field of accounts, of type text, that bears Syncline's key; needed where accounts are kept \
         in step",
    )],
    roles: &[],
    // Webhooks are never repeated, whatever is answered; 410 would end the subscription.
    overload_status: 503,
    trusted_domains: &[".api-us1.com", ".activehosted.com"],
};

const KINDS: &[KindSpec] = &[CONTACTS, accounts::KIND, deals::KIND];

const CONTACTS: KindSpec = KindSpec {
    name: CONTACT,
    role: Role::Contact,
    email: Some(EMAIL),
    phone: Some("phone"),
    one_per_email: true,
    created: Some(CREATED_AT),
    opt_out: Some(OPT_OUT),
    sets: &[TAGS, LISTS],
    can_create: true,
    can_delete: true,
    shows_deleted: false,
    reads_at_once: api::PAGE,
    // A look that finds nothing is one call of the five a second that all programs share.
    every: Duration::from_secs(60),
};

/// The connector for ActiveCampaign.
#[derive(Debug, Clone, Copy)]
pub struct ActiveCampaign;

impl Connector for ActiveCampaign {
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

impl Mirror for ActiveCampaign {
    fn kinds(&self) -> &'static [KindSpec] {
        KINDS
    }

    fn marks(&self, kind: &str) -> Option<MarkSpec> {
        (kind == CONTACT).then_some(MarkSpec { field: TAGS, free: true, reads: &[] })
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
                    CONTACT => Some(describe::describe(&api.fields().await?, &api.lists().await?)),
                    DEAL => Some(deals::describe(&mut api).await?),
                    ACCOUNT => Some(accounts::describe(&mut api, cx.settings).await?),
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
            match kind {
                DEAL => return deals::fetch(cx, ids, fields).await,
                ACCOUNT => return accounts::fetch(cx, ids, fields).await,
                _ => {}
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
            match kind {
                DEAL => return deals::find(cx, key, fields).await,
                ACCOUNT => return accounts::find(cx, key, fields).await,
                _ => {}
            }
            changes::find(cx, key, fields).await
        })
    }

    fn carries(&self, _settings: &Settings, kind: &str, _waiting: usize) -> usize {
        match kind {
            DEAL | ACCOUNT => crm::ROWS_MAX,
            _ => bulk::ROWS_MAX,
        }
    }

    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>> {
        Box::pin(async move {
            check_kind("write", kind)?;
            match kind {
                DEAL => return deals::write(cx, rows).await,
                ACCOUNT => return accounts::write(cx, rows).await,
                _ => {}
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
            bulk::collect(cx, ticket, rows).await
        })
    }
}

fn check_kind(op: &'static str, kind: &str) -> Result<(), Error> {
    match kind {
        CONTACT | ACCOUNT | DEAL => Ok(()),
        _ => {
            let says = "ActiveCampaign keeps contacts, accounts and deals in step, nothing else";
            Err(Error::new(ErrorKind::Configuration, Retry::Never, op, says))
        }
    }
}
