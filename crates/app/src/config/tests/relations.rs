//! Fields that name other records, and the example of the documents.

use syncline_core::merge::Direction;

use super::refused;
use crate::config::Config;

/// The page that explains deals, from its own chapter on.
const PAGE: &str = include_str!("../../../../../docs/records.md");

const CONNECTIONS: &str = "[[connections]]\nname = \"salesforce\"\nvendor = \"salesforce\"\nclient_id = \"x\"\n\
    [[connections]]\nname = \"hubspot\"\nvendor = \"hubspot\"\nclient_id = \"x\"\nclient_secret = \"file:hubspot.key\"\n";

fn example() -> String {
    let chapter = PAGE.split_once("## Opportunities into deals").expect("the chapter is there").1;
    let (_, from) = chapter.split_once("```toml\n").expect("it has an example");
    let (toml, _) = from.split_once("```").expect("the example ends");
    format!("{CONNECTIONS}{toml}")
}

/// The example of the documents works as it stands there: deals name their person and their company, one way.
///
/// proves: R1, R7
#[test]
fn the_example_of_deals_is_accepted() {
    let config = Config::parse(&example()).expect("the example works");
    let pairs = config.records[0].drafts().expect("its pairs are sound");
    let deals = pairs.iter().find(|pair| pair.name == "deals").expect("there are deals");
    let named: Vec<(&str, &str, &[String])> = deals
        .rows
        .iter()
        .filter(|row| !row.right.counterpart_in.is_empty())
        .map(|row| (row.left.field.as_str(), row.right.field.as_str(), row.right.counterpart_in.as_slice()))
        .collect();
    let (contacts, companies) = (["contacts".to_owned()], ["companies".to_owned()]);
    assert_eq!(
        named,
        [
            ("ContactId", "associations.contacts", &contacts[..]),
            ("AccountId", "associations.companies", &companies[..])
        ]
    );
    assert!(deals.rows.iter().all(|row| row.direction == Direction::ToRight), "nothing of a deal comes back");
}

/// What a reference cannot be is refused with its reason.
///
/// proves: R2, R7
#[test]
fn references_go_one_way_to_a_pair_that_is_there() {
    let with = |old: &str, new: &str| refused(&example().replacen(old, new, 1));
    let unknown = with("refers_to = [\"contacts\"]", "refers_to = [\"people\"]");
    assert!(unknown.contains("`refers_to` names the pair `people`"), "{unknown}");
    let back = with("refers_to = [\"contacts\"]", "refers_to = [\"contacts\"]\ndirection = \"to_left\"");
    assert!(back.contains("carries counterparts to the right"), "{back}");
    let renamed = with("refers_to = [\"contacts\"]", "refers_to = [\"contacts\"]\nright_options = { a = \"b\" }");
    assert!(renamed.contains("take its options and conversions away"), "{renamed}");
}
