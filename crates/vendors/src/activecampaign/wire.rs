//! ActiveCampaign's shapes, as its API description and recorded answers show them. Nearly everything is text, numbers
//! too, and what is text in one answer is a number in another.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text, or a number as its digits; empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        }))
    }
}

impl Word {
    pub fn number(&self) -> Option<u64> {
        self.0.trim().parse().ok()
    }
}

/// `GET /contacts`, with what is loaded beside it. A list that is missing was not loaded.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactsPage {
    pub contacts: Vec<Contact>,
    pub field_values: Option<Vec<FieldValue>>,
    pub contact_tags: Option<Vec<ContactTag>>,
    pub tags: Option<Vec<Tag>>,
    pub contact_lists: Option<Vec<ContactList>>,
    #[serde(default)]
    pub meta: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Meta {
    pub total: Word,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Contact {
    pub id: Word,
    pub email: Word,
    pub first_name: Word,
    pub last_name: Word,
    pub phone: Word,
    /// With the account's offset. The members called `…_utc_timestamp` hold the account's local time.
    pub cdate: Word,
    pub udate: Word,
    pub deleted: Word,
    /// The numbers of what is loaded beside, where it is.
    pub field_values: Option<Vec<Word>>,
    pub contact_tags: Option<Vec<Word>>,
    pub contact_lists: Option<Vec<Word>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FieldValue {
    pub contact: Word,
    pub field: Word,
    pub value: Word,
    pub udate: Word,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ContactTag {
    pub id: Word,
    pub contact: Word,
    pub tag: Word,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Tag {
    pub id: Word,
    pub tag: Word,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ContactList {
    pub contact: Word,
    pub list: Word,
    /// 0 unconfirmed, 1 subscribed, 2 unsubscribed, 3 bounced.
    pub status: Word,
}

/// What a write of one contact answers.
#[derive(Debug, Deserialize)]
pub struct OneContact {
    pub contact: Contact,
}

/// `GET /tags`.
#[derive(Debug, Deserialize)]
pub struct Tags {
    pub tags: Vec<Tag>,
}

/// What `POST /tags` answers.
#[derive(Debug, Deserialize)]
pub struct OneTag {
    pub tag: Tag,
}

/// `GET /fields`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fields {
    pub fields: Vec<Field>,
    #[serde(default)]
    pub field_options: Vec<FieldOption>,
    #[serde(default)]
    pub meta: Meta,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Field {
    pub id: Word,
    pub title: Word,
    pub perstag: Word,
    #[serde(rename = "type")]
    pub kind: Word,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FieldOption {
    pub field: Word,
    pub value: Word,
}

/// `GET /lists`.
#[derive(Debug, Deserialize)]
pub struct Lists {
    pub lists: Vec<List>,
    #[serde(default)]
    pub meta: Meta,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct List {
    pub id: Word,
    pub name: Word,
}

/// `GET /deals`.
#[derive(Debug, Deserialize)]
pub struct Deals {
    pub deals: Vec<Deal>,
}

/// What a call about one deal answers.
#[derive(Debug, Deserialize)]
pub struct OneDeal {
    pub deal: Deal,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Deal {
    pub id: Word,
    pub title: Word,
    pub description: Word,
    /// In hundredths.
    pub value: Word,
    pub currency: Word,
    pub stage: Word,
    pub status: Word,
    pub owner: Word,
    pub percent: Word,
    pub contact: Word,
    pub cdate: Word,
    pub mdate: Word,
}

/// `GET /dealGroups`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pipelines {
    pub deal_groups: Vec<Pipeline>,
    #[serde(default)]
    pub meta: Meta,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pipeline {
    pub id: Word,
    pub title: Word,
}

/// `GET /dealStages`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stages {
    pub deal_stages: Vec<Stage>,
    #[serde(default)]
    pub meta: Meta,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Stage {
    pub id: Word,
    pub title: Word,
    pub group: Word,
}

/// `GET /dealCustomFieldMeta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DealFields {
    pub deal_custom_field_meta: Vec<OwnField>,
    #[serde(default)]
    pub meta: Meta,
}

/// `GET /accountCustomFieldMeta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountFields {
    pub account_custom_field_meta: Vec<OwnField>,
    #[serde(default)]
    pub meta: Meta,
}

/// A custom field of deals or accounts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OwnField {
    pub id: Word,
    #[serde(rename = "fieldLabel")]
    pub label: Word,
    #[serde(rename = "fieldType")]
    pub kind: Word,
    #[serde(rename = "fieldOptions")]
    pub options: Option<Vec<Word>>,
}

/// `GET /accounts`.
#[derive(Debug, Deserialize)]
pub struct Accounts {
    pub accounts: Vec<Account>,
}

/// What a call about one account answers.
#[derive(Debug, Deserialize)]
pub struct OneAccount {
    pub account: Account,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Account {
    pub id: Word,
    pub name: Word,
    #[serde(rename = "accountUrl")]
    pub url: Word,
    pub owner: Word,
    #[serde(rename = "createdTimestamp")]
    pub created: Word,
    #[serde(rename = "updatedTimestamp")]
    pub updated: Word,
}

/// `GET /accountCustomFieldData`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountValues {
    pub account_custom_field_data: Vec<AccountValue>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AccountValue {
    #[serde(rename = "accountId")]
    pub account: Word,
    #[serde(rename = "customFieldId")]
    pub field: Word,
    #[serde(rename = "fieldValue")]
    pub value: Word,
}

/// `GET /accountContacts`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountContacts {
    pub account_contacts: Vec<AccountContact>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AccountContact {
    pub id: Word,
    pub account: Word,
    pub contact: Word,
}

/// What `POST /import/bulk_import` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    pub batch_id: String,
}

/// `GET /import/info`.
#[derive(Debug, Deserialize)]
pub struct Batch {
    pub status: Word,
    /// The numbers of contacts that were made or changed.
    #[serde(default)]
    pub success: Vec<Word>,
    /// The addresses of rows that failed.
    #[serde(default)]
    pub failure: Vec<Word>,
}

/// A refusal, in its several shapes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Refusal {
    pub errors: Option<Vec<Complaint>>,
    pub message: Option<Value>,
    /// Of a bulk import: rows by position, or sentences.
    pub failure_reasons: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Complaint {
    pub code: Word,
    pub source: Option<Source>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Source {
    /// `/data/attributes/email`
    pub pointer: Word,
}
