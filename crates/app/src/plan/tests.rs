//! What holds for every two files, and how a plan reads.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};
use syncline_store::FlowStanding;

use super::{
    Known, LISTS, Plan,
    compare::{Leaves, compare},
    follows, kept, masked, show,
};
use crate::config::Config;

/// Settings of any shape: tables, lists of tables with and without names, scalars.
fn settings() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_u8).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
        vec("[ab]", 0..3).prop_map(Value::from),
    ];
    let key = || prop_oneof![Just("name"), Just("left"), Just("right"), Just("field"), Just("pairs"), Just("x")];
    let table = scalar.prop_recursive(3, 24, 4, move |inner| {
        let table = vec((key(), inner.clone()), 0..4).prop_map(table_of);
        prop_oneof![table.clone(), vec(table, 0..4).prop_map(Value::from)]
    });
    let list = (0..LISTS.len()).prop_map(|place| LISTS[place]);
    vec((prop_oneof![list, Just("engine"), Just("database")], table), 0..5).prop_map(table_of)
}

fn table_of(pairs: Vec<(&'static str, Value)>) -> Value {
    Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

proptest! {
    /// proves: O4
    #[test]
    fn a_plan_of_equal_files_is_empty(settings in settings()) {
        prop_assert!(Plan::between(Some(&settings), &settings).is_empty());
    }

    /// What was applied is what the next plan is compared with, through the text that is kept.
    ///
    /// proves: O4
    #[test]
    fn a_plan_of_what_was_applied_is_empty(
        database in prop_oneof![Just(""), Just("database = \"postgres://a:b@c/d?password=e&sslmode=require\"\n")],
        workers in proptest::option::of(0..20_u8),
        hours in 1..744_u16,
        [select, to_right] in proptest::array::uniform2("[a-z'\\\\ {}|]{0,12}"),
        marks in any::<bool>(),
    ) {
        let workers = workers.map(|workers| format!("[engine]\nworkers = {workers}\n")).unwrap_or_default();
        let marks = if marks { "[records.pairs.marks]\n" } else { "" };
        let records = BEFORE
            .replace("right = \"newsletter\"", &format!("right = \"newsletter\"\nsweep_hours = {hours}"))
            .replace("right = \"contact\"", &format!("right = \"contact\"\nselect = {}\n{marks}", toml_text(&select)))
            .replace("prefer = \"newest\"", &format!("to_right = {}", toml_text(&to_right)));
        let Ok(config) = toml::from_str::<Config>(&format!("{database}{workers}{records}")) else {
            return Err(TestCaseError::fail("it is a file"));
        };
        let applied = masked(&config);
        let stored = kept(&applied.to_string()).expect("it was written as JSON");
        let plan = Plan::between(Some(&stored), &applied);
        prop_assert!(plan.is_empty(), "{:?}", plan.changes);
    }

    /// The changes, carried out on what was there before, give what is there afterwards, and no place is named twice.
    ///
    /// proves: O4
    #[test]
    fn every_changed_value_is_named_exactly_once(before in settings(), after in settings()) {
        let (old, new) = (Leaves::of(&before), Leaves::of(&after));
        let mut carried_out: BTreeMap<_, _> = old.values.clone();
        let mut named = Vec::new();
        for change in compare(&old, &new) {
            prop_assert!(!named.contains(&change.path), "{:?} is named twice", change.path);
            prop_assert_ne!(&change.before, &change.after);
            if !old.values.contains_key(&change.path) && !new.values.contains_key(&change.path) {
                prop_assert!(old.orders.contains_key(&change.path), "a list in another order");
                named.push(change.path);
                continue;
            }
            prop_assert_eq!(carried_out.get(&change.path), change.before.as_ref());
            match change.after {
                Some(value) => carried_out.insert(change.path.clone(), value),
                None => carried_out.remove(&change.path),
            };
            named.push(change.path);
        }
        prop_assert_eq!(carried_out, new.values);
        // Every change belongs to one entry of the plan, so that the text shows it once.
        let plan = Plan::between(Some(&before), &after);
        let shown: usize = plan.entries().iter().map(|(entry, _)| plan.of(entry).count()).sum();
        prop_assert_eq!(shown, plan.changes.len());
    }

    /// Wherever the file lets something secret stand, neither it nor anything of it is in what is shown and kept.
    ///
    /// proves: O4, sec:S56
    #[test]
    fn nothing_secret_is_shown_or_kept(secret in "canary[a-z0-9]{8,20}", odd in "[ @:/?#%&=]{0,3}") {
        let places = [
            format!("database = {}", toml_text(&format!("postgres://syncline:{secret}@db.example/x"))),
            format!("database = {}", toml_text(&format!("postgres://syncline:{odd}{secret}@db.example/x"))),
            format!("database = {}", toml_text(&format!("postgres://db.example/x?user=syncline&password={secret}"))),
            format!("database = {}", toml_text(&format!("host=db.example password={odd}{secret}"))),
            format!("[alerts.webhook]\nurl = \"https://hooks.example/services/{secret}?key={secret}\"\nsecret = \"env:HOOK\""),
            format!("[alerts.webhook]\nurl = \"https://{secret}:{secret}@hooks.example/\"\nsecret = \"env:HOOK\""),
            format!("[[connections]]\nname = \"a\"\nvendor = \"brevo\"\ngrant = \"key\"\napi_key = \"env:KEY\"\nurl = \"https://{secret}@api.example/?{secret}\""),
        ];
        for text in places {
            let Ok(config) = Config::parse(&text) else { continue };
            let value = masked(&config);
            let plan = Plan::between(None, &value);
            let notes = follows(&plan, &config, &Known::default());
            for shown in [value.to_string(), show::text(&plan, &notes), show::json(&plan, &notes).to_string()] {
                prop_assert!(!shown.contains("canary"), "{text} shows {shown}");
            }
        }
    }
}

fn toml_text(text: &str) -> String {
    Value::from(text).to_string()
}

const BEFORE: &str = r#"
[[connections]]
name = "crm"
vendor = "salesforce"
client_id = "app"
[[connections]]
name = "newsletter"
vendor = "brevo"
grant = "key"
api_key = "file:brevo.key"
[[records]]
name = "people"
left = "crm"
right = "newsletter"
[[records.pairs]]
name = "contacts"
left = "Contact"
right = "contact"
[[records.pairs.fields]]
left = "Email"
right = "EMAIL"
[[records.pairs.fields]]
left = "Phone"
right = "SMS"
prefer = "newest"
"#;

/// A plan as it reads, with how the integration stands.
fn read(before: &str, after: &str, standing: Option<FlowStanding>) -> String {
    let before = masked(&Config::parse(before).expect("a file"));
    let config = Config::parse(after).expect("a file");
    let plan = Plan::between(Some(&before), &masked(&config));
    let standings = standing.map(|standing| ("people".to_owned(), standing));
    let known = Known { standings: standings.into_iter().collect(), ..Known::default() };
    show::text(&plan, &follows(&plan, &config, &known))
}

/// A row that changes is told by its changed value alone, one that goes by all that it was; and what follows depends on how the
/// integration stands.
///
/// proves: O4
#[test]
fn a_changed_mapping_reads_row_by_row() {
    let after = BEFORE
        .replace("right = \"EMAIL\"", "right = \"EMAIL\"\nblanks = \"ignore\"")
        .replace("\"SMS\"", "\"WHATSAPP\"");
    insta::assert_snapshot!(read(BEFORE, &after, Some(FlowStanding::Active)), @r#"
    ~ records people
        ~ pairs › contacts › fields › Email ↔ EMAIL › blanks: "propagate" → "ignore"
        - pairs › contacts › fields › Phone ↔ SMS › blanks: "propagate"
        - pairs › contacts › fields › Phone ↔ SMS › direction: "both"
        - pairs › contacts › fields › Phone ↔ SMS › left: "Phone"
        - pairs › contacts › fields › Phone ↔ SMS › prefer: "newest"
        - pairs › contacts › fields › Phone ↔ SMS › refers_to: []
        - pairs › contacts › fields › Phone ↔ SMS › right: "SMS"
        - pairs › contacts › fields › Phone ↔ SMS › truncate: false
        + pairs › contacts › fields › Phone ↔ WHATSAPP › blanks: "propagate"
        + pairs › contacts › fields › Phone ↔ WHATSAPP › direction: "both"
        + pairs › contacts › fields › Phone ↔ WHATSAPP › left: "Phone"
        + pairs › contacts › fields › Phone ↔ WHATSAPP › prefer: "newest"
        + pairs › contacts › fields › Phone ↔ WHATSAPP › refers_to: []
        + pairs › contacts › fields › Phone ↔ WHATSAPP › right: "WHATSAPP"
        + pairs › contacts › fields › Phone ↔ WHATSAPP › truncate: false
      → its mapping is checked anew, and where other fields are read than before, all records of that kind are read again with its next round
    0 added, 1 changed, 0 removed.
    "#);
    assert_eq!(read(BEFORE, BEFORE, Some(FlowStanding::Active)), "");
    // What is written as it is anyway changes nothing.
    let spelt = BEFORE.replace("right = \"newsletter\"", "right = \"newsletter\"\nsweep_hours = 24");
    assert_eq!(read(BEFORE, &spelt, None), "");
}

/// proves: O4
#[test]
fn what_is_taken_out_says_what_stays() {
    let without = BEFORE.split_once("[[records]]").expect("it stands there").0;
    let without = without.replace("file:brevo.key", "env:BREVO");
    insta::assert_snapshot!(read(BEFORE, &without, Some(FlowStanding::Paused)), @r#"
    ~ connections newsletter
        ~ api_key: "file:brevo.key" → "env:BREVO"
    - records people
        - left: "crm"
        - left_every_seconds: 120
        - name: "people"
        - pairs › contacts › create_left: false
        - pairs › contacts › create_left_on_request: false
        - pairs › contacts › create_right: false
        - pairs › contacts › deleted_left: "detach"
        - pairs › contacts › deleted_right: "detach"
        - pairs › contacts › fields › Email ↔ EMAIL › blanks: "propagate"
        - pairs › contacts › fields › Email ↔ EMAIL › direction: "both"
        - pairs › contacts › fields › Email ↔ EMAIL › left: "Email"
        - pairs › contacts › fields › Email ↔ EMAIL › prefer: "left"
        - pairs › contacts › fields › Email ↔ EMAIL › refers_to: []
        - pairs › contacts › fields › Email ↔ EMAIL › right: "EMAIL"
        - pairs › contacts › fields › Email ↔ EMAIL › truncate: false
        - pairs › contacts › fields › Phone ↔ SMS › blanks: "propagate"
        - pairs › contacts › fields › Phone ↔ SMS › direction: "both"
        - pairs › contacts › fields › Phone ↔ SMS › left: "Phone"
        - pairs › contacts › fields › Phone ↔ SMS › prefer: "newest"
        - pairs › contacts › fields › Phone ↔ SMS › refers_to: []
        - pairs › contacts › fields › Phone ↔ SMS › right: "SMS"
        - pairs › contacts › fields › Phone ↔ SMS › truncate: false
        - pairs › contacts › left: "Contact"
        - pairs › contacts › name: "contacts"
        - pairs › contacts › right: "contact"
        - pairs › contacts › select: "all"
        - right: "newsletter"
        - right_every_seconds: 120
        - sweep_hours: 24
        - tasks_per_month: 100000
        - to_left_at: 100
        - to_left_every_minutes: 0
        - to_right_at: 0
        - to_right_every_minutes: 0
      → nothing is read or written for it any more; its links stay stored, and the records stay as they are; under the same name it would go on as it stands, paused
    0 added, 1 changed, 1 removed.
    "#);
    insta::assert_snapshot!(read("", &without, None), @r#"
    + connections crm
        + budget_share: 0.8
        + client_id: "app"
        + grant: "browser"
        + name: "crm"
        + vendor: "salesforce"
        + webhook_secrets: []
      → it has to be connected: `syncline connect crm`, unless it was before
    + connections newsletter
        + api_key: "env:BREVO"
        + budget_share: 0.8
        + client_id: ""
        + grant: "key"
        + name: "newsletter"
        + vendor: "brevo"
        + webhook_secrets: []
      → its key is used from the start
    2 added, 0 changed, 0 removed.
    "#);
}

/// Pairs are tried in their order, connections are not.
///
/// proves: O4
#[test]
fn entries_that_change_places_are_told_where_that_matters() {
    let pair = |name: &str| json!({ "name": name, "fields": [] });
    let file = |pairs: [&str; 2], connections: [&str; 2]| {
        json!({ "connections": connections.map(|name| json!({ "name": name })),
            "records": [{ "name": "people", "pairs": pairs.map(pair) }] })
    };
    let before = file(["contacts", "leads"], ["a", "b"]);
    assert!(Plan::between(Some(&before), &file(["contacts", "leads"], ["b", "a"])).is_empty());
    let plan = Plan::between(Some(&before), &file(["leads", "contacts"], ["a", "b"]));
    insta::assert_snapshot!(show::text(&plan, &[]), @r#"
    ~ records people
        ~ pairs: ["contacts","leads"] → ["leads","contacts"]
    0 added, 1 changed, 0 removed.
    "#);
}

/// A name or a value that holds orders for a terminal is printed as text.
#[test]
fn control_characters_are_spelt_out() {
    let plan = Plan::between(None, &json!({ "engine": { "a\u{1b}[2J": "b\u{9b}31m\u{7}" } }));
    assert!(!show::text(&plan, &[]).chars().any(|c| c.is_control() && c != '\n'));
}
