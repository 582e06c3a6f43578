//! Whether an org has what the booking flow needs: a description per object, and one call each for rules, layouts,
//! limits and validation rules. What the answers mean is pure and stands in the two files below.

mod objects;
mod rules;

use serde::Deserialize;
use syncline_connect::{
    Answered, Cx, Error, Usage,
    records::{Finding, Remark, Uses},
};
use syncline_core::{ids::ObjectName, record::Role};

pub use self::objects::findings_of;
use self::rules::Row;
use super::{
    api, convert,
    settings::Org,
    soql::{ApiName, percent_encoded},
    wire::{CompositeAnswer, Describe, Layout, Layouts, QueryPage, SubRequest},
};

/// The objects that are written, in the order of the findings. A composite call cannot carry descriptions: one call each.
const WRITTEN: [Role; 6] = [Role::Meeting, Role::Contact, Role::Account, Role::Lead, Role::Case, Role::Opportunity];

/// Record types of the event whose layouts are looked at: one call each.
const RECORD_TYPES_MAX: usize = 5;

/// Codes by which an org says that its API, or the user's access to it, is switched off.
const API_OFF: &[&str] = &["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"];

/// Looks at everything, line by line.
pub async fn examine(cx: &Cx<'_>, uses: &Uses) -> Result<Answered<Vec<Remark>>, Error> {
    let org = Org::read(cx.settings, "check")?;
    let further = unnamed(&org, &uses.further);
    let mut look = Look { cx, org: &org, uses, further, remarks: Vec::new(), calls: 0, usage: None };
    match look.at_everything().await {
        Ok(()) => {}
        Err(error) if error.code.as_deref().is_some_and(|code| API_OFF.contains(&code)) => {
            look.remarks = vec![Remark::Lacks(api_off())];
        }
        Err(error) => return Err(error),
    }
    Ok(Answered { value: look.remarks, calls: look.calls, usage: look.usage })
}

/// The objects of further records that the operator did not name, each once. What is no name at all, no org has: that
/// is the mappings' own check to say.
fn unnamed(org: &Org, further: &[ObjectName]) -> Vec<ApiName> {
    let mut names: Vec<ApiName> = Vec::new();
    for name in further.iter().filter_map(|name| ApiName::parse(name.as_str())) {
        let same = |other: &ApiName| other.as_str().eq_ignore_ascii_case(name.as_str());
        if !org.custom_objects.iter().chain(&names).any(same) {
            names.push(name);
        }
    }
    names
}

fn api_off() -> Finding {
    Finding {
        problem: "the REST API is switched off for this org or for this user".to_owned(),
        fix: "grant API Enabled in the user's permission set; editions below Enterprise may need the API as an add-on"
            .to_owned(),
        blocking: true,
    }
}

/// An examination on its way.
struct Look<'a> {
    cx: &'a Cx<'a>,
    org: &'a Org,
    uses: &'a Uses,
    further: Vec<ApiName>,
    remarks: Vec<Remark>,
    calls: u32,
    usage: Option<Usage>,
}

impl Look<'_> {
    async fn at_everything(&mut self) -> Result<(), Error> {
        for role in WRITTEN {
            let object = convert::spec(role).object;
            let described = self.describe(object).await?;
            self.object(role, object, described.as_ref());
        }
        let described = self.describe(convert::spec(Role::Attendee).object).await?;
        self.remarks.extend(objects::attendee_findings(described.as_ref()).into_iter().map(Remark::Lacks));
        for object in &self.org.custom_objects {
            let described = self.describe(object.as_str()).await?;
            self.object(Role::Custom, object.as_str(), described.as_ref());
        }
        for object in std::mem::take(&mut self.further) {
            let described = self.describe(object.as_str()).await?;
            self.remarks.extend(objects::further_remark(self.org, object.as_str(), described.as_ref()));
            self.further.push(object);
        }
        self.rules().await?;
        self.layouts().await?;
        self.calls += 1;
        let (limits, used) = api::limits(self.cx, self.org).await?;
        self.note_usage(used);
        self.remarks.push(rules::limit(limits.as_ref().map(|limits| &limits.daily_api_requests)));
        self.validation_rules().await
    }

    async fn describe(&mut self, object: &str) -> Result<Option<Describe>, Error> {
        self.calls += 1;
        let (described, used) = api::describe(self.cx, self.org, object).await?;
        self.note_usage(used);
        Ok(described)
    }

    fn object(&mut self, role: Role, object: &str, described: Option<&Describe>) {
        let findings = findings_of(self.org, self.uses, role, object, described);
        if findings.is_empty() {
            self.remarks.push(objects::good(self.org, object));
        }
        self.remarks.extend(findings.into_iter().map(Remark::Lacks));
        if let (Role::Meeting, Some(described)) = (role, described) {
            self.remarks.push(objects::relation_remark(described));
        }
    }

    /// The three questions about the set-up in one call; each may be refused alone.
    async fn rules(&mut self) -> Result<(), Error> {
        let questions = [rules::DUPLICATE_RULES_SOQL, rules::ASSIGNMENT_RULES_SOQL, rules::USERS_SOQL];
        let request = |(at, soql): (usize, &&str)| SubRequest {
            method: "GET",
            url: format!("{}/query?q={}", self.org.root(), percent_encoded(soql)),
            reference_id: format!("q{at}"),
            http_headers: None,
            body: None,
        };
        let requests = questions.iter().enumerate().map(request).collect();
        self.calls += 1;
        let (answer, used) = api::composite(self.cx, self.org, requests).await?;
        self.note_usage(used);
        let [duplicates, assignments, users] = [0, 1, 2].map(|at| rows_of(&answer, at));
        self.remarks.push(rules::duplicate_rules(self.org, duplicates.as_deref()));
        self.remarks.push(rules::assignment_rules(self.org, assignments.as_deref()));
        self.remarks.push(rules::users(users.as_deref()));
        Ok(())
    }

    async fn layouts(&mut self) -> Result<(), Error> {
        let answer = self.layout_answer(None).await?.and_then(|answer| Layouts::deserialize(answer).ok());
        let layouts = match answer {
            None => None,
            Some(Layouts { layouts: Some(layouts), .. }) => Some(layouts),
            // Several record types: each has its own.
            Some(Layouts { layouts: None, record_type_mappings }) => {
                let available = record_type_mappings.into_iter().filter(|mapping| mapping.available);
                let mut layouts = Vec::new();
                for id in available.filter_map(|mapping| mapping.record_type_id).take(RECORD_TYPES_MAX) {
                    let answer = self.layout_answer(Some(&id)).await?;
                    layouts.extend(answer.and_then(|answer| Layout::deserialize(answer).ok()));
                }
                Some(layouts)
            }
        };
        self.remarks.push(rules::attendee_lists(layouts.as_deref()));
        Ok(())
    }

    async fn layout_answer(&mut self, record_type: Option<&str>) -> Result<Option<serde_json::Value>, Error> {
        self.calls += 1;
        let (answer, used) = api::layouts(self.cx, self.org, convert::spec(Role::Meeting).object, record_type).await?;
        self.note_usage(used);
        Ok(answer)
    }

    async fn validation_rules(&mut self) -> Result<(), Error> {
        self.calls += 1;
        let (page, used) = api::tooling(self.cx, self.org, rules::VALIDATION_RULES_SOQL).await?;
        self.note_usage(used);
        let custom = self.org.custom_objects.iter().chain(&self.further).map(|object| object.as_str());
        let objects: Vec<&str> = WRITTEN.map(|role| convert::spec(role).object).into_iter().chain(custom).collect();
        self.remarks.push(rules::validation_rules(&objects, page.as_ref().map(|page| page.records.as_slice())));
        Ok(())
    }

    fn note_usage(&mut self, used: Option<Usage>) {
        self.usage = used.or(self.usage);
    }
}

/// The rows of one question; `None` where it was refused.
fn rows_of(answer: &CompositeAnswer, at: usize) -> Option<Vec<Row>> {
    let reference = format!("q{at}");
    let answer = answer.composite_response.iter().find(|answer| answer.reference_id == reference)?;
    QueryPage::deserialize(&answer.body).ok().map(|page| page.records)
}
