//! ActiveCampaign's API v3, one function per endpoint. The only place in this folder that calls anything.

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use syncline_connect::{Cx, Error, ErrorKind, Retry};

use super::{
    classify,
    wire::{
        Account, AccountContact, AccountContacts, AccountFields, AccountValue, AccountValues, Accounts, Batch,
        ContactsPage, Deal, DealFields, Deals, Fields, List, Lists, OneAccount, OneContact, OneDeal, OneTag, OwnField,
        Pipeline, Pipelines, Queued, Stage, Stages, Tags,
    },
};
use crate::call::{Calling, Heard};

/// Rows a page, the documented maximum.
pub const PAGE: usize = 100;

/// Pages of fields or lists that are read; more than anybody has.
const PAGES_MAX: usize = 20;

/// Set by the API, in the vendor's numbering of sources.
const BY_API: u8 = 4;

/// Which contacts are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Those behind a number that changed after a moment, in the order of their numbers.
    After(u64, Option<Timestamp>),
    Ids(&'a [&'a str]),
    Email(&'a str),
}

/// Which deals are asked for, by a day.
#[derive(Debug, Clone)]
pub enum DealsSince {
    Changed(String),
    Made(String),
}

/// What is loaded beside contacts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    pub values: bool,
    pub tags: bool,
    pub lists: bool,
}

impl Beside {
    fn include(self) -> Option<String> {
        let parts = [(self.values, "fieldValues"), (self.tags, "contactTags.tag"), (self.lists, "contactLists")];
        let wanted: Vec<&str> = parts.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect();
        (!wanted.is_empty()).then(|| wanted.join(","))
    }
}

/// What a bulk import that was refused says.
pub enum Bulk {
    Queued(String),
    /// Refused whole, because of the rows at these positions.
    Bad(Vec<usize>),
}

/// The calls of one step.
pub struct Api<'a>(pub Calling<'a>);

impl<'a> Api<'a> {
    pub fn new(cx: &'a Cx<'a>, op: &'static str) -> Self {
        Self(Calling::new(cx, op, "api-token"))
    }

    pub fn calls(&self) -> u32 {
        self.0.made()
    }

    /// `GET /contacts`, of every standing. With the time of the answer, by the vendor's clock.
    pub async fn contacts(
        &mut self,
        which: Which<'_>,
        beside: Beside,
    ) -> Result<(ContactsPage, Option<Timestamp>), Error> {
        let mut query = vec![("status", "-1".to_owned()), ("limit", PAGE.to_string())];
        match which {
            Which::After(last, since) => {
                query.push(("orders[id]", "ASC".to_owned()));
                if last > 0 {
                    query.push(("id_greater", last.to_string()));
                }
                query.extend(since.map(|since| ("filters[updated_after]", format!("{since:.3}"))));
            }
            Which::Ids(ids) => query.extend(ids.iter().map(|id| ("ids[]", (*id).to_owned()))),
            Which::Email(email) => query.push(("email", email.to_owned())),
        }
        query.extend(beside.include().map(|include| ("include", include)));
        let heard = self.0.get(&["contacts"], &query).await?;
        Ok((self.collection(&heard)?, heard.date()))
    }

    /// `GET /fields`: all of them, with their options.
    pub async fn fields(&mut self) -> Result<Fields, Error> {
        let mut all = Fields { fields: Vec::new(), field_options: Vec::new(), meta: Default::default() };
        for page in 0..PAGES_MAX {
            let heard = self.0.get(&["fields"], &paged(page)).await?;
            let answer: Fields = self.collection(&heard)?;
            let is_last = is_last(page, answer.fields.len(), answer.meta.total.number());
            all.fields.extend(answer.fields);
            all.field_options.extend(answer.field_options);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// `GET /lists`: all of them.
    pub async fn lists(&mut self) -> Result<Vec<List>, Error> {
        let mut all = Vec::new();
        for page in 0..PAGES_MAX {
            let heard = self.0.get(&["lists"], &paged(page)).await?;
            let answer: Lists = self.collection(&heard)?;
            let is_last = is_last(page, answer.lists.len(), answer.meta.total.number());
            all.extend(answer.lists);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// `POST /contacts`: the new contact's id.
    pub async fn create(&mut self, contact: Map<String, Value>) -> Result<String, Error> {
        let heard = self.write(Method::POST, &["contacts"], json!({"contact": contact})).await?;
        let made: Option<OneContact> = heard.read();
        let id = made.map(|made| made.contact.id.0).filter(|id| !id.is_empty());
        id.ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome))
    }

    /// `PUT /contacts/{id}`.
    pub async fn update(&mut self, id: &str, contact: Map<String, Value>) -> Result<(), Error> {
        self.write(Method::PUT, &["contacts", id], json!({"contact": contact})).await.map(drop)
    }

    /// `DELETE /contacts/{id}`; one that is gone is as good as deleted.
    pub async fn delete(&mut self, id: &str) -> Result<(), Error> {
        self.drop_one(&["contacts", id]).await
    }

    /// The number of a tag, which is made where there is none.
    pub async fn tag(&mut self, name: &str) -> Result<String, Error> {
        let query = [("filters[search][eq]", name.to_owned()), ("limit", PAGE.to_string())];
        let heard = self.0.get(&["tags"], &query).await?;
        let known: Tags = self.collection(&heard)?;
        if let Some(tag) = known.tags.into_iter().find(|tag| tag.tag.0 == name) {
            return Ok(tag.id.0);
        }
        let tag = json!({"tag": {"tag": name, "tagType": "contact", "description": ""}});
        let heard = self.write(Method::POST, &["tags"], tag).await?;
        let made: Option<OneTag> = heard.read();
        made.map(|made| made.tag.id.0).ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome))
    }

    /// `POST /contactTags`.
    pub async fn put_tag(&mut self, contact: &str, tag: &str) -> Result<(), Error> {
        let body = json!({"contactTag": {"contact": contact, "tag": tag}});
        self.write(Method::POST, &["contactTags"], body).await.map(drop)
    }

    /// `DELETE /contactTags/{id}`; one that is gone is as good as deleted.
    pub async fn drop_tag(&mut self, contact_tag: &str) -> Result<(), Error> {
        self.drop_one(&["contactTags", contact_tag]).await
    }

    /// `POST /contactLists`. It subscribes also who had unsubscribed, so it is only called where nobody has.
    pub async fn put_list(&mut self, contact: &str, list: u64, status: u8) -> Result<(), Error> {
        let body = json!({"contactList":
            {"contact": contact, "list": list.to_string(), "status": status, "sourceid": BY_API}});
        self.write(Method::POST, &["contactLists"], body).await.map(drop)
    }

    /// `POST /import/bulk_import`.
    pub async fn bulk(&mut self, rows: &[Value]) -> Result<Bulk, Error> {
        let body = Bytes::from(json!({"contacts": rows}).to_string());
        let heard = self.0.send(Method::POST, &["import", "bulk_import"], &[], Some(body)).await?;
        if heard.is_success() && !classify::is_hollow(&heard) {
            let queued: Option<Queued> = heard.read();
            return queued
                .map(|queued| Bulk::Queued(queued.batch_id))
                .ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome));
        }
        let error = classify::write_error(self.0.op, &heard);
        match classify::bad_rows(&heard) {
            bad if error.kind == ErrorKind::Invalid && !bad.is_empty() => Ok(Bulk::Bad(bad)),
            _ => Err(error),
        }
    }

    /// `GET /import/info`: nothing where the batch is not known any more.
    pub async fn batch(&mut self, id: &str) -> Result<Option<Batch>, Error> {
        let heard = self.0.get(&["import", "info"], &[("batchId", id.to_owned())]).await?;
        match heard.status {
            400 | 404 if classify::error(self.0.op, &heard).kind != ErrorKind::RateLimited => Ok(None),
            _ => self.collection(&heard).map(Some),
        }
    }

    /// `GET /deals`: a page of them, in the order of their making.
    pub async fn deals(&mut self, since: Option<DealsSince>, offset: usize) -> Result<Vec<Deal>, Error> {
        let mut query = vec![("orders[cdate]", "ASC".to_owned()), ("limit", PAGE.to_string())];
        query.push(("offset", offset.to_string()));
        query.extend(since.map(|since| match since {
            DealsSince::Changed(day) => ("filters[updated_after]", day),
            DealsSince::Made(day) => ("filters[created_after]", day),
        }));
        let heard = self.0.get(&["deals"], &query).await?;
        Ok(self.collection::<Deals>(&heard)?.deals)
    }

    /// `GET /deals/{id}`: nothing where there is none.
    pub async fn deal(&mut self, id: &str) -> Result<Option<Deal>, Error> {
        let heard = self.0.get(&["deals", id], &[]).await?;
        if heard.is_success() && !classify::is_hollow(&heard) {
            let one: Option<OneDeal> = heard.read();
            return one.map(|one| Some(one.deal)).ok_or_else(|| self.unreadable(ErrorKind::Protocol));
        }
        let error = classify::error(self.0.op, &heard);
        if error.kind == ErrorKind::Gone { Ok(None) } else { Err(error) }
    }

    /// `POST /deals`: the new deal's number.
    pub async fn create_deal(&mut self, deal: Map<String, Value>) -> Result<String, Error> {
        let heard = self.write(Method::POST, &["deals"], json!({"deal": deal})).await?;
        let made: Option<OneDeal> = heard.read();
        let id = made.map(|made| made.deal.id.0).filter(|id| !id.is_empty());
        id.ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome))
    }

    /// `PUT /deals/{id}`.
    pub async fn update_deal(&mut self, id: &str, deal: Map<String, Value>) -> Result<(), Error> {
        self.write(Method::PUT, &["deals", id], json!({"deal": deal})).await.map(drop)
    }

    /// `DELETE /deals/{id}`; one that is gone is as good as deleted.
    pub async fn delete_deal(&mut self, id: &str) -> Result<(), Error> {
        self.drop_one(&["deals", id]).await
    }

    /// `GET /dealGroups`: all of them.
    pub async fn pipelines(&mut self) -> Result<Vec<Pipeline>, Error> {
        let mut all = Vec::new();
        for page in 0..PAGES_MAX {
            let heard = self.0.get(&["dealGroups"], &paged(page)).await?;
            let answer: Pipelines = self.collection(&heard)?;
            let is_last = is_last(page, answer.deal_groups.len(), answer.meta.total.number());
            all.extend(answer.deal_groups);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// `GET /dealStages`: all of them.
    pub async fn stages(&mut self) -> Result<Vec<Stage>, Error> {
        let mut all = Vec::new();
        for page in 0..PAGES_MAX {
            let heard = self.0.get(&["dealStages"], &paged(page)).await?;
            let answer: Stages = self.collection(&heard)?;
            let is_last = is_last(page, answer.deal_stages.len(), answer.meta.total.number());
            all.extend(answer.deal_stages);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// `GET /dealCustomFieldMeta`: all of them.
    pub async fn deal_fields(&mut self) -> Result<Vec<OwnField>, Error> {
        let mut all = Vec::new();
        for page in 0..PAGES_MAX {
            let heard = self.0.get(&["dealCustomFieldMeta"], &paged(page)).await?;
            let answer: DealFields = self.collection(&heard)?;
            let is_last = is_last(page, answer.deal_custom_field_meta.len(), answer.meta.total.number());
            all.extend(answer.deal_custom_field_meta);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// `GET /accounts`: a page of all, or of those whose name has this in it, and the time of the answer, by the vendor's
    /// clock.
    pub async fn accounts(
        &mut self,
        search: Option<&str>,
        offset: usize,
    ) -> Result<(Vec<Account>, Option<Timestamp>), Error> {
        let mut query = vec![("limit", PAGE.to_string()), ("offset", offset.to_string())];
        query.extend(search.map(|name| ("search", name.to_owned())));
        let heard = self.0.get(&["accounts"], &query).await?;
        Ok((self.collection::<Accounts>(&heard)?.accounts, heard.date()))
    }

    /// `GET /accounts/{id}`: nothing where there is none.
    pub async fn account(&mut self, id: &str) -> Result<Option<Account>, Error> {
        let heard = self.0.get(&["accounts", id], &[]).await?;
        if heard.is_success() && !classify::is_hollow(&heard) {
            let one: Option<OneAccount> = heard.read();
            return one.map(|one| Some(one.account)).ok_or_else(|| self.unreadable(ErrorKind::Protocol));
        }
        let error = classify::error(self.0.op, &heard);
        if error.kind == ErrorKind::Gone { Ok(None) } else { Err(error) }
    }

    /// `POST /accounts`: the new account's number.
    pub async fn create_account(&mut self, account: Map<String, Value>) -> Result<String, Error> {
        let heard = self.write(Method::POST, &["accounts"], json!({"account": account})).await?;
        let made: Option<OneAccount> = heard.read();
        let id = made.map(|made| made.account.id.0).filter(|id| !id.is_empty());
        id.ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome))
    }

    /// `PUT /accounts/{id}`.
    pub async fn update_account(&mut self, id: &str, account: Map<String, Value>) -> Result<(), Error> {
        self.write(Method::PUT, &["accounts", id], json!({"account": account})).await.map(drop)
    }

    /// `DELETE /accounts/{id}`; one that is gone is as good as deleted.
    pub async fn delete_account(&mut self, id: &str) -> Result<(), Error> {
        self.drop_one(&["accounts", id]).await
    }

    /// `GET /accountCustomFieldMeta`: all of them.
    pub async fn account_fields(&mut self) -> Result<Vec<OwnField>, Error> {
        let mut all = Vec::new();
        for page in 0..PAGES_MAX {
            let heard = self.0.get(&["accountCustomFieldMeta"], &paged(page)).await?;
            let answer: AccountFields = self.collection(&heard)?;
            let is_last = is_last(page, answer.account_custom_field_meta.len(), answer.meta.total.number());
            all.extend(answer.account_custom_field_meta);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// `GET /accountCustomFieldData`: a page of all values, or of those of one account.
    pub async fn account_values(&mut self, of: Option<&str>, offset: usize) -> Result<Vec<AccountValue>, Error> {
        let mut query = vec![("limit", PAGE.to_string()), ("offset", offset.to_string())];
        query.extend(of.map(|account| ("filters[customerAccountId]", account.to_owned())));
        let heard = self.0.get(&["accountCustomFieldData"], &query).await?;
        Ok(self.collection::<AccountValues>(&heard)?.account_custom_field_data)
    }

    /// `GET /accountContacts`: the account that a contact belongs to.
    pub async fn account_of(&mut self, contact: &str) -> Result<Option<AccountContact>, Error> {
        let heard = self.0.get(&["accountContacts"], &[("filters[contact]", contact.to_owned())]).await?;
        let held = self.collection::<AccountContacts>(&heard)?.account_contacts;
        // A server that does not know the filter shows others.
        Ok(held.into_iter().find(|held| held.contact.0 == contact))
    }

    /// `POST /accountContacts`.
    pub async fn join_account(&mut self, contact: &str, account: &str) -> Result<(), Error> {
        let body = json!({"accountContact": {"account": account, "contact": contact}});
        self.write(Method::POST, &["accountContacts"], body).await.map(drop)
    }

    /// `PUT /accountContacts/{id}`.
    pub async fn move_account(&mut self, id: &str, contact: &str, account: &str) -> Result<(), Error> {
        let body = json!({"accountContact": {"account": account, "contact": contact}});
        self.write(Method::PUT, &["accountContacts", id], body).await.map(drop)
    }

    /// `DELETE /accountContacts/{id}`; one that is gone is as good as deleted.
    pub async fn leave_account(&mut self, id: &str) -> Result<(), Error> {
        self.drop_one(&["accountContacts", id]).await
    }

    async fn drop_one(&mut self, path: &[&str]) -> Result<(), Error> {
        let heard = self.0.send(Method::DELETE, path, &[], None).await?;
        let error = match heard.is_success() && !classify::is_hollow(&heard) {
            true if heard.is_theirs() => return Ok(()),
            true => self.unreadable(ErrorKind::UnknownOutcome),
            false => classify::write_error(self.0.op, &heard),
        };
        if error.kind == ErrorKind::Gone { Ok(()) } else { Err(error) }
    }

    async fn write(&mut self, method: Method, path: &[&str], body: Value) -> Result<Heard, Error> {
        let heard = self.0.send(method, path, &[], Some(Bytes::from(body.to_string()))).await?;
        match heard.is_success() && !classify::is_hollow(&heard) {
            true if heard.is_theirs() => Ok(heard),
            true => Err(self.unreadable(ErrorKind::UnknownOutcome)),
            false => Err(classify::write_error(self.0.op, &heard)),
        }
    }

    /// What an address that is always there answers.
    fn collection<T: DeserializeOwned>(&self, heard: &Heard) -> Result<T, Error> {
        if heard.is_success() && !classify::is_hollow(heard) {
            return heard.read().ok_or_else(|| self.unreadable(ErrorKind::Protocol));
        }
        let error = classify::error(self.0.op, heard);
        Err(match error.kind {
            ErrorKind::Gone => self.0.error(
                ErrorKind::Configuration,
                Retry::Never,
                "ActiveCampaign is not at this API address; it ends in `/api/3`",
            ),
            _ => error,
        })
    }

    fn unreadable(&self, kind: ErrorKind) -> Error {
        self.0.error(kind, Retry::Backoff, "ActiveCampaign answered something that is not the documented JSON")
    }
}

fn paged(page: usize) -> [(&'static str, String); 2] {
    [("limit", PAGE.to_string()), ("offset", (page * PAGE).to_string())]
}

fn is_last(page: usize, rows: usize, total: Option<u64>) -> bool {
    let read = u64::try_from(page * PAGE + rows).unwrap_or(u64::MAX);
    rows < PAGE || total.is_some_and(|total| read >= total)
}
