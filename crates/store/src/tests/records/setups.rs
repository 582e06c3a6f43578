//! Integrations that are written through the API: what is known elsewhere is seen to be old, and nobody changes what runs.

use super::*;
use crate::{FlowStanding, FlowState, JournalEntry, JournalKind, SetupKind, SetupSaved};

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
            async move { store.save_setup(&ws(), (SetupKind::Records, &flow()), source.into(), known, "ada", line("saved")).await.unwrap() }
        };
        let drop_it = |known| {
            let store = store.clone();
            async move { store.drop_setup(&ws(), (SetupKind::Records, &flow()), known, "ada", line("dropped")).await.unwrap() }
        };
        assert_eq!(store.setup_revision(&ws()).await.unwrap(), 0);
        assert_eq!(drop_it(None).await, SetupSaved::NotThere);
        assert_eq!(save("one", Some(3)).await, SetupSaved::Outdated { version: 0 });
        assert_eq!(save("one", Some(0)).await, SetupSaved::As { version: 1 });
        assert_eq!(save("two", Some(0)).await, SetupSaved::Outdated { version: 1 });
        assert_eq!(save("two", None).await, SetupSaved::As { version: 2 });
        assert_eq!(store.setup_revision(&ws()).await.unwrap(), 2);
        stand(&store, FlowStanding::Active).await;
        assert_eq!((save("three", None).await, drop_it(None).await), (SetupSaved::Active, SetupSaved::Active));
        let all = store.setups(&ws(), SetupKind::Records).await.unwrap();
        assert_eq!((all.len(), all[0].source.as_slice(), all[0].version, all[0].who.as_str()), (1, b"two".as_slice(), 2, "ada"));
        stand(&store, FlowStanding::Paused).await;
        assert_eq!(drop_it(Some(1)).await, SetupSaved::Outdated { version: 2 });
        assert_eq!(drop_it(Some(2)).await, SetupSaved::As { version: 3 });
        assert!(store.setups(&ws(), SetupKind::Records).await.unwrap().is_empty());
        assert_eq!(save("anew", None).await, SetupSaved::As { version: 4 }, "no version is given twice");
        assert!(store.setups(&"other".into(), SetupKind::Records).await.unwrap().is_empty());
    }

    /// proves: C1: no two integrations bear one name, whatever they do.
    async fn kinds_of_integrations_share_their_names(world: &World) {
        let store = world.store().await;
        let save = async |kind, name: &str| {
            store.save_setup(&ws(), (kind, &name.into()), b"{}".to_vec(), None, "ada", line("saved")).await.unwrap()
        };
        let names = async |kind| {
            let all = store.setups(&ws(), kind).await.unwrap();
            all.into_iter().map(|setup| setup.integration.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(save(SetupKind::Records, "people").await, SetupSaved::As { version: 1 });
        assert_eq!(save(SetupKind::Calendars, "people").await, SetupSaved::Taken);
        assert_eq!(save(SetupKind::Calendars, "meetings").await, SetupSaved::As { version: 2 });
        assert_eq!(save(SetupKind::Records, "meetings").await, SetupSaved::Taken);
        assert_eq!((names(SetupKind::Records).await, names(SetupKind::Calendars).await), (vec!["people".to_owned()], vec!["meetings".to_owned()]));
        let drop_it = async |kind| store.drop_setup(&ws(), (kind, &"people".into()), None, "ada", line("dropped")).await.unwrap();
        assert_eq!(drop_it(SetupKind::Calendars).await, SetupSaved::NotThere);
        assert_eq!(drop_it(SetupKind::Records).await, SetupSaved::As { version: 3 });
        assert_eq!(save(SetupKind::Calendars, "people").await, SetupSaved::As { version: 4 }, "the name is free again");
    }
}
