//! What is stored of one record and cannot be read, because it was damaged or a later version wrote it: it stops nothing
//! else, and nothing is taken for absent or unchanged because of it.

use super::*;
use crate::UNREADABLE;

/// Ada and Bob, each tied to a counterpart, all of them due.
async fn two_links(store: &Store, held: &Held) -> Vec<i64> {
    let rows = ["ada", "bob"].into_iter().flat_map(|who| Side::BOTH.map(|side| seen(side, who, 0)));
    store.take_rows(taking(held, 1, rows.collect(), Vec::new())).await.unwrap();
    let mut ids = Vec::new();
    for who in ["ada", "bob"] {
        let left = by_record(store, Side::Left, who).await.unwrap();
        let right = by_record(store, Side::Right, who).await.unwrap();
        let rest =
            |entry| EntryChange { due_at: Some(at(1)), seen: Some(values(who)), ..rests(entry, Some(LinkRef::New(0))) };
        let entries = vec![rest(&left), rest(&right)];
        let rows = SaveRows { entries, new_links: vec![joined(Some(&left), Some(&right))], ..SaveRows::default() };
        ids.extend(save(store, held, 1, rows).await.links);
    }
    ids
}

fn hold_of(reason: &str) -> StoredHold {
    StoredHold {
        rule: None,
        kind: HoldKind::Unreadable,
        to: None,
        reason: reason.to_owned(),
        fix: "retry".to_owned(),
        refused: Vec::new(),
    }
}

on_all! {
    /// proves: V4
    async fn a_record_that_cannot_be_read_is_known_and_shows_nothing(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        two_links(&store, &held).await;
        world.damage(&format!("update record_entry set seen = {} where record = 'ada' and side = 0", world.junk())).await;
        world.damage("update record_entry set fate = 77 where record = 'ada' and side = 1").await;
        let works = due(&store, 2).await;
        assert_eq!(works.len(), 4, "nobody is left out");
        let lost: Vec<(&str, Side)> =
            works.iter().map(|work| &work.entry).filter(|entry| entry.unreadable).map(|entry| (entry.record.as_str(), entry.side)).collect();
        assert_eq!(lost, [("ada", Side::Left), ("ada", Side::Right)]);
        assert!(works.iter().filter(|work| work.entry.unreadable).all(|work| work.entry.seen.is_none() || work.entry.side == Side::Right));
        let found = store.rows_by_key(&ws(), &flow(), Side::Left, &["ada@example.org".to_owned()]).await.unwrap();
        assert!(found.len() == 1 && found[0].unreadable, "it is there: whoever looks for it does not make another");
        // Its vendor shows it again.
        store.take_rows(taking(&held, 3, Side::BOTH.map(|side| SeenRow { changed_at: None, ..seen(side, "ada", 3) }).to_vec(), Vec::new())).await.unwrap();
        assert!(due(&store, 3).await.iter().all(|work| !work.entry.unreadable && work.entry.seen.is_some()));
    }

    /// proves: V4, R21
    async fn a_link_that_cannot_be_read_is_set_aside_untouched_until_somebody_wants_it_tried_again(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let links = two_links(&store, &held).await;
        let images = |text: &str| format!("update record_link set images = {text} where id = {}", links[0]);
        world.damage(&images(world.junk())).await;
        let works = due(&store, 2).await;
        let lost: Vec<bool> = works.iter().map(|work| work.link.as_ref().unwrap().unreadable).collect();
        assert_eq!(lost.iter().filter(|lost| **lost).count(), 2, "both records of Ada's, and nobody of Bob's");
        let aside = |work: &Work| (work.entry.id, work.entry.revision, UNREADABLE.to_owned());
        let lost: Vec<&Work> = works.iter().filter(|work| work.link.as_ref().unwrap().unreadable).collect();
        let rows = SaveRows {
            set_aside: lost.iter().map(|work| aside(work)).collect(),
            holds: lost.iter().map(|work| (work.entry.id, vec![hold_of(UNREADABLE)])).collect(),
            ..SaveRows::default()
        };
        save(&store, &held, 2, rows).await;
        assert_eq!(due(&store, 900).await.len(), 2, "Bob's go through");
        let told = store.holds(&ws(), &flow(), None, 9).await.unwrap();
        assert_eq!(told.iter().map(|view| view.hold.reason.as_str()).collect::<Vec<_>>(), [UNREADABLE; 2]);
        assert!(by_record(&store, Side::Left, "ada").await.unwrap().seen.is_some(), "what is stored of it is not touched");

        // Whoever wrote it reads it: it is as it was.
        let whole = if world.on == On::Postgres { "convert_to('{\"1\":[{\"text\":\"x\"}]}', 'UTF8')" } else { "cast('{\"1\":[{\"text\":\"x\"}]}' as blob)" };
        world.damage(&images(whole)).await;
        store.release_holds(&ws(), &flow(), Some(&[lost[0].entry.id]), at(3)).await.unwrap();
        let link = link_of(&store, links[0]).await.unwrap();
        assert_eq!((link.unreadable, link.images.len()), (false, 1));

        // Nobody can: both begin anew, and have to be read.
        world.damage(&images(world.junk())).await;
        world.damage("update record_entry set seen = null where record = 'ada' and side = 1").await;
        store.release_holds(&ws(), &flow(), None, at(4)).await.unwrap();
        let link = link_of(&store, links[0]).await.unwrap();
        assert_eq!((link.unreadable, link.images.len()), (false, 0));
        let right = by_record(&store, Side::Right, "ada").await.unwrap();
        assert!(right.unreadable && right.changed_at.is_none(), "what it showed was known by the base alone");
        assert_eq!(link_of(&store, links[1]).await.unwrap().images, super::images("ada"), "Bob's is as it was");
    }

    /// proves: V4, V2
    async fn a_planned_write_that_cannot_be_read_has_its_target_read(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let links = two_links(&store, &held).await;
        let steps = links.iter().map(|link| creation(LinkRef::Known(*link), 30)).collect();
        let rows = SaveRows { new_steps: steps, ..SaveRows::default() };
        let steps = save(&store, &held, 2, rows).await.steps;
        let later = steps.iter().map(|step| (*step, Some("job".to_owned()), at(30))).collect();
        save(&store, &held, 2, SaveRows { later_steps: later, ..SaveRows::default() }).await;
        world.damage(&format!("update record_step set op = {} where id = {}", world.junk(), steps[0])).await;
        let open = store.open_steps(&ws(), &flow(), at(30), 9).await.unwrap();
        assert_eq!(open.iter().map(|step| (step.id, step.ticket.clone())).collect::<Vec<_>>(), [(steps[1], None)]);
        assert!(store.steps_of_ticket(&ws(), &flow(), "job").await.unwrap().is_empty(), "outcomes are told by position");
        let works = due(&store, 30).await;
        let side = creation(LinkRef::Known(0), 0).side;
        let of_target: Vec<(bool, bool)> =
            works.iter().map(|work| (work.entry.side == side, work.entry.unreadable)).collect();
        assert_eq!(works.len(), 2, "Bob's rest while theirs is open");
        assert!(of_target.iter().all(|(is_target, unreadable)| is_target == unreadable), "{of_target:?}");
    }

    /// proves: V4
    async fn holds_that_cannot_be_read_hide_no_others(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        two_links(&store, &held).await;
        let works = due(&store, 2).await;
        let holds = |reason: &str| works.iter().map(|work| (work.entry.id, vec![hold_of(reason)])).collect();
        save(&store, &held, 2, SaveRows { holds: holds("first"), ..SaveRows::default() }).await;
        world.damage(&format!("update record_hold set holds = {} where entry = {}", world.junk(), works[0].entry.id)).await;
        let told = store.holds(&ws(), &flow(), None, 9).await.unwrap();
        assert_eq!((told.len(), told.iter().filter(|view| view.hold.reason == "first").count()), (4, 3));
        save(&store, &held, 3, SaveRows { holds: holds("second"), ..SaveRows::default() }).await;
        assert!(store.holds(&ws(), &flow(), None, 9).await.unwrap().iter().all(|view| view.hold.reason == "second"));
    }
}
