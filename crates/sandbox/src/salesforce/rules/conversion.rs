//! Lead conversion: a lead becomes a contact of an account, with an opportunity if that is wanted, and is read-only then.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Op, Writer, insert, objects, repoint::repoint, touch, update};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    schema::ObjectDef,
    time,
    world::{Row, Slot, Val, World},
};

/// What `convertLead` is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeadConversion {
    pub lead_id: String,
    pub converted_status: String,
    /// Without it an account is made, named as the lead's company.
    pub account_id: Option<String>,
    /// Without it a contact is made.
    pub contact_id: Option<String>,
    pub do_not_create_opportunity: bool,
    pub opportunity_name: Option<String>,
    /// Who owns what is made; without it, the lead's owner.
    pub owner_id: Option<String>,
    pub overwrite_lead_source: bool,
}

/// What a lead became.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Converted {
    pub lead_id: String,
    pub account_id: String,
    pub contact_id: String,
    pub opportunity_id: Option<String>,
}

/// Statuses that end a lead, of the usual picklist.
const ENDING: [&str; 3] = ["Closed - Converted", "Qualified", "Converted"];
/// The stage in which an opportunity begins.
const FIRST_STAGE: &str = "Prospecting";
/// What an activity is: these move from the lead to the contact.
const ACTIVITIES: [&str; 3] = ["Event", "Task", "EventRelation"];
/// Fields of a lead, and those of the contact and the account that they become ("Lead conversion field mapping").
const TO_CONTACT: [(&str, &str); 14] = [
    ("Salutation", "Salutation"),
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Title", "Title"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Fax", "Fax"),
    ("LeadSource", "LeadSource"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
];
const TO_ACCOUNT: [(&str, &str); 9] = [
    ("Company", "Name"),
    ("Phone", "Phone"),
    ("Website", "Website"),
    ("Industry", "Industry"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
];

/// Converts a lead, whole or not at all.
pub fn convert(world: &mut World, asked: &LeadConversion, writer: Writer) -> Outcome<Converted> {
    let mark = world.mark();
    run(world, asked, writer).inspect_err(|_| world.rollback(mark))
}

fn run(world: &mut World, asked: &LeadConversion, writer: Writer) -> Outcome<Converted> {
    let lead = live(world, "Lead", &asked.lead_id)?;
    objects::not_converted(world, lead)?;
    if !ENDING.contains(&asked.converted_status.as_str()) {
        let message = format!("invalid convertedStatus: {}", asked.converted_status);
        return Err(ApiError::record("INVALID_STATUS", message, &[]));
    }
    let source = Lead::of(world, lead)?;
    let owner = match &asked.owner_id {
        Some(owner) => live(world, "User", owner)?.as_str().to_owned(),
        None => source.text("OwnerId"),
    };
    let known = asked.contact_id.as_ref().map(|id| live(world, "Contact", id)).transpose()?;
    let account = match (&asked.account_id, known.and_then(|contact| field(world, contact, "AccountId"))) {
        (Some(id), _) => live(world, "Account", id)?,
        (None, Some(Val::Ref(id))) => id,
        _ => make(world, "Account", source.mapped(&TO_ACCOUNT), &[("OwnerId", owner.as_str())], writer)?,
    };
    let contact = match known {
        Some(contact) => {
            complete(world, contact, &source, account, asked.overwrite_lead_source, writer)?;
            contact
        }
        None => {
            let own = [("OwnerId", owner.as_str()), ("AccountId", account.as_str())];
            make(world, "Contact", source.mapped(&TO_CONTACT), &own, writer)?
        }
    };
    let opportunity = if asked.do_not_create_opportunity {
        None
    } else {
        Some(sell(world, asked, &source, (account, contact), &owner, writer)?)
    };
    close(world, lead, asked, (account, contact, opportunity), writer);
    hand_over(world, lead, contact, &owner, writer);
    let text = |id: Id| id.as_str().to_owned();
    Ok(Converted {
        lead_id: text(lead),
        account_id: text(account),
        contact_id: text(contact),
        opportunity_id: opportunity.map(text),
    })
}

/// The values that a lead had.
struct Lead(Map<String, Value>);

impl Lead {
    fn of(world: &World, id: Id) -> Outcome<Self> {
        let (object, row) = row(world, id)?;
        Ok(Self(world.dump(object, row)))
    }

    fn text(&self, name: &str) -> String {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn mapped(&self, pairs: &[(&str, &str)]) -> Map<String, Value> {
        let there = pairs.iter().filter_map(|(from, to)| {
            let value = self.0.get(*from).filter(|value| !value.is_null())?;
            Some(((*to).to_owned(), value.clone()))
        });
        there.collect()
    }
}

fn row(world: &World, id: Id) -> Outcome<(usize, &Row)> {
    let (object, slot) = world.find(id).ok_or_else(ApiError::bad_reference)?;
    world.row(object, slot).map(|row| (object, row)).ok_or_else(ApiError::bad_reference)
}

/// A live record of this object.
fn live(world: &World, object: &str, id: &str) -> Outcome<Id> {
    let malformed = || ApiError::record("MALFORMED_ID", format!("malformed id {id}"), &[]);
    let id = Id::parse(id).ok_or_else(malformed)?;
    let (found, row) = row(world, id)?;
    if world.def(found).name != object {
        return Err(ApiError::bad_reference());
    }
    if row.deleted { Err(ApiError::deleted()) } else { Ok(row.id) }
}

fn field(world: &World, id: Id, name: &str) -> Option<Val> {
    let (object, row) = row(world, id).ok()?;
    row.stored(world.def(object).field_no(name)?).cloned()
}

fn make(
    world: &mut World,
    object: &str,
    mut record: Map<String, Value>,
    own: &[(&str, &str)],
    writer: Writer,
) -> Outcome<Id> {
    let object = world.schema.find(object).ok_or_else(ApiError::bad_reference)?;
    for (name, value) in own {
        record.insert((*name).to_owned(), (*value).into());
    }
    insert(world, object, &record, None, writer, Op::Create)
}

/// A contact that was there gets what it lacks, and the account if it had none.
fn complete(
    world: &mut World,
    contact: Id,
    lead: &Lead,
    account: Id,
    overwrite_source: bool,
    writer: Writer,
) -> Outcome<()> {
    let mut missing = lead.mapped(&TO_CONTACT);
    missing.insert("AccountId".into(), account.as_str().into());
    missing.retain(|name, _| (name == "LeadSource" && overwrite_source) || field(world, contact, name).is_none());
    let place = world.find(contact).ok_or_else(ApiError::bad_reference)?;
    if missing.is_empty() { Ok(()) } else { update(world, place, &missing, writer, Op::Update) }
}

fn sell(
    world: &mut World,
    asked: &LeadConversion,
    lead: &Lead,
    (account, contact): (Id, Id),
    owner: &str,
    writer: Writer,
) -> Outcome<Id> {
    let day = time::day_of(writer.now);
    let month = (day.month() - 1) / 3 * 3 + 3;
    let closes = day.with().day(1).month(month).build().map_or(day, |first| first.last_of_month());
    let name = asked.opportunity_name.clone().unwrap_or_else(|| lead.text("Company"));
    let record = json!({"Name": name, "StageName": FIRST_STAGE, "CloseDate": closes.to_string()});
    let record = record.as_object().cloned().unwrap_or_default();
    let own = [("OwnerId", owner), ("AccountId", account.as_str()), ("ContactId", contact.as_str())];
    make(world, "Opportunity", record, &own, writer)
}

/// The lead tells what it became. Who modified it last stays as it was; pollers see it by its `SystemModstamp`.
fn close(
    world: &mut World,
    lead: Id,
    asked: &LeadConversion,
    (account, contact, opportunity): (Id, Id, Option<Id>),
    writer: Writer,
) {
    let Some((object, slot)) = world.find(lead) else { return };
    let became = [
        ("Status", Some(Val::text(asked.converted_status.as_str()))),
        ("IsConverted", Some(Val::Bool(true))),
        ("ConvertedDate", Some(Val::Date(time::day_of(writer.now)))),
        ("ConvertedAccountId", Some(Val::Ref(account))),
        ("ConvertedContactId", Some(Val::Ref(contact))),
        ("ConvertedOpportunityId", opportunity.map(Val::Ref)),
    ];
    world.part();
    for (name, value) in became {
        set(world, object, slot, name, value);
    }
    touch(world, object, slot, writer);
}

/// The lead's activities are the contact's now; those of whoever converted it go to the new owner.
fn hand_over(world: &mut World, lead: Id, contact: Id, owner: &str, writer: Writer) {
    let account = field(world, contact, "AccountId");
    let mut own: Vec<(usize, Slot)> = Vec::new();
    for name in ["Event", "Task"] {
        let Some(object) = world.schema.find(name) else { continue };
        let def: &ObjectDef = world.def(object);
        let Some(who) = def.field_no("WhoId") else { continue };
        let slots = world.table(object).lookup(def, who, &Val::Ref(lead)).unwrap_or_default();
        own.extend(slots.iter().map(|slot| (object, *slot)));
    }
    repoint(world, lead, contact, Some(&ACTIVITIES), writer);
    for (object, slot) in own {
        let mine = field_at(world, object, slot, "OwnerId") == Some(Val::Ref(writer.user));
        if mine && field_at(world, object, slot, "IsChild") != Some(Val::Bool(true)) {
            set(world, object, slot, "OwnerId", Id::parse(owner).map(Val::Ref));
        }
        set(world, object, slot, "AccountId", account.clone());
    }
}

fn field_at(world: &World, object: usize, slot: Slot, name: &str) -> Option<Val> {
    world.row(object, slot)?.stored(world.def(object).field_no(name)?).cloned()
}

fn set(world: &mut World, object: usize, slot: Slot, name: &str, value: Option<Val>) {
    if let Some(no) = world.def(object).field_no(name) {
        world.set(object, slot, no, value);
    }
}
