//! `convertLead`, `merge`, `undelete` and `emptyRecycleBin`: one result for each thing asked.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value};

use super::{SoapCall, answer, fault, xml::Element};
use crate::salesforce::{
    SalesforceOrg, State,
    console::escape,
    error::{ApiError, Outcome},
    events::Author,
    id::Id,
    rules::{self, LeadConversion, Writer},
};

/// Things that one call may ask for (SOAP API, "API Call Limits", read 2026-11-21).
const MAX_ASKED: usize = 200;

impl SalesforceOrg {
    pub(super) fn soap_records(&self, state: &mut State, call: &SoapCall<'_>) -> Response<Bytes> {
        let user = call.session.and_then(|token| state.tokens.user_of(token, call.now));
        let Some(user) = user else {
            return fault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session");
        };
        if state.usage.count(call.now) > self.config.daily_call_limit {
            return fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        }
        let (element, run): (&str, Run) = match call.asked.name.as_str() {
            "convertLead" => ("leadConverts", convert),
            "merge" => ("request", merge),
            "undelete" => ("ids", undelete),
            _ => ("ids", empty),
        };
        // Clients write `request` as the WSDL does, or `mergeRequests` as its type suggests.
        let asked = call.asked.children.iter();
        let asked: Vec<&Element> = asked.filter(|one| one.name == element || one.name == "mergeRequests").collect();
        if asked.len() > MAX_ASKED {
            return fault("EXCEEDED_ID_LIMIT", "too many records in one call");
        }
        let number = state.requests;
        state.world.enter(number, call.now);
        state
            .world
            .author(|| Author { user: user.as_str().to_owned(), origin: "com/salesforce/api/soap/66.0".to_owned() });
        let writer = Writer::plain(user, call.now);
        let results: String = asked
            .into_iter()
            .map(|one| {
                let mark = state.world.mark();
                let done = run(state, one, writer).inspect_err(|_| state.world.rollback(mark));
                result(one, done)
            })
            .collect();
        state.world.commit();
        answer(&call.asked.name, &results)
    }
}

/// Does one thing, and answers the members of its result.
type Run = fn(&mut State, &Element, Writer) -> Outcome<Vec<(&'static str, String)>>;

fn result(asked: &Element, done: Outcome<Vec<(&'static str, String)>>) -> String {
    let (members, success) = match done {
        Ok(members) => {
            let shown = members.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value)));
            (shown.collect::<String>(), true)
        }
        Err(error) => {
            let id = asked.told("leadId").map(|id| format!("<leadId>{}</leadId>", escape(id))).unwrap_or_default();
            let fields = error.fields.iter().flatten().map(|field| format!("<fields>{}</fields>", escape(field)));
            let fields: String = fields.collect();
            let (code, message) = (error.code, escape(&error.message));
            let errors =
                format!("<errors>{fields}<message>{message}</message><statusCode>{code}</statusCode></errors>");
            (format!("{errors}{id}"), false)
        }
    };
    format!("<result>{members}<success>{success}</success></result>")
}

fn parse(id: &str) -> Outcome<Id> {
    Id::parse(id.trim()).ok_or_else(|| ApiError::record("MALFORMED_ID", format!("malformed id {id}"), &[]))
}

fn convert(state: &mut State, asked: &Element, writer: Writer) -> Outcome<Vec<(&'static str, String)>> {
    let told = |name: &str| asked.told(name).map(str::to_owned);
    let flag = |name: &str| asked.told(name) == Some("true");
    let conversion = LeadConversion {
        lead_id: told("leadId").unwrap_or_default(),
        converted_status: told("convertedStatus").unwrap_or_default(),
        account_id: told("accountId"),
        contact_id: told("contactId"),
        do_not_create_opportunity: flag("doNotCreateOpportunity"),
        opportunity_name: told("opportunityName"),
        owner_id: told("ownerId"),
        overwrite_lead_source: flag("overwriteLeadSource"),
    };
    let became = rules::convert_lead(&mut state.world, &conversion, writer)?;
    let mut members =
        vec![("accountId", became.account_id), ("contactId", became.contact_id), ("leadId", became.lead_id)];
    members.extend(became.opportunity_id.map(|id| ("opportunityId", id)));
    Ok(members)
}

fn merge(state: &mut State, asked: &Element, writer: Writer) -> Outcome<Vec<(&'static str, String)>> {
    let missing = || ApiError::record("MISSING_ARGUMENT", "masterRecord not specified", &[]);
    let record = asked.child("masterRecord").ok_or_else(missing)?;
    let named = record.told("Id").or_else(|| record.told("id")).ok_or_else(missing)?;
    let master = parse(named)?;
    let losers = asked.all("recordToMergeIds").map(|id| parse(&id.text)).collect::<Outcome<Vec<Id>>>()?;
    let mut fields = Map::new();
    for field in &record.children {
        match field.name.as_str() {
            "type" | "Id" | "id" => {}
            "fieldsToNull" => {
                fields.insert(field.text.trim().to_owned(), Value::Null);
            }
            name => {
                fields.insert(name.to_owned(), field.text.as_str().into());
            }
        }
    }
    rules::merge(&mut state.world, master, &losers, &fields, writer)?;
    let mut members = vec![("id", master.as_str().to_owned())];
    members.extend(losers.iter().map(|id| ("mergedRecordIds", id.as_str().to_owned())));
    Ok(members)
}

fn undelete(state: &mut State, asked: &Element, writer: Writer) -> Outcome<Vec<(&'static str, String)>> {
    let id = parse(&asked.text)?;
    rules::undelete(&mut state.world, id, writer)?;
    Ok(vec![("id", id.as_str().to_owned())])
}

fn empty(state: &mut State, asked: &Element, _writer: Writer) -> Outcome<Vec<(&'static str, String)>> {
    let id = parse(&asked.text)?;
    // What was written so far must not be taken back over the gap that a purge leaves.
    state.world.commit();
    rules::purge(&mut state.world, id)?;
    Ok(vec![("id", id.as_str().to_owned())])
}
