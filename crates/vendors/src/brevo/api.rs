//! Brevo's API v3, one function per endpoint. The only place in this folder that calls anything.

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use syncline_connect::{Cx, Error, ErrorKind, Retry};

use super::{
    classify,
    schema::Schema,
    wire::{
        Attributes, Contact, ContactsPage, Created, CrmAttribute, CrmCreated, CrmPage, CrmRecord, Imported, List,
        ListsPage, Pipeline, Process,
    },
};
use crate::call::{Calling, Heard};

/// Contacts a page, the documented maximum.
pub const PAGE: u64 = 1_000;

/// Lists a page, the documented maximum.
const LISTS_PAGE: u64 = 50;

/// Pages of lists that are read; more lists than anybody chooses from.
const LISTS_PAGES_MAX: u64 = 20;

/// How a contact is named.
#[derive(Debug, Clone, Copy)]
pub enum Name<'a> {
    Id(&'a str),
    Key(&'a str),
    Email(&'a str),
    Phone(&'a str),
}

/// The calls of one step.
pub struct Api<'a>(pub Calling<'a>);

impl<'a> Api<'a> {
    pub fn new(cx: &'a Cx<'a>, op: &'static str) -> Self {
        Self(Calling::new(cx, op, "api-key"))
    }

    pub fn calls(&self) -> u32 {
        self.0.made()
    }

    /// `GET /contacts`: a page of those that changed after a moment, or of all, in the order of their making. With the
    /// time of the answer, by Brevo's clock.
    pub async fn contacts(
        &mut self,
        since: Option<Timestamp>,
        offset: u64,
    ) -> Result<(ContactsPage, Option<Timestamp>), Error> {
        let mut query = vec![("limit", PAGE.to_string()), ("offset", offset.to_string()), ("sort", "asc".to_owned())];
        query.extend(since.map(|since| ("modifiedSince", format!("{since:.3}"))));
        let heard = self.0.get(&["contacts"], &query).await?;
        let page = self.collection(&heard)?;
        Ok((page, heard.date()))
    }

    /// `GET /contacts/{identifier}`: nothing where there is none.
    pub async fn contact(&mut self, name: Name<'_>) -> Result<Option<Contact>, Error> {
        let (identifier, kind) = match name {
            Name::Id(id) => (id, "contact_id"),
            Name::Key(key) => (key, "ext_id"),
            Name::Email(email) => (email, "email_id"),
            Name::Phone(number) => (number, "phone_id"),
        };
        let heard = self.0.get(&["contacts", identifier], &[("identifierType", kind.to_owned())]).await?;
        if heard.is_success() {
            return self.read(&heard).map(Some);
        }
        let error = classify::error(self.0.op, &heard);
        if error.kind == ErrorKind::Gone { Ok(None) } else { Err(error) }
    }

    /// `GET /contacts/attributes`.
    pub async fn schema(&mut self) -> Result<Schema, Error> {
        let heard = self.0.get(&["contacts", "attributes"], &[]).await?;
        let answer: Attributes = self.collection(&heard)?;
        Ok(Schema::new(answer.attributes))
    }

    /// `GET /contacts/lists`: all of them, the oldest first.
    pub async fn lists(&mut self) -> Result<Vec<List>, Error> {
        let mut lists: Vec<List> = Vec::new();
        for page in 0..LISTS_PAGES_MAX {
            let offset = page * LISTS_PAGE;
            let query = [("limit", LISTS_PAGE.to_string()), ("offset", offset.to_string()), ("sort", "asc".to_owned())];
            let heard = self.0.get(&["contacts", "lists"], &query).await?;
            let answer: ListsPage = self.collection(&heard)?;
            let is_last = answer.lists.is_empty() || offset + LISTS_PAGE >= answer.count;
            lists.extend(answer.lists);
            if is_last {
                break;
            }
        }
        Ok(lists)
    }

    /// `POST /contacts`: the new contact's id.
    pub async fn create(&mut self, body: Map<String, Value>) -> Result<u64, Error> {
        let heard = self.write(Method::POST, &["contacts"], &[], Value::Object(body)).await?;
        // Without `updateEnabled` there is no 204, which would name no id.
        let created: Option<Created> = heard.read();
        created.map(|created| created.id).ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome))
    }

    /// `PUT /contacts/{id}`.
    pub async fn update(&mut self, id: &str, body: Map<String, Value>) -> Result<(), Error> {
        let by = [("identifierType", "contact_id".to_owned())];
        self.write(Method::PUT, &["contacts", id], &by, Value::Object(body)).await.map(drop)
    }

    /// `POST /contacts/batch`: no row tells how it went.
    pub async fn batch(&mut self, rows: Vec<Value>) -> Result<(), Error> {
        self.write(Method::POST, &["contacts", "batch"], &[], json!({"contacts": rows})).await.map(drop)
    }

    /// `DELETE /contacts/{id}`; one that is gone is as good as deleted.
    pub async fn delete(&mut self, id: &str) -> Result<(), Error> {
        let by = [("identifierType", "contact_id".to_owned())];
        let heard = self.0.send(Method::DELETE, &["contacts", id], &by, None).await?;
        if heard.is_success() {
            return if heard.is_theirs() { Ok(()) } else { Err(self.unreadable(ErrorKind::UnknownOutcome)) };
        }
        let error = classify::write_error(self.0.op, &heard);
        if error.kind == ErrorKind::Gone { Ok(()) } else { Err(error) }
    }

    /// `POST /contacts/import`: the process that works on it.
    pub async fn import(&mut self, body: Bytes) -> Result<u64, Error> {
        let heard = self.0.send(Method::POST, &["contacts", "import"], &[], Some(body)).await?;
        if !heard.is_success() {
            return Err(classify::write_error(self.0.op, &heard));
        }
        let imported: Option<Imported> = heard.read();
        imported.map(|imported| imported.process).ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome))
    }

    /// `GET /processes/{id}`: nothing where Brevo has forgotten it.
    pub async fn process(&mut self, id: u64) -> Result<Option<Process>, Error> {
        let heard = self.0.get(&["processes", &id.to_string()], &[]).await?;
        if heard.is_success() {
            return self.read(&heard).map(Some);
        }
        let error = classify::error(self.0.op, &heard);
        if error.kind == ErrorKind::Gone { Ok(None) } else { Err(error) }
    }

    /// `GET /crm/attributes/deals` or `…/companies`.
    pub async fn crm_attributes(&mut self, of: &str) -> Result<Vec<CrmAttribute>, Error> {
        let heard = self.0.get(&["crm", "attributes", of], &[]).await?;
        self.collection(&heard)
    }

    /// `GET /crm/pipeline/details/all`.
    pub async fn pipelines(&mut self) -> Result<Vec<Pipeline>, Error> {
        let heard = self.0.get(&["crm", "pipeline", "details", "all"], &[]).await?;
        self.collection(&heard)
    }

    /// `GET /crm/deals` or `GET /companies`: a page, and the time of the answer, by Brevo's clock.
    pub async fn crm_page(
        &mut self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<(Vec<CrmRecord>, Option<Timestamp>), Error> {
        let heard = self.0.get(path, query).await?;
        let page: CrmPage = self.collection(&heard)?;
        Ok((page.items.unwrap_or_default(), heard.date()))
    }

    /// `GET /crm/deals/{id}` or `GET /companies/{id}`: nothing where there is none.
    pub async fn crm_record(&mut self, path: &[&str], id: &str) -> Result<Option<CrmRecord>, Error> {
        let heard = self.0.get(&[path, &[id]].concat(), &[]).await?;
        if heard.is_success() {
            return self.read(&heard).map(Some);
        }
        let error = classify::error(self.0.op, &heard);
        if error.kind == ErrorKind::Gone { Ok(None) } else { Err(error) }
    }

    /// `POST /crm/deals` or `POST /companies`: the new record's id.
    pub async fn crm_create(&mut self, path: &[&str], body: Map<String, Value>) -> Result<String, Error> {
        let heard = self.write(Method::POST, path, &[], Value::Object(body)).await?;
        let created: Option<CrmCreated> = heard.read();
        created.map(|created| created.id).ok_or_else(|| self.unreadable(ErrorKind::UnknownOutcome))
    }

    /// `PATCH /crm/deals/{id}` or `PATCH /companies/{id}`. It never names linked records, because those that it left out
    /// would be unlinked.
    pub async fn crm_update(&mut self, path: &[&str], id: &str, body: Map<String, Value>) -> Result<(), Error> {
        self.write(Method::PATCH, &[path, &[id]].concat(), &[], Value::Object(body)).await.map(drop)
    }

    /// `PATCH /crm/deals/link-unlink/{id}` or `PATCH /companies/link-unlink/{id}`.
    pub async fn crm_link(&mut self, path: &[&str], id: &str, body: Map<String, Value>) -> Result<(), Error> {
        self.write(Method::PATCH, &[path, &["link-unlink", id]].concat(), &[], Value::Object(body)).await.map(drop)
    }

    /// `DELETE /crm/deals/{id}` or `DELETE /companies/{id}`; one that is gone is as good as deleted.
    pub async fn crm_delete(&mut self, path: &[&str], id: &str) -> Result<(), Error> {
        let heard = self.0.send(Method::DELETE, &[path, &[id]].concat(), &[], None).await?;
        if heard.is_success() {
            return if heard.is_theirs() { Ok(()) } else { Err(self.unreadable(ErrorKind::UnknownOutcome)) };
        }
        let error = classify::write_error(self.0.op, &heard);
        if error.kind == ErrorKind::Gone { Ok(()) } else { Err(error) }
    }

    async fn write(
        &mut self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Value,
    ) -> Result<Heard, Error> {
        let heard = self.0.send(method, path, query, Some(Bytes::from(body.to_string()))).await?;
        match heard.is_success() {
            true if heard.is_theirs() => Ok(heard),
            true => Err(self.unreadable(ErrorKind::UnknownOutcome)),
            false => Err(classify::write_error(self.0.op, &heard)),
        }
    }

    /// What an address that is always there answers.
    fn collection<T: DeserializeOwned>(&self, heard: &Heard) -> Result<T, Error> {
        if heard.is_success() {
            return self.read(heard);
        }
        let error = classify::error(self.0.op, heard);
        Err(match error.kind {
            ErrorKind::Gone => {
                self.0.error(ErrorKind::Configuration, Retry::Never, "Brevo is not at this API address; check it")
            }
            _ => error,
        })
    }

    fn read<T: DeserializeOwned>(&self, heard: &Heard) -> Result<T, Error> {
        heard.read().ok_or_else(|| self.unreadable(ErrorKind::Protocol))
    }

    fn unreadable(&self, kind: ErrorKind) -> Error {
        self.0.error(kind, Retry::Backoff, "Brevo answered something that is not the documented JSON")
    }
}
