//! Integrations that are written through the API: what is known elsewhere is seen to be old, and nobody changes what runs.

use super::*;
use crate::{FlowStanding, FlowState, JournalEntry, JournalKind, SetupSaved};

fn line(text: &str) -> JournalEntry {
    JournalEntry { at: at(1), kind: JournalKind::Operator, text: text.to_owned(), details: serde_json::json!({}) }
}

async fn stand(store: &Store, standing: FlowStanding) {
    let state = FlowState { standing, reason: None, changed_at: at(1), agreed: None, agreed_text: None, since: None };
    store.set_flow(&ws(), &flow(), state, None).await.unwrap();
}

on_all! {
    /// proves: R1
    async fn what_is_written_down_is_noticed_and_never_changed_while_it_runs(world: &World) {
        let store = world.store().await;
        let save = |source: &'static str, known| {
            let store = store.clone();
            async move { store.save_record_setup(&ws(), &flow(), source.into(), known, "ada", line("saved")).await.unwrap() }
        };
        let drop_it = |known| {
            let store = store.clone();
            async move { store.drop_record_setup(&ws(), &flow(), known, "ada", line("dropped")).await.unwrap() }
        };
        assert_eq!(store.record_setup_revision(&ws()).await.unwrap(), 0);
        assert_eq!(drop_it(None).await, SetupSaved::NotThere);
        assert_eq!(save("one", Some(3)).await, SetupSaved::Outdated { version: 0 });
        assert_eq!(save("one", Some(0)).await, SetupSaved::As { version: 1 });
        assert_eq!(save("two", Some(0)).await, SetupSaved::Outdated { version: 1 });
        assert_eq!(save("two", None).await, SetupSaved::As { version: 2 });
        assert_eq!(store.record_setup_revision(&ws()).await.unwrap(), 2);
        stand(&store, FlowStanding::Active).await;
        assert_eq!((save("three", None).await, drop_it(None).await), (SetupSaved::Active, SetupSaved::Active));
        let all = store.record_setups(&ws()).await.unwrap();
        assert_eq!((all.len(), all[0].source.as_slice(), all[0].version, all[0].who.as_str()), (1, b"two".as_slice(), 2, "ada"));
        stand(&store, FlowStanding::Paused).await;
        assert_eq!(drop_it(Some(1)).await, SetupSaved::Outdated { version: 2 });
        assert_eq!(drop_it(Some(2)).await, SetupSaved::As { version: 3 });
        assert!(store.record_setups(&ws()).await.unwrap().is_empty());
        assert_eq!(save("anew", None).await, SetupSaved::As { version: 4 }, "no version is given twice");
        assert!(store.record_setups(&"other".into()).await.unwrap().is_empty());
    }
}
