//! What marks are called where the file does not say so.

use syncline_connect::mirror::MarkSpec;

use super::{Config, refused};

const TAGS: MarkSpec = MarkSpec { field: "tags", free: true, reads: &[] };
const LISTS: MarkSpec = MarkSpec { field: "listIds", free: false, reads: &[] };

fn file(contacts: &str, leads: &str) -> String {
    let pair = |name: &str, left: &str, more: &str| {
        format!(
            "[[records.pairs]]\nname = \"{name}\"\nleft = \"{left}\"\nright = \"contact\"\n{more}\n\
             [[records.pairs.fields]]\nleft = \"Email\"\nright = \"email\"\n"
        )
    };
    format!(
        "[[connections]]\nname = \"a\"\nvendor = \"salesforce\"\nclient_id = \"x\"\n\
         [[connections]]\nname = \"b\"\nvendor = \"activecampaign\"\ngrant = \"key\"\napi_key = \"env:B\"\nurl = \"https://b.example/api/3\"\n\
         [[records]]\nname = \"people\"\nleft = \"a\"\nright = \"b\"\n{}{}",
        pair("contacts", "Contact", contacts),
        pair("leads", "Lead", leads),
    )
}

fn named(text: &str, spec: MarkSpec) -> String {
    let config = Config::parse(text).expect("the file is sound");
    let records = &config.records[0];
    let line = |pair: &crate::config::PairConfig| match records.marks(pair, "salesforce", spec) {
        Ok(Some(marks)) => {
            let converted = marks.converted.as_deref().unwrap_or("-");
            format!("{}: {}, {}, {converted}; beside {:?}", pair.name, marks.added, marks.created, marks.others)
        }
        Ok(None) => format!("{}: none", pair.name),
        Err(error) => format!("{error:#}"),
    };
    records.pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// proves: R8
#[test]
fn tags_have_names_of_their_own() {
    let both = named(&file("marks = {}", "marks = {}"), TAGS);
    let lines = [
        "contacts: added-to-salesforce-contact, created-from-salesforce-contact, salesforce-lead-converted-to-contact; \
         beside {\"added-to-salesforce-lead\", \"created-from-salesforce-lead\", \"salesforce-contact-converted-to-lead\"}",
        "leads: added-to-salesforce-lead, created-from-salesforce-lead, salesforce-contact-converted-to-lead; \
         beside {\"added-to-salesforce-contact\", \"created-from-salesforce-contact\", \"salesforce-lead-converted-to-contact\"}",
    ];
    assert_eq!(both, lines.join("\n"));
    let own = named(&file("marks = { created = \"from the CRM\", only_marked = true }", ""), TAGS);
    let contacts =
        "contacts: added-to-salesforce-contact, from the CRM, salesforce-lead-converted-to-contact; beside {}";
    assert_eq!(own, format!("{contacts}\nleads: none"));
}

/// proves: R8
#[test]
fn lists_have_to_be_named() {
    let told = named(&file("marks = { added = \"11\" }", ""), LISTS);
    assert_eq!(told, "pair `contacts`: give `marks.created`: there is no tag, so name a list\nleads: none");
    let told = refused(&file("marks = { added = \"a;b\" }", ""));
    assert!(told.contains("`a;b` cannot be a mark"), "{told}");
}
