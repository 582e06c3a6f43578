//! What somebody asked for, and news that wait until there are enough of them.

use super::*;
use crate::{Ask, AskTaken, Subject, WaitingRows};

fn ask(pair: &str, subject: Subject) -> Ask {
    Ask { pair: pair.to_owned(), subject }
}

on_all! {
    /// Asking twice is asking once, until it is carried out; the answer and what it made are kept together.
    ///
    /// proves: R9, V1
    async fn what_is_asked_for_waits_until_it_is_carried_out(world: &World) {
        let store = world.store().await;
        let by_address = ask("leads", Subject::Address("ada@example.org".to_owned()));
        let by_record = ask("contacts", Subject::Record(RecordId::new("7")));
        for (wanted, taken) in [
            (&by_address, AskTaken::Waiting),
            (&by_record, AskTaken::Waiting),
            (&by_address, AskTaken::AskedBefore),
        ] {
            assert_eq!(store.ask_for(&ws(), &flow(), wanted.clone(), at(1)).await.unwrap(), taken);
        }
        assert_eq!(store.asks(&ws(), &flow(), 10).await.unwrap(), [by_record.clone(), by_address.clone()]);
        assert_eq!(store.asks(&"other".into(), &flow(), 10).await.unwrap(), [], "they belong to their workspace");
        let late = hold(&store, "w1", 0, 100).await;
        let held = hold(&store, "w2", 100, 900).await;
        let answered = SaveRows { answered: vec![by_record.clone()], ..SaveRows::default() };
        assert_eq!(store.save_rows(&ws(), &flow(), &late, at(101), answered.clone()).await.unwrap(), None);
        assert_eq!(store.asks(&ws(), &flow(), 10).await.unwrap().len(), 2, "whoever lost the lease answers nothing");
        save(&store, &held, 102, answered).await;
        let told = store.dossier(&ws(), "ada@example.org").await.unwrap().asks;
        assert_eq!(told.iter().map(|ask| (ask.pair.as_str(), ask.asked_at)).collect::<Vec<_>>(), [("leads", at(1))]);
        assert_eq!(store.asks(&ws(), &flow(), 10).await.unwrap(), [by_address]);
        assert_eq!(store.ask_for(&ws(), &flow(), by_record.clone(), at(103)).await.unwrap(), AskTaken::Waiting);
        store.erase_person(&ws(), "ada@example.org", at(104)).await.unwrap();
        assert_eq!(store.asks(&ws(), &flow(), 10).await.unwrap(), [by_record], "nobody asks for who was erased");
        store.forget_flow(&ws(), &flow()).await.unwrap();
        assert_eq!(store.asks(&ws(), &flow(), 10).await.unwrap(), []);
    }

    /// News of a side can be left waiting; what is tried again is not.
    ///
    /// proves: R6
    async fn news_of_one_side_can_wait(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let rows = vec![seen(Side::Left, "a", 0), seen(Side::Right, "b", 0), seen(Side::Right, "c", 0)];
        store.take_rows(taking(&held, 1, rows, Vec::new())).await.unwrap();
        store.take_rows(taking(&held, 5, vec![seen(Side::Right, "b", 4)], Vec::new())).await.unwrap();
        let waiting = store.waiting_rows(&ws(), &flow(), Side::Right, at(5), 100).await.unwrap();
        assert_eq!(waiting, WaitingRows { rows: 2, oldest: Some(at(1)) });
        assert_eq!(store.waiting_rows(&ws(), &flow(), Side::Right, at(5), 1).await.unwrap().rows, 1);
        assert_eq!(store.waiting_rows(&ws(), &flow(), Side::Right, at(0), 9).await.unwrap(), WaitingRows::default());
        let due = async |shut: &[Side]| -> Vec<String> {
            let works = store.due_rows_but(&ws(), &flow(), at(5), 10, shut).await.unwrap();
            works.iter().map(|work| work.entry.record.as_str().to_owned()).collect()
        };
        assert_eq!(due(&[]).await, ["a", "b", "c"]);
        assert_eq!(due(&[Side::Right]).await, ["a"]);
        assert_eq!(due(&[Side::Left]).await, ["b", "c"]);
        assert!(due(&Side::BOTH).await.is_empty());
        let again = by_record(&store, Side::Right, "c").await.unwrap();
        let again = EntryChange { due_at: Some(at(2)), tries: 1, ..rests(&again, None) };
        save(&store, &held, 5, SaveRows { entries: vec![again], ..SaveRows::default() }).await;
        assert_eq!(due(&Side::BOTH).await, ["c"]);
    }
}
