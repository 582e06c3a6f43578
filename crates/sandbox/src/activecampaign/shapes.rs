//! How records look from outside. Nearly everything is text, and times are the account's local time, in those members
//! too whose names say UTC (recorded 2026-05: `updated_utc_timestamp` is the `udate` beside it without its offset).

use jiff::{Timestamp, tz::Offset};
use serde_json::{Map, Value, json};

use super::book::{Contact, FieldValue, Subscription, Tagging};

/// What the links of a contact lead to.
const CONTACT_LINKS: &[&str] = &[
    "bounceLogs",
    "contactAutomations",
    "contactData",
    "contactGoals",
    "contactLists",
    "contactLogs",
    "contactTags",
    "contactDeals",
    "deals",
    "fieldValues",
    "geoIps",
    "notes",
    "organization",
    "plusAppend",
    "trackingLogs",
    "scoreValues",
    "accountContacts",
    "automationEntryCounts",
];

/// What it takes to write records: the account's address and its local time.
pub(super) struct Shapes {
    root: String,
    offset: Offset,
}

impl Shapes {
    pub(super) fn new(account: &str, hours: i8) -> Self {
        Self {
            root: format!("https://{account}.api-us1.com/api/3"),
            offset: Offset::from_hours(hours).unwrap_or(Offset::UTC),
        }
    }

    /// `2026-05-28T05:07:18-05:00`
    pub(super) fn stamp(&self, at: Timestamp) -> String {
        at.to_zoned(self.offset.to_time_zone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// `2026-05-28 05:07:18`
    pub(super) fn plain(&self, at: Timestamp) -> String {
        at.to_zoned(self.offset.to_time_zone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Reads a time; one without an offset is the account's.
    pub(super) fn parse(&self, text: &str) -> Option<Timestamp> {
        if let Ok(at) = text.parse() {
            return Some(at);
        }
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        self.offset.to_time_zone().to_timestamp(civil).ok()
    }

    pub(super) fn links(&self, resource: &str, id: u64, names: &[&str]) -> Value {
        let link = |name: &&str| ((*name).to_owned(), Value::from(format!("{}/{resource}/{id}/{name}", self.root)));
        Value::Object(names.iter().map(link).collect())
    }

    pub(super) fn user(&self) -> Value {
        json!({"username": "admin", "firstName": "Olive", "lastName": "Owner", "email": "owner@sandbox.example",
               "phone": "", "signature": null, "id": "1",
               "links": self.links("users", 1, &["lists", "userGroup", "dealGroupTotals", "dealGroupUsers", "configs"])})
    }

    /// A contact as most answers show it.
    pub(super) fn contact(&self, contact: &Contact) -> Map<String, Value> {
        let domain = contact.email.rsplit_once('@').map_or("", |(_, domain)| domain);
        let all = json!({
            "cdate": self.stamp(contact.created),
            "email": contact.email,
            "phone": contact.phone,
            "firstName": contact.first_name,
            "lastName": contact.last_name,
            "orgid": "0",
            "orgname": "",
            "segmentio_id": "",
            "bounced_hard": "0",
            "bounced_soft": "0",
            "bounced_date": null,
            "ip": "0",
            "ua": null,
            "hash": format!("{:032x}", u128::from(contact.id).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)),
            "socialdata_lastcheck": null,
            "email_local": "",
            "email_domain": domain,
            "sentcnt": "0",
            "rating_tstamp": null,
            "gravatar": "0",
            "deleted": "0",
            "anonymized": "0",
            "adate": null,
            "udate": self.stamp(contact.updated),
            "edate": null,
            "deleted_at": null,
            "created_utc_timestamp": self.plain(contact.created),
            "updated_utc_timestamp": self.plain(contact.updated),
            "created_timestamp": self.plain(contact.created),
            "updated_timestamp": self.plain(contact.updated),
            "created_by": "0",
            "updated_by": "0",
            "mpp_tracking": "0",
            "best_send_hour": null,
            "sms_consent": null,
            "sms_consent_updated_at": null,
            "links": self.links("contacts", contact.id, CONTACT_LINKS),
            "id": contact.id.to_string(),
            "organization": null,
        });
        object(all)
    }

    /// As a list shows it: with a few members more.
    pub(super) fn listed(&self, contact: &Contact) -> Value {
        let mut out = self.contact(contact);
        for name in ["last_click_date", "last_open_date", "last_mpp_open_date", "whatsapp_id", "whatsapp_username"] {
            out.insert(name.to_owned(), Value::Null);
        }
        out.insert("scoreValues".to_owned(), json!([]));
        out.insert("accountContacts".to_owned(), json!([]));
        Value::Object(out)
    }

    /// As the answer to its creation shows it: with few members.
    pub(super) fn created(&self, contact: &Contact) -> Value {
        const SHOWN: &[&str] = &[
            "email",
            "firstName",
            "lastName",
            "cdate",
            "udate",
            "phone",
            "orgid",
            "orgname",
            "links",
            "id",
            "organization",
        ];
        let all = self.contact(contact).into_iter();
        Value::Object(all.filter(|(name, _)| SHOWN.contains(&name.as_str())).collect())
    }

    pub(super) fn field_value(&self, contact: u64, field: u64, value: &FieldValue) -> Value {
        json!({
            "contact": contact.to_string(),
            "field": field.to_string(),
            "value": value.value,
            "cdate": self.stamp(value.created),
            "udate": self.stamp(value.updated),
            "created_by": "0",
            "updated_by": "0",
            "links": self.links("fieldValues", value.id, &["owner", "field"]),
            "id": value.id.to_string(),
            "owner": contact.to_string(),
        })
    }

    pub(super) fn tagging(&self, contact: u64, tag: u64, tagging: &Tagging) -> Value {
        json!({
            "contact": contact.to_string(),
            "tag": tag.to_string(),
            "cdate": self.stamp(tagging.at),
            "created_timestamp": self.plain(tagging.at),
            "updated_timestamp": self.plain(tagging.at),
            "created_by": null,
            "updated_by": null,
            "links": self.links("contactTags", tagging.id, &["tag", "contact"]),
            "id": tagging.id.to_string(),
        })
    }

    pub(super) fn subscription(&self, contact: &Contact, list: u64, held: &Subscription) -> Value {
        const LINKS: &[&str] =
            &["automation", "list", "contact", "form", "autosyncLog", "campaign", "unsubscribeAutomation", "message"];
        json!({
            "contact": contact.id.to_string(),
            "list": list.to_string(),
            "form": null,
            "seriesid": "0",
            "sdate": self.stamp(held.since),
            "udate": held.left.map(|at| self.stamp(at)),
            "status": held.status.to_string(),
            "responder": "1",
            "sync": "0",
            "unsubreason": "",
            "campaign": null,
            "message": null,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "ip4Sub": "0",
            "sourceid": held.source.to_string(),
            "autosyncLog": null,
            "ip4_last": "0",
            "ip4Unsub": "0",
            "created_timestamp": self.plain(held.since),
            "updated_timestamp": self.plain(held.left.unwrap_or(held.since)),
            "created_by": null,
            "updated_by": null,
            "unsubscribeAutomation": null,
            "links": self.links("contactLists", held.id, LINKS),
            "id": held.id.to_string(),
            "automation": null,
        })
    }
}

/// The members of a value that was written as an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
