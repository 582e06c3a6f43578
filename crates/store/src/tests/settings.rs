//! The settings in use: kept as they were given, per workspace, together with the line that tells of it.

use syncline_core::ids::WorkspaceId;

use super::world::*;
use crate::{ActivityFilter, JournalEntry, JournalKind, SettingsInUse, SettingsUse};

fn settings(text: &str, minutes: i64, by: SettingsUse) -> SettingsInUse {
    SettingsInUse { settings: text.to_owned(), at: at(minutes), by }
}

on_all! {
    /// What was kept last is what is in use, one workspace's are none of another's, and the line stands in the activity log.
    ///
    /// proves: O4
    async fn the_settings_in_use_are_those_kept_last(world: &World) {
        let store = world.store().await;
        assert_eq!(store.settings_in_use(&ws()).await.unwrap(), None);
        let first = settings("{\"a\":1}", 1, SettingsUse::Started);
        store.keep_settings(&ws(), first.clone(), None).await.unwrap();
        assert_eq!(store.settings_in_use(&ws()).await.unwrap(), Some(first));

        let second = settings("{\"a\":2}", 2, SettingsUse::Applied);
        let line = JournalEntry {
            at: at(2),
            kind: JournalKind::Operator,
            text: "Settings were applied".to_owned(),
            details: serde_json::Value::Null,
        };
        store.keep_settings(&ws(), second.clone(), Some(line.clone())).await.unwrap();
        assert_eq!(store.settings_in_use(&ws()).await.unwrap(), Some(second));
        assert_eq!(store.settings_in_use(&WorkspaceId::from("another")).await.unwrap(), None);
        let told = store.activity(&ws(), ActivityFilter { limit: 5, ..ActivityFilter::default() }).await.unwrap();
        assert_eq!(told.into_iter().map(|row| row.entry).collect::<Vec<_>>(), [line]);
    }
}
