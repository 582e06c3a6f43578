//! Secrets at rest: sealed, bound to their place, re-wrapped while work goes on.

use syncline_core::ids::WorkspaceId;

use super::world::*;
use crate::{
    Error, MasterKey, Store, StoreOptions, StoredTokens,
    vault::{self, Place},
};

fn tokens(access: &str) -> StoredTokens {
    StoredTokens {
        access: access.to_owned(),
        refresh: Some(format!("refresh-{access}")),
        base_url: "https://crm.example.com".to_owned(),
        expires_at: Some(at(7200)),
        account: Some("00D1".to_owned()),
    }
}

async fn connect(store: &Store, workspace: &str, access: &str) {
    let workspace = WorkspaceId::new(workspace);
    store.ensure_connection(&workspace, &crm(), "salesforce").await.unwrap();
    assert!(store.store_tokens(&workspace, &crm(), &tokens(access), None).await.unwrap());
}

async fn access(store: &Store, workspace: &str) -> crate::Result<Option<String>> {
    let row = store.connection(&workspace.into(), &crm()).await?;
    Ok(row.and_then(|row| row.tokens).map(|tokens| tokens.access))
}

/// The vectors of Project Wycheproof for XChaCha20-Poly1305; see tests/vectors/README.md.
/// proves: sec:S10
#[test]
fn the_cipher_passes_wycheproof() {
    use chacha20poly1305::{
        KeyInit, XChaCha20Poly1305,
        aead::{Aead, Payload},
    };
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/xchacha20_poly1305.json")).unwrap();
    let (mut good, mut bad) = (0, 0);
    for test in vectors.as_array().unwrap() {
        let bytes = |name: &str| hex::decode(test[name].as_str().unwrap()).unwrap();
        let (key, nonce, aad) = (bytes("key"), bytes("iv"), bytes("aad"));
        let key: [u8; 32] = key.try_into().unwrap();
        let Ok(nonce) = <[u8; 24]>::try_from(nonce) else {
            // Our nonces have their length by type.
            assert_eq!(test["result"], "invalid");
            continue;
        };
        let sealed = [bytes("ct"), bytes("tag")].concat();
        let cipher = XChaCha20Poly1305::new(&key.into());
        let opened = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &aad });
        if test["result"] == "valid" {
            good += 1;
            assert_eq!(opened.unwrap(), bytes("msg"));
            assert_eq!(cipher.encrypt(&nonce.into(), Payload { msg: &bytes("msg"), aad: &aad }).unwrap(), sealed);
        } else {
            bad += 1;
            assert!(opened.is_err(), "vector {} must not open", test["tcId"]);
        }
    }
    assert!(good > 100 && bad > 20, "{good} valid and {bad} invalid vectors");
}

/// proves: sec:S10
#[test]
fn a_sealed_text_opens_only_in_its_place() {
    let (key, entropy) = ([3; 32], Seeded::new(9));
    let (acme, globex) = (WorkspaceId::new("acme"), WorkspaceId::new("globex"));
    let home = Place { workspace: &acme, row: &["crm"], column: "tokens" };
    let sealed = vault::seal(&key, &*entropy, &home, b"secret").unwrap();
    assert_eq!(vault::open(&key, &home, &sealed).unwrap(), b"secret");
    for elsewhere in [
        Place { workspace: &globex, ..home },
        Place { row: &["crm2"], ..home },
        Place { row: &["cr", "m"], ..home },
        Place { row: &[], ..home },
        Place { column: "body", ..home },
    ] {
        assert!(matches!(vault::open(&key, &elsewhere, &sealed), Err(Error::Corrupt(_))));
    }
    assert!(vault::open(&[4; 32], &home, &sealed).is_err());
    for at in 0..sealed.len() {
        let mut broken = sealed.clone();
        broken[at] ^= 1;
        assert!(vault::open(&key, &home, &broken).is_err(), "byte {at}");
        assert!(vault::open(&key, &home, &sealed[..at]).is_err());
    }
}

/// proves: sec:S11
#[test]
fn a_master_key_has_256_bits() {
    for bad in [&[][..], &[1; 16], &[1; 31], &[1; 33], &[0; 32]] {
        assert!(matches!(MasterKey::new(bad), Err(Error::WrongKey(_))));
    }
    assert_eq!(format!("{:?}", master(1)), "***");
    assert!(!format!("{:?}", options()).contains('7'));
}

on_all! {
    /// proves: sec:S16
    async fn a_grant_is_replaced_only_by_who_read_the_last_one(world: &World) {
        let store = world.store().await;
        connect(&store, "acme", "one").await;
        let row = store.connection(&ws(), &crm()).await.unwrap().unwrap();
        assert_eq!((row.version, row.status), (1, crate::ConnectionStatus::Connected));
        assert!(store.store_tokens(&ws(), &crm(), &tokens("two"), Some(1)).await.unwrap());
        assert!(!store.store_tokens(&ws(), &crm(), &tokens("three"), Some(1)).await.unwrap());
        drop(store);
        // Stored before it is first used: another process finds it.
        if world.on != On::Inline {
            let store = world.store().await;
            assert_eq!(access(&store, "acme").await.unwrap().as_deref(), Some("two"));
            let got = store.connection(&ws(), &crm()).await.unwrap().unwrap().tokens.unwrap();
            assert_eq!((got.refresh.as_deref(), got.expires_at, got.account.as_deref()), (Some("refresh-two"), Some(at(7200)), Some("00D1")));
        }
    }

    /// proves: sec:S11
    async fn a_wrong_master_key_is_refused_and_touches_nothing(world: &World) {
        let store = world.store().await;
        connect(&store, "acme", "one").await;
        store.close().await;
        let before = (world.on != On::Postgres).then(|| std::fs::read(world.path()).unwrap());
        let wrong = StoreOptions { key: master(99), ..options() };
        assert!(matches!(world.store_with(wrong).await, Err(Error::WrongKey(_))));
        if let Some(before) = before {
            assert!(before == std::fs::read(world.path()).unwrap(), "the file changed");
        }
        assert_eq!(access(&world.store().await, "acme").await.unwrap().as_deref(), Some("one"));
    }

    /// proves: sec:S12
    async fn the_master_key_changes_while_work_goes_on(world: &World) {
        let store = world.store().await;
        for number in 0..45 {
            connect(&store, &format!("w{number}"), &number.to_string()).await;
        }
        let at_work = {
            let store = store.clone();
            async move {
                for number in 0..12 {
                    connect(&store, &format!("new{number}"), &number.to_string()).await;
                    assert_eq!(access(&store, &format!("w{number}")).await.unwrap(), Some(number.to_string()));
                }
            }
        };
        let (changed, ()) = futures::join!(store.rotate_master_key(master(8)), at_work);
        changed.unwrap();
        store.close().await;
        assert!(matches!(world.store_with(options()).await, Err(Error::WrongKey(_))), "the old key is of no use any more");
        let store = world.store_with(StoreOptions { key: master(8), ..options() }).await.unwrap();
        for number in 0..45 {
            assert_eq!(access(&store, &format!("w{number}")).await.unwrap(), Some(number.to_string()));
        }
        for number in 0..12 {
            assert_eq!(access(&store, &format!("new{number}")).await.unwrap(), Some(number.to_string()));
        }
    }

    /// proves: sec:S12
    async fn a_crash_while_the_master_key_changes_leaves_all_readable(world: &World) {
        let store = world.store().await;
        for number in 0..30 {
            connect(&store, &format!("w{number}"), &number.to_string()).await;
        }
        // The first batch only, as if the process died behind it.
        crate::vault::rotation::begin_and_stop(&store, master(8)).await.unwrap();
        store.close().await;
        assert!(matches!(world.store_with(options()).await, Err(Error::WrongKey(_))), "both keys are needed now");
        let both = StoreOptions { key: master(8), old_keys: vec![master(7)], ..options() };
        let store = world.store_with(both).await.unwrap();
        for number in 0..30 {
            assert_eq!(access(&store, &format!("w{number}")).await.unwrap(), Some(number.to_string()));
        }
        store.rotate_master_key(master(8)).await.unwrap();
        store.close().await;
        let store = world.store_with(StoreOptions { key: master(8), ..options() }).await.unwrap();
        assert_eq!(access(&store, "w29").await.unwrap().as_deref(), Some("29"));
    }

    async fn an_authorisation_is_taken_once_by_its_own_session_in_time(world: &World) {
        let store = world.store().await;
        let begin = |state: u8, expires: i64| store.begin_oauth(&ID.0, &ID.1, [state; 32], "verifier-1", [9; 32], at(expires));
        begin(1, 600).await.unwrap();
        assert_eq!(store.take_oauth([1; 32], [8; 32], at(1)).await.unwrap(), None, "another session");
        let taken = store.take_oauth([1; 32], [9; 32], at(1)).await.unwrap();
        assert_eq!(taken, Some((ID.0.clone(), ID.1.clone(), "verifier-1".to_owned())));
        assert_eq!(store.take_oauth([1; 32], [9; 32], at(1)).await.unwrap(), None, "a second time");
        begin(2, 600).await.unwrap();
        assert_eq!(store.take_oauth([2; 32], [9; 32], at(600)).await.unwrap(), None, "too late");
        begin(3, 10_000).await.unwrap();
        assert_eq!(store.take_oauth([3; 32], [9; 32], at(1)).await.unwrap(), None, "longer than ten minutes");
    }
}

static ID: std::sync::LazyLock<(WorkspaceId, syncline_core::ids::ConnectionId)> =
    std::sync::LazyLock::new(|| (ws(), crm()));

/// proves: sec:S13
#[tokio::test]
async fn no_secret_is_in_the_files() {
    let world = World::new(On::Sqlite).await;
    let store = world.store().await;
    connect(&store, "acme", "CANARY-access-token").await;
    store.begin_oauth(&ws(), &crm(), [1; 32], "CANARY-verifier", [2; 32], at(600)).await.unwrap();
    let secret = crate::Delivery { body: b"CANARY-body".to_vec(), ..delivery("d", 0, vec![booked("a", 0)]) };
    store.take_in(secret).await.unwrap();
    let count = |when: &str| {
        let mut files = 0;
        for file in std::fs::read_dir(world.path().parent().unwrap()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"CANARY"), "{when}");
            files += 1;
        }
        files
    };
    assert!(count("while it is open") >= 2, "the log is among the files");
    store.disconnect(&ws(), &crm()).await.unwrap();
    store.close().await;
    assert_eq!(count("once it is closed"), 1);
}

/// proves: sec:S10
/// proves: sec:S41
#[tokio::test]
async fn swapped_secrets_do_not_open() {
    let world = World::new(On::Inline).await;
    let store = world.store().await;
    connect(&store, "acme", "one").await;
    connect(&store, "globex", "two").await;
    let key = |workspace: &str| store.inner.data_keys.get(&workspace.into()).unwrap();
    assert_ne!(key("acme").as_slice(), key("globex").as_slice());
    let raw = rusqlite::Connection::open(world.path()).unwrap();
    raw.execute_batch(
        "create temp table kept as select workspace, tokens from connection; \
         update connection set tokens = (select tokens from kept where kept.workspace <> connection.workspace)",
    )
    .unwrap();
    assert!(matches!(access(&store, "acme").await, Err(Error::Corrupt(_))));
    // Nor do swapped data keys.
    raw.execute_batch(
        "create temp table keys as select workspace, data_key from workspace; \
         update workspace set data_key = (select data_key from keys where keys.workspace <> workspace.workspace)",
    )
    .unwrap();
    let fresh = Store::open_inline(&world.url, options()).unwrap();
    assert!(matches!(access(&fresh, "acme").await, Err(Error::Corrupt(_))));
}

/// proves: V5: an inline store that is used again is as if it had just been made; any other cannot be.
#[tokio::test]
async fn a_renewed_store_is_like_a_new_one() {
    async fn story(store: &Store) -> String {
        connect(store, "acme", "one").await;
        let chain = take_and_claim(store, "a", 0).await;
        store.settle(vec![settlement(&chain, done("1"))], at(1)).await.unwrap();
        let filter = crate::ActivityFilter { limit: 10, ..Default::default() };
        let seen = (
            access(store, "acme").await.unwrap(),
            store.booking(&ws(), &chain.chain).await.unwrap(),
            store.activity(&ws(), filter).await.unwrap(),
        );
        format!("{seen:?}")
    }
    let world = World::quick(On::Inline).await;
    let first = world.store().await;
    let expected = story(&first).await;
    let renewed = first.renewed(options().entropy).unwrap().unwrap();
    assert_eq!(access(&renewed, "acme").await.unwrap(), None);
    assert_eq!(story(&renewed).await, expected);
    let threaded = World::quick(On::Sqlite).await.store().await;
    assert!(threaded.renewed(options().entropy).is_none());
}
