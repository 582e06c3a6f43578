//! Whatever an answer says, it is read or refused in words, and every row has an outcome.

use futures::FutureExt;
use proptest::prelude::*;
use syncline_connect::{
    Mirror,
    mirror::{Ask, From, RowWrite},
};

use super::{
    lab::{create, text, update},
    scripted::Script,
};
use crate::{hubspot::HubSpot, testing::spoilt};

const PAGES: &[&str] = &[r#"{"total": 2, "results": [
        {"id": "1", "properties": {"email": "a@example.org", "lastmodifieddate": "2026-05-06T12:00:00.123Z",
         "hs_merged_object_ids": "7;8", "hs_all_contact_vids": "1;7", "syncline_key": null}, "archived": false},
        {"id": "2", "properties": {"email": "", "lastmodifieddate": "2026-05-06T12:00:01Z"}, "archived": true}],
        "paging": {"next": {"after": "200", "link": "x"}}}"#];

const WRITTEN: &[&str] = &[r#"{"status": "COMPLETE", "numErrors": 1, "results": [
        {"id": "1", "properties": {"lastname": "x"}, "objectWriteTraceId": "row-0", "archived": false}],
        "errors": [{"status": "error", "category": "VALIDATION_ERROR", "message": "x", "id": "2",
            "errors": [{"message": "x", "code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}],
            "context": {"objectWriteTraceId": ["row-1"]}}]}"#];

const DESCRIBED: &[&str] = &[
    r#"{"results": [{"name": "email", "label": "Email", "type": "string", "fieldType": "text", "hasUniqueValue": true,
        "calculated": false, "externalOptions": false, "options": [{"label": "A", "value": "a", "hidden": false}],
        "modificationMetadata": {"archivable": true, "readOnlyDefinition": true, "readOnlyValue": false}}]}"#,
];

fn updates() -> [RowWrite; 2] {
    ["1", "2"].map(|id| update(id, &[("lastname", text("x"))]))
}

proptest! {
    /// proves: sec:S30
    #[test]
    fn pages(body in spoilt(PAGES), listed in any::<bool>()) {
        let fields = ["email".to_owned()];
        let start = if listed { From::Beginning } else { From::Cursor("round 2026-05-06T13:00:00Z 2026-05-06T11:00:00Z") };
        let asks = [Ask { kind: "contacts", fields: &fields, start }];
        let script = Script::of([(200, body)]);
        if let Ok(answered) = script.run(|cx| HubSpot.changes(cx, &asks).now_or_never().unwrap()) {
            prop_assert_eq!(answered.value.len(), 1);
        }
    }

    /// proves: sec:S30
    #[test]
    fn outcomes(body in spoilt(WRITTEN), status in prop::sample::select(vec![200u16, 207, 201])) {
        let (outcomes, calls) = Script::of([(status, body)]).write(&updates());
        prop_assert_eq!((outcomes.len(), calls), (2, 1));
    }

    /// proves: sec:S30
    #[test]
    fn refusals(body in spoilt(WRITTEN), status in prop::sample::select(vec![400u16, 404, 409])) {
        let answers = [(status, body.clone()), (status, body.clone()), (status, body)];
        let rows = ["sy_1", "sy_2"].map(|key| create(key, &[("lastname", text("x"))]));
        let script = Script::of(answers);
        if let Ok(answered) = script.run(|cx| HubSpot.write(cx, "contacts", &rows).now_or_never().unwrap()) {
            prop_assert!(answered.calls <= 3);
        }
    }

    /// proves: sec:S30
    #[test]
    fn descriptions(body in spoilt(DESCRIBED)) {
        let script = Script::of([(200, body)]);
        if let Ok(answered) = script.run(|cx| HubSpot.describe(cx, &["contacts"]).now_or_never().unwrap()) {
            prop_assert_eq!(answered.value.len(), 1);
        }
    }
}
