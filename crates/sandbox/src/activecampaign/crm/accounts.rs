//! Accounts over HTTP, and the contacts that belong to them.

use http::Method;
use serde_json::{Map, Value, json};

use super::{Account, Member, gone, known};
use crate::{
    activecampaign::{
        Act, State,
        answers::{Answer, Asked, Refused, id_of, text_of, unknown},
        contacts::no_contact,
        shapes::{Shapes, object},
    },
    journal::EffectKind,
    web::json as answer,
};

/// Puts a contact into the account of this name, made where there is none.
pub(in crate::activecampaign) fn link_account(state: &mut State, act: &Act, contact: u64, name: &str) {
    let known = state.crm.by_name.get(name).copied();
    let account = known.unwrap_or_else(|| add_account(state, act, name, None));
    // Nobody belongs to two accounts.
    if state.crm.members_of(contact).next().is_none() {
        add_member(state, act, account, contact, String::new());
    }
}

fn add_account(state: &mut State, act: &Act, name: &str, url: Option<String>) -> u64 {
    let id = state.number("account");
    let account =
        Account { name: name.into(), url, owner: "1".into(), fields: Vec::new(), created: act.now, updated: act.now };
    state.crm.accounts.insert(id, account);
    state.crm.by_name.insert(name.to_owned(), id);
    let fields = Map::from_iter([("name".to_owned(), Value::from(name))]);
    state.journal.note(act.now, &act.actor, EffectKind::Created, "account", id, fields);
    id
}

fn add_member(state: &mut State, act: &Act, account: u64, contact: u64, job_title: String) -> u64 {
    let id = state.number("accountContact");
    let fields = json!({"account": account, "contact": contact, "jobTitle": job_title});
    let member = Member { account, contact, job_title, created: act.now, updated: act.now };
    state.crm.join(id, member);
    state.journal.note(act.now, &act.actor, EffectKind::Created, "accountContact", id, object(fields));
    id
}

pub(super) fn accounts(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => {
            let search = asked.param("search").map(str::to_lowercase);
            let fits =
                |account: &Account| search.as_ref().is_none_or(|part| account.name.to_lowercase().contains(part));
            let found = state.crm.accounts.iter().filter(|(_, account)| fits(account));
            Ok(asked.page("accounts", found, |(id, _)| shown_account(state, shapes, *id)))
        }
        (&Method::POST, []) => {
            let given = asked.object("account")?;
            let missing = || Refused::attribute("The account name was not provided.", "field_missing", "name");
            let name = text_of(given.get("name")).filter(|name| !name.is_empty()).ok_or_else(missing)?;
            is_free(state, &name, None)?;
            let id = add_account(state, act, &name, text_of(given.get("accountUrl")));
            if let Some(account) = state.crm.accounts.get_mut(&id) {
                take(account, given);
            }
            Ok(answer(201, &json!({"account": written_account(state, shapes, id)})))
        }
        (_, [id]) => {
            let id = known(&state.crm.accounts, "Account", id)?;
            match *method {
                Method::DELETE => {
                    if let Some(account) = state.crm.accounts.remove(&id) {
                        state.crm.by_name.remove(&account.name);
                    }
                    let members = state.crm.members.iter().filter(|(_, member)| member.account == id);
                    let members: Vec<u64> = members.map(|(member, _)| *member).collect();
                    members.into_iter().for_each(|member| state.crm.leave(member));
                    gone(state, act, "account", id)
                }
                Method::PUT | Method::PATCH => {
                    change(state, act, id, asked.object("account")?)?;
                    Ok(answer(200, &json!({"account": written_account(state, shapes, id)})))
                }
                Method::GET => Ok(answer(200, &json!({"account": shown_account(state, shapes, id)}))),
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

/// Changes an account, which is there.
pub(in crate::activecampaign) fn change(
    state: &mut State,
    act: &Act,
    id: u64,
    given: &Map<String, Value>,
) -> Result<(), Refused> {
    let name = text_of(given.get("name")).filter(|name| !name.is_empty());
    if let Some(name) = &name {
        is_free(state, name, Some(id))?;
    }
    let Some(account) = state.crm.accounts.get_mut(&id) else { return Err(Refused::no_result("Account", id)) };
    state.crm.by_name.remove(&account.name);
    account.name = name.unwrap_or_else(|| account.name.clone());
    account.url = text_of(given.get("accountUrl")).or_else(|| account.url.take());
    take(account, given);
    account.updated = act.now;
    state.crm.by_name.insert(account.name.clone(), id);
    state.journal.note(act.now, &act.actor, EffectKind::Updated, "account", id, given.clone());
    Ok(())
}

/// No two accounts bear one name.
fn is_free(state: &State, name: &str, own: Option<u64>) -> Result<(), Refused> {
    match state.crm.by_name.get(name) {
        Some(known) if Some(*known) != own => {
            let says = format!("An account named \"{name}\" already exists. Please choose a new name.");
            Err(Refused::attribute(&says, "duplicate", "name"))
        }
        _ => Ok(()),
    }
}

/// Its owner, and the values of custom fields.
fn take(account: &mut Account, given: &Map<String, Value>) {
    if let Some(owner) = text_of(given.get("owner")) {
        account.owner = owner;
    }
    for field in given.get("fields").and_then(Value::as_array).into_iter().flatten() {
        account.fields.retain(|known| id_of(known.get("customFieldId")) != id_of(field.get("customFieldId")));
        account.fields.push(field.clone());
    }
}

/// The values of custom fields, of all accounts or of one.
pub(super) fn values(state: &State, shapes: &Shapes, asked: &Asked) -> Answer {
    let wanted = asked.number("filters[customerAccountId]");
    let accounts = state.crm.accounts.iter().filter(|(id, _)| wanted.is_none_or(|wanted| wanted == **id));
    let rows = accounts.flat_map(|(id, account)| account.fields.iter().map(move |field| (*id, account, field)));
    Ok(asked.page("accountCustomFieldData", rows, |(id, account, field)| {
        let number = id_of(field.get("customFieldId")).unwrap_or_default();
        json!({"id": format!("{id}{number}"), "accountCustomFieldMetumId": number, "accountId": id,
               "customFieldId": number, "createdTimestamp": shapes.stamp(account.created),
               "updatedTimestamp": shapes.stamp(account.updated), "fieldValue": field.get("fieldValue")})
    }))
}

pub(super) fn shown_account(state: &State, shapes: &Shapes, id: u64) -> Value {
    const LINKS: &[&str] =
        &["notes", "accountCustomFieldData", "accountContacts", "emailActivities", "contactEmails", "owner"];
    let account = &state.crm.accounts[&id];
    let members = state.crm.headcount.get(&id).copied().unwrap_or_default();
    let deals = state.crm.deals.values().filter(|deal| deal.account == Some(id)).count();
    json!({"name": account.name, "accountUrl": account.url, "createdTimestamp": shapes.stamp(account.created),
           "updatedTimestamp": shapes.stamp(account.updated), "owner": account.owner, "contactCount": members.to_string(),
           "dealCount": deals.to_string(), "links": shapes.links("accounts", id, LINKS), "id": id.to_string()})
}

/// As the answer to a change shows it.
fn written_account(state: &State, shapes: &Shapes, id: u64) -> Value {
    let mut out = object(shown_account(state, shapes, id));
    out.remove("contactCount");
    out.remove("dealCount");
    out.insert("customFieldSaveStatus".into(), json!({"status": "success"}));
    let of = |field: &Value| {
        let mut field = field.clone();
        field["accountId"] = id.to_string().into();
        field
    };
    let fields: Vec<Value> = state.crm.accounts[&id].fields.iter().map(of).collect();
    out.insert("fields".into(), fields.into());
    Value::Object(out)
}

pub(super) fn members(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => {
            let (contact, account) = (asked.number("filters[contact]"), asked.number("filters[account]"));
            let fits = |member: &Member| {
                contact.is_none_or(|id| member.contact == id) && account.is_none_or(|id| member.account == id)
            };
            let found = state.crm.members.iter().filter(|(_, member)| fits(member));
            Ok(asked.page("accountContacts", found, |(id, member)| shown_member(shapes, *id, member)))
        }
        (&Method::POST, []) => {
            let given = asked.object("accountContact")?;
            let missing = |name: &str| {
                Refused::attribute(&format!("The {name} attribute was not provided"), "field_missing", name)
            };
            let account = id_of(given.get("account")).ok_or_else(|| missing("account"))?;
            let contact = id_of(given.get("contact")).ok_or_else(|| missing("contact"))?;
            if !state.crm.accounts.contains_key(&account) {
                return Err(Refused::no_result("Account", account));
            }
            state.book.get(contact).ok_or_else(|| no_contact(contact))?;
            if state.crm.members_of(contact).next().is_some() {
                let says = "This contact is already associated with an account. We currently do not support contacts on \
                            multiple accounts.";
                return Err(Refused::attribute(says, "field_invalid", "account,contact"));
            }
            let id = add_member(state, act, account, contact, text_of(given.get("jobTitle")).unwrap_or_default());
            let mut shown = shown_member(shapes, id, &state.crm.members[&id]);
            // Numbers here, text elsewhere.
            (shown["account"], shown["contact"]) = (account.into(), contact.into());
            Ok(answer(201, &json!({"accountContact": shown})))
        }
        (_, [id]) => {
            let id = known(&state.crm.members, "CustomerAccountSubscriber", id)?;
            match *method {
                Method::DELETE => {
                    state.crm.leave(id);
                    return gone(state, act, "accountContact", id);
                }
                Method::PUT | Method::PATCH => {
                    let given = asked.object("accountContact")?;
                    let title = text_of(given.get("jobTitle"));
                    let account = id_of(given.get("account"));
                    if let Some(account) = account.filter(|account| !state.crm.accounts.contains_key(account)) {
                        return Err(Refused::no_result("Account", account));
                    }
                    if let Some(member) = state.crm.members.get(&id) {
                        let member = Member {
                            account: account.unwrap_or(member.account),
                            job_title: title.unwrap_or_else(|| member.job_title.clone()),
                            updated: act.now,
                            ..*member
                        };
                        state.crm.leave(id);
                        state.crm.join(id, member);
                    }
                    state.journal.note(act.now, &act.actor, EffectKind::Updated, "accountContact", id, given.clone());
                }
                Method::GET => {}
                _ => return Err(unknown()),
            }
            Ok(answer(200, &json!({"accountContact": shown_member(shapes, id, &state.crm.members[&id])})))
        }
        _ => Err(unknown()),
    }
}

pub(super) fn shown_member(shapes: &Shapes, id: u64, member: &Member) -> Value {
    json!({"account": member.account.to_string(), "contact": member.contact.to_string(),
           "jobTitle": member.job_title, "createdTimestamp": shapes.stamp(member.created),
           "updatedTimestamp": shapes.stamp(member.updated),
           "links": shapes.links("accountContacts", id, &["account", "contact"]), "id": id.to_string()})
}
