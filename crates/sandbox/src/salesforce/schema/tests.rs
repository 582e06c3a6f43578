//! The built-in objects are whole, and describes have the published shape.

use serde_json::Value;

use super::Schema;
use crate::salesforce::{CustomObject, SalesforceConfig, testkit::Kit};

#[test]
fn required_fields_are_those_of_the_genuine_describes() {
    let schema = Schema::new(&SalesforceConfig::default());
    let required = |name: &str| -> Vec<String> {
        let def = schema.def(schema.find(name).expect("a known object"));
        def.required.iter().map(|no| def.field(*no).name.clone()).collect()
    };
    assert_eq!(required("Account"), ["Name"]);
    assert_eq!(required("Contact"), ["LastName"]);
    assert_eq!(required("Lead"), ["LastName", "Company"]);
    assert_eq!(required("Opportunity"), ["Name", "StageName", "CloseDate"]);
    assert_eq!(required("OpportunityContactRole"), ["OpportunityId", "ContactId"]);
    assert!(required("Case").is_empty() && required("Event").is_empty());
}

#[test]
fn prefixes_are_unique_and_names_are_found_in_any_case() {
    let schema = Schema::new(&SalesforceConfig::default());
    for (no, def) in schema.objects.iter().enumerate() {
        assert_eq!(schema.by_prefix(&def.prefix), Some(no), "{}", def.name);
        assert_eq!(schema.find(&def.name.to_uppercase()), Some(no));
    }
}

#[test]
fn a_describe_tells_all_about_a_field() {
    let kit = Kit::new();
    let got = kit.get("/sobjects/Event/describe");
    let fields = got.body["fields"].as_array().cloned().unwrap_or_default();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).cloned().unwrap_or(Value::Null);
    assert_eq!(field("Subject")["length"], 255);
    assert_eq!(field("Subject").as_object().map_or(0, serde_json::Map::len), 57);
    assert_eq!(field("ShowAs")["picklistValues"][0]["value"], "Busy");
    assert_eq!(field("ShowAs")["restrictedPicklist"], true);
    assert_eq!(field("Syncline_Uid__c")["unique"], true);
    assert_eq!(field("Meeting_Status__c")["picklistValues"][2]["value"], "Cancelled");
    assert_eq!(field("EventWhoIds"), Value::Null);
    let shared = Kit::with(SalesforceConfig { shared_activities: true, ..SalesforceConfig::default() });
    assert!(shared.get("/sobjects/Event/describe").text.contains("\"EventWhoIds\""));
}

#[test]
fn an_org_may_bring_its_own_objects() {
    let config = SalesforceConfig {
        custom_objects: vec![CustomObject {
            name: "Visit__c".into(),
            label: "Visit".into(),
            label_plural: "Visits".into(),
        }],
        ..SalesforceConfig::default()
    };
    let kit = Kit::with(config);
    let id = kit.create("Visit__c", serde_json::json!({"Name": "First"}));
    assert!(id.starts_with("a00"), "{id}");
    assert_eq!(kit.column("SELECT Name FROM Visit__c", "Name"), ["First"]);
}
