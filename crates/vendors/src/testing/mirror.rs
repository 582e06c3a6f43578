//! A connector's mirror facet asked as the engine asks it: requests are function calls, time is moved by hand.

use futures::FutureExt;
use syncline_connect::{
    Error, ErrorKind, Mirror,
    mirror::{Ask, Changes, From, Lookup, Op, RowOutcome, RowWrite, Seen, Written},
};
use syncline_core::{
    description::ObjectDescription,
    ids::{ExternalKey, RecordId},
    record::Value,
};

use super::site::Asker;

/// Pages that a test reads at the most.
const PAGES_MAX: usize = 3_000;

/// One kind of one account.
pub struct Mirrored<'a> {
    pub asker: &'a Asker,
    pub mirror: &'a dyn Mirror,
    pub kind: &'a str,
    /// How long to wait after each call, as an engine that keeps to the vendor's limits does.
    pub pace_secs: i64,
}

impl Mirrored<'_> {
    pub fn describe(&self) -> ObjectDescription {
        let cx = self.asker.cx();
        let answered = self.mirror.describe(&cx, &[self.kind]).now_or_never().expect("a sandbox answers at once");
        answered.expect("it is described").value.remove(0).expect("the kind is there")
    }

    pub fn page(&self, fields: &[String], start: From<'_>) -> Result<(Changes, u32), Error> {
        let cx = self.asker.cx();
        let asks = [Ask { kind: self.kind, fields, start }];
        let mut answered = self.mirror.changes(&cx, &asks).now_or_never().expect("a sandbox answers at once")?;
        assert_eq!(answered.value.len(), 1);
        Ok((answered.value.remove(0), answered.calls))
    }

    /// Reads until there is no more: the rows, the calls, and the cursor at the end.
    pub fn drain(&self, fields: &[String], start: From<'_>) -> (Vec<Seen>, u32, String) {
        let (mut rows, mut calls, mut cursor) = (Vec::new(), 0, None::<String>);
        for _ in 0..PAGES_MAX {
            let start = cursor.as_deref().map_or(start, From::Cursor);
            let (page, made) = self.page(fields, start).expect("the sandbox answers");
            rows.extend(page.rows);
            calls += made;
            self.asker.hands.pass(self.pace_secs);
            if !page.more {
                return (rows, calls, page.cursor);
            }
            cursor = Some(page.cursor);
        }
        panic!("there is no end");
    }

    pub fn fetch(&self, ids: &[RecordId], fields: &[String]) -> (Vec<Seen>, u32) {
        let cx = self.asker.cx();
        let answered =
            self.mirror.fetch(&cx, self.kind, ids, fields).now_or_never().expect("a sandbox answers at once");
        let answered = answered.expect("they are fetched");
        (answered.value, answered.calls)
    }

    pub fn find(&self, key: Lookup<'_>, fields: &[String]) -> Vec<Seen> {
        let cx = self.asker.cx();
        let answered = self.mirror.find(&cx, self.kind, key, fields).now_or_never().expect("a sandbox answers at once");
        answered.expect("they are found").value
    }

    /// One write, as it is answered.
    pub fn send(&self, rows: &[RowWrite]) -> Result<(Written, u32), Error> {
        let cx = self.asker.cx();
        let answered = self.mirror.write(&cx, self.kind, rows).now_or_never().expect("a sandbox answers at once")?;
        Ok((answered.value, answered.calls))
    }

    /// Writes, and asks for what comes later until it is there: the outcomes, the calls of the write, and those after.
    pub fn write(&self, rows: &[RowWrite]) -> (Vec<RowOutcome>, u32, u32) {
        let (mut written, calls) = self.send(rows).expect("it is written");
        let mut asked = 0;
        for _ in 0..PAGES_MAX {
            match written {
                Written::Rows(outcomes) => {
                    assert_eq!(outcomes.len(), rows.len());
                    return (outcomes, calls, asked);
                }
                Written::Later { ticket, ask_in } => {
                    self.asker.hands.pass(i64::try_from(ask_in.as_secs()).expect("a short time"));
                    let cx = self.asker.cx();
                    let collected = self.mirror.collect(&cx, self.kind, &ticket, rows);
                    let answered = collected.now_or_never().expect("a sandbox answers at once").expect("it is told");
                    asked += answered.calls;
                    written = answered.value;
                }
            }
        }
        panic!("there is no end");
    }

    /// Writes until no row is left for another write.
    pub fn write_to_the_end(&self, rows: &[RowWrite]) {
        let mut rows = rows.to_vec();
        for _ in 0..PAGES_MAX {
            let (outcomes, _, _) = self.write(&rows);
            let left = |outcome: &RowOutcome| matches!(outcome, RowOutcome::Refused(error) if error.kind == ErrorKind::RateLimited);
            for outcome in outcomes.iter().filter(|outcome| !left(outcome)) {
                assert!(!matches!(outcome, RowOutcome::Refused(_) | RowOutcome::Unknown(_)), "{outcome:?}");
            }
            let mut outcomes = outcomes.iter();
            rows.retain(|_| outcomes.next().is_some_and(left));
            if rows.is_empty() {
                return;
            }
            self.asker.hands.pass(1);
        }
        panic!("there is no end");
    }
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn create(key: &ExternalKey, fields: &[(&str, Value)]) -> RowWrite {
    RowWrite { op: Op::Create { key: key.clone() }, fields: own(fields), seen: None }
}

pub fn update(id: u64, fields: &[(&str, Value)]) -> RowWrite {
    RowWrite { op: Op::Update { id: RecordId::new(id.to_string()) }, fields: own(fields), seen: None }
}

/// An update of a record that was just read.
pub fn update_seen(seen: &Seen, fields: &[(&str, Value)]) -> RowWrite {
    RowWrite { op: Op::Update { id: seen.id.clone() }, fields: own(fields), seen: Some(seen.clone()) }
}

pub fn delete(id: u64) -> RowWrite {
    RowWrite { op: Op::Delete { id: RecordId::new(id.to_string()) }, fields: Vec::new(), seen: None }
}

fn own(fields: &[(&str, Value)]) -> Vec<(String, Value)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

pub fn key(number: usize) -> ExternalKey {
    ExternalKey::derive(&["test", &number.to_string()])
}

/// The error of a row that was refused.
pub fn refused(outcome: &RowOutcome) -> &Error {
    match outcome {
        RowOutcome::Refused(error) => error,
        other => panic!("not refused: {other:?}"),
    }
}
