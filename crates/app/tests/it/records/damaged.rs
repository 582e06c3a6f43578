//! What is stored of one record was damaged, or written by a later version: the others are kept in step all the same.

use serde_json::json;
use syncline_core::merge::HoldKind;
use syncline_store::UNREADABLE;

use super::desk::{Desk, add, edit, people};

/// A folder that goes with the test.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What can be read at its vendor is read there; what both agreed on can be read nowhere else, so that its records wait for
/// a person, who can have them compared as for the first time. Nobody else waits, and nobody is made twice.
///
/// proves: V4, R21
#[tokio::test]
async fn what_cannot_be_read_of_one_record_holds_up_no_other() {
    let folder = Folder(std::env::temp_dir().join(format!("syncline-damaged-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let file = folder.0.join("syncline.db");
    let desk = Desk::on(&format!("sqlite:{}", file.display()), |_| {}).await;
    let names = ["ada", "bob", "eve"];
    let ids = names.map(|name| add(&desk.left, &format!("{name}@example.org"), json!({ "LASTNAME": name })));
    desk.activate().await;
    desk.calm().await;
    assert_eq!(people(&desk.right).len(), 3);
    let damage = |sql: &str| {
        let changed = rusqlite::Connection::open(&file).expect("the file").execute(sql, []).expect("it is changed");
        assert_eq!(changed, 1, "{sql}");
    };
    let of =
        |name: &str| format!("(select link from record_entry where match_key = '{name}@example.org' and side = 0)");
    damage(&format!("update record_link set images = x'7b22' where id = {}", of("ada")));
    damage("update record_entry set seen = x'7b22' where match_key = 'bob@example.org' and side = 1");
    for id in ids {
        edit(&desk.left, id, &json!({ "CITY": "London" }));
    }
    desk.calm().await;
    let city = |name: &str| people(&desk.right)[&format!("{name}@example.org")].get("CITY").cloned();
    assert_eq!((city("ada"), city("bob"), city("eve")), (None, Some(json!("London")), Some(json!("London"))));
    let told = desk.told().await;
    assert!(
        told.iter().any(|line| line.contains("what is stored of it cannot be relied on; it is read anew")),
        "{told:?}"
    );
    let holds = desk.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!((holds[0].hold.kind, holds[0].hold.reason.as_str()), (HoldKind::Unreadable, UNREADABLE));
    let flow = desk.flow();
    let again = desk.store.release_holds(&flow.workspace, &flow.id, Some(&[holds[0].entry]), desk.now()).await;
    assert_eq!(again.expect("the database answers"), 1);
    desk.calm().await;
    assert_eq!((city("ada"), desk.holds().await.len(), people(&desk.right).len()), (Some(json!("London")), 0, 3));
}
