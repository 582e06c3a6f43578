//! Marks: tags in one tool, lists in another, that say where a record came from; and records that are made in the CRM
//! because a mark asks for it.

use std::collections::BTreeSet;

use serde_json::{Map, json};
use syncline_core::merge::{Direction, MarkDraft, PairDraft};
use syncline_engine::records::RecordFlow;
use syncline_sandbox::salesforce::LeadConversion;

use super::{
    company::{Company, fields},
    desk::add,
};

/// The names that the settings give where nobody says otherwise.
pub fn tags(pairs: &mut [PairDraft], field: &str, only_marked: bool) {
    for (pair, other) in [(0, "lead"), (1, "contact")] {
        let kind = ["contact", "lead"][pair];
        pairs[pair].marks = Some(MarkDraft {
            field: field.to_owned(),
            added: format!("added-to-salesforce-{kind}"),
            created: format!("created-from-salesforce-{kind}"),
            converted: Some(format!("salesforce-{other}-converted-to-{kind}")),
            others: BTreeSet::from([
                format!("added-to-salesforce-{other}"),
                format!("created-from-salesforce-{other}"),
                format!("salesforce-{kind}-converted-to-{other}"),
            ]),
            only_marked,
        });
    }
}

/// Only the integration with ActiveCampaign, which has tags.
async fn tagged(only_marked: bool) -> Company {
    Company::changed(|flows: &mut Vec<RecordFlow>| {
        flows.remove(2);
        flows.remove(0);
        tags(&mut flows[0].pairs, "tags", only_marked);
    })
    .await
}

impl Company {
    /// The tags of a contact in the tool.
    fn tags(&self, email: &str) -> Vec<String> {
        let contact = self.campaign.contact(self.campaign_id(email)).expect("it is there");
        let mut tags: Vec<String> = contact["tags"]
            .as_array()
            .expect("tags")
            .iter()
            .map(|tag| tag.as_str().expect("text").to_owned())
            .collect();
        tags.sort();
        tags
    }

    pub fn seed(&self, object: &str, email: &str) -> String {
        let record = json!({ "LastName": "Lovelace", "Company": "Engines", "Email": email });
        let mut record = fields(record);
        if object == "Contact" {
            record.remove("Company");
        }
        self.org.seed(object, &record).expect("the record is sound")
    }

    pub fn campaign_contact(&self, email: &str, tags: &[&str]) -> u64 {
        let id = self.campaign.add_contact(&fields(json!({ "email": email, "lastName": "King" }))).expect("sound");
        for tag in tags {
            self.campaign.set_tag(id, tag, true);
        }
        id
    }

    pub fn live(&self, object: &str) -> usize {
        let live = |record: &&Map<String, serde_json::Value>| {
            record["IsDeleted"] != json!(true) && record.get("IsConverted") != Some(&json!(true))
        };
        self.org.records(object).iter().filter(live).count()
    }
}

/// Who is made in the tool bears the tag of where it came from, written with the contact itself; who was there already
/// bears another; when a lead becomes a contact one tag takes the place of the other, and what people tagged stays.
///
/// proves: R8
#[tokio::test]
async fn tags_say_where_a_contact_came_from() {
    let company = tagged(false).await;
    for n in 0..12 {
        company.seed("Contact", &format!("c{n:02}@example.org"));
    }
    let lead = company.seed("Lead", "lead@example.org");
    company.seed("Contact", "known@example.org");
    company.campaign_contact("known@example.org", &["newsletter"]);
    company.calm().await;
    assert_eq!(company.tags("c03@example.org"), ["created-from-salesforce-contact"]);
    assert_eq!(company.tags("lead@example.org"), ["created-from-salesforce-lead"]);
    assert_eq!(company.tags("known@example.org"), ["added-to-salesforce-contact", "newsletter"]);
    let puts: u64 =
        company.campaign.call_counts().iter().filter(|(call, _)| call.contains("contactTags")).map(|(_, n)| n).sum();
    assert!(puts <= 1, "tags go with the contacts: {:?}", company.campaign.call_counts());

    let id = company.campaign_id("lead@example.org");
    company.campaign.set_tag(id, "vip", true);
    let conversion = LeadConversion {
        lead_id: lead,
        converted_status: "Closed - Converted".to_owned(),
        do_not_create_opportunity: true,
        ..LeadConversion::default()
    };
    company.org.convert_lead(&conversion).expect("the lead is converted");
    company.calm().await;
    assert_eq!(company.tags("lead@example.org"), ["salesforce-lead-converted-to-contact", "vip"]);

    let id = company.campaign_id("c03@example.org");
    company.campaign.set_tag(id, "created-from-salesforce-contact", false);
    company.calm().await;
    assert!(company.tags("c03@example.org").is_empty(), "what a person takes away stays away");
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}

/// With `only_marked`, what changes on a contact without a tag stays in the tool; with the tag it reaches the CRM.
///
/// proves: R8
#[tokio::test]
async fn only_tagged_contacts_flow_back() {
    let company = tagged(true).await;
    company.seed("Contact", "ada@example.org");
    company.calm().await;
    let id = company.campaign_id("ada@example.org");
    company.campaign.set_tag(id, "created-from-salesforce-contact", false);
    company.campaign.edit(id, &fields(json!({ "firstName": "Augusta" }))).expect("the edit is sound");
    company.calm().await;
    assert_eq!(company.contact("ada@example.org")["FirstName"], json!(null), "it bears no tag");
    company.campaign.set_tag(id, "added-to-salesforce-contact", true);
    company.calm().await;
    assert_eq!(company.contact("ada@example.org")["FirstName"], json!("Augusta"));
}

/// A contact of the tool becomes a contact or a lead of the CRM when it is tagged so, once; without a tag nothing is made,
/// and whoever is there already is tied and not doubled.
///
/// proves: R9, R10
#[tokio::test]
async fn a_tag_asks_for_a_record_in_the_crm() {
    let company = Company::changed(|flows| {
        flows.remove(2);
        flows.remove(0);
        tags(&mut flows[0].pairs, "tags", false);
        // A lead has to have a company, which the tool does not know.
        flows[0].pairs.iter_mut().for_each(|pair| pair.on_request = true);
        let company = super::desk::both_ways("Company", "lastName");
        flows[0].pairs[1].rows.push(syncline_core::merge::RuleDraft { direction: Direction::ToLeft, ..company });
    })
    .await;
    let silent = company.campaign_contact("silent@example.org", &[]);
    company.campaign_contact("contact@example.org", &["added-to-salesforce-contact"]);
    company.campaign_contact("lead@example.org", &["added-to-salesforce-lead"]);
    company.seed("Contact", "known@example.org");
    company.campaign_contact("known@example.org", &["added-to-salesforce-lead"]);
    company.calm().await;
    assert_eq!((company.live("Contact"), company.live("Lead")), (2, 1));
    assert_eq!(company.contact("contact@example.org")["LastName"], json!("King"));
    company.campaign.set_tag(silent, "added-to-salesforce-contact", true);
    company.calm().await;
    assert_eq!((company.live("Contact"), company.live("Lead")), (3, 1));
    assert_eq!(company.calm().await, 0, "nothing is left to write");
    assert_eq!((company.live("Contact"), company.live("Lead")), (3, 1));
}

/// A tool without tags uses lists, and a contact's other lists stay as they are.
///
/// proves: R8
#[tokio::test]
async fn lists_do_where_there_are_no_tags() {
    let company = Company::changed(|flows| {
        flows.truncate(1);
        for (pair, (added, created)) in flows[0].pairs.iter_mut().zip([("3", "4"), ("5", "6")]) {
            let others = if added == "3" { ["5", "6"] } else { ["3", "4"] };
            pair.marks = Some(MarkDraft {
                field: "listIds".to_owned(),
                added: added.to_owned(),
                created: created.to_owned(),
                converted: (added == "3").then(|| "3".to_owned()),
                others: others.map(str::to_owned).into(),
                only_marked: false,
            });
            pair.right.read.push("listUnsubscribed".to_owned());
        }
    })
    .await;
    company.seed("Contact", "ada@example.org");
    let known = add(&company.brevo, "known@example.org", json!({}));
    company.brevo.set_on_list(known, 2, true).expect("there is such a list");
    company.seed("Contact", "known@example.org");
    company.calm().await;
    let lists = |email: &str| {
        let id = company.brevo.contact_with_email(email).expect("it is there");
        company.brevo.contact(id).expect("it is there")["listIds"].clone()
    };
    assert_eq!(lists("ada@example.org"), json!([4]));
    assert_eq!(lists("known@example.org"), json!([2, 3]));
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}
