//! What the CRM says of its objects: remembered for a while, because a decision may need it and it rarely changes.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Error, ErrorKind, Object, Records, Retry};
use syncline_core::{
    description::ObjectDescription,
    ids::{ConnectionId, ObjectName, WorkspaceId},
    record::{Field, Role, Slot},
};

use crate::{
    engine::{Called, Engine},
    setup::ConnectionSetup,
};

/// How long a description is believed. A field that goes missing sooner is refused by name, and then asked for anew.
const BELIEVED: SignedDuration = SignedDuration::from_hours(6);

type Key = (WorkspaceId, ConnectionId);
type Known = BTreeMap<Object, (Option<Arc<ObjectDescription>>, Timestamp)>;

/// Remembered descriptions of all connections, and the refusals that spoke against them.
#[derive(Default)]
pub(crate) struct Descriptions {
    known: Mutex<HashMap<Key, Known>>,
    doubts: Mutex<HashMap<(Key, Refusal), Timestamp>>,
}

/// What was refused, and by which code: the same again is no news.
type Refusal = (Option<String>, Option<Slot>, Vec<Field>);

/// How long the bookings that were planned with a description may be refused after the first of them.
const DOUBTED_TOGETHER: SignedDuration = SignedDuration::from_secs(10);

/// How long a refusal that a new description did not cure is held for the CRM's last word.
const DOUBTED_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Different refusals that are remembered: more than a few means that they are no sign of a changed object.
const DOUBTS_MAX: usize = 1000;

/// Objects with their descriptions; `None` where the account has no such object.
pub(crate) type Described = BTreeMap<Object, Option<Arc<ObjectDescription>>>;

/// What a booking's decision knows of the CRM's objects.
#[derive(Default)]
pub(crate) struct Objects(pub(crate) Described);

impl syncline_core::booking::check::Descriptions for Objects {
    fn of_role(&self, role: Role) -> Option<Option<&ObjectDescription>> {
        self.0.get(&Object::Of(role)).map(Option::as_deref)
    }

    fn named(&self, name: &ObjectName) -> Option<Option<&ObjectDescription>> {
        self.0.get(&Object::Named(name.clone())).map(Option::as_deref)
    }
}

impl Descriptions {
    fn get(&self, key: &Key, objects: &BTreeSet<Object>, now: Timestamp) -> Described {
        let all = self.known.lock().expect("no code panics while it holds this lock");
        let Some(known) = all.get(key) else { return Described::new() };
        let fresh =
            |object: &&Object| known.get(object).is_some_and(|(_, learned)| now.duration_since(*learned) < BELIEVED);
        objects.iter().filter(fresh).map(|object| (object.clone(), known[object].0.clone())).collect()
    }

    fn learn(&self, key: Key, described: &Described, now: Timestamp) {
        let mut all = self.known.lock().expect("no code panics while it holds this lock");
        let known = all.entry(key).or_default();
        known.extend(described.iter().map(|(object, description)| (object.clone(), (description.clone(), now))));
    }

    /// Forgets what is believed of a connection's objects, because it has just turned out to be wrong.
    pub(crate) fn forget(&self, workspace: &WorkspaceId, connection: &ConnectionId) {
        let mut all = self.known.lock().expect("no code panics while it holds this lock");
        all.remove(&(workspace.clone(), connection.clone()));
    }
}

impl Descriptions {
    /// Whether the refusal may come of objects that are no longer as they were described. What is believed of them is
    /// forgotten then, and the booking is worth another plan.
    fn explain(&self, key: &Key, error: &Error, now: Timestamp) -> bool {
        let telling = match error.kind {
            ErrorKind::Field => true,
            ErrorKind::Invalid => !error.fields.is_empty(),
            _ => false,
        };
        if !telling || error.retry != Retry::Never {
            return false;
        }
        let is_known = {
            let all = self.known.lock().expect("no code panics while it holds this lock");
            all.contains_key(key)
        };
        let refusal = (error.code.clone(), error.slot, error.fields.clone());
        let mut doubts = self.doubts.lock().expect("no code panics while it holds this lock");
        doubts.retain(|_, since| now.duration_since(*since) < DOUBTED_AGAIN);
        let is_news = match doubts.get(&(key.clone(), refusal.clone())) {
            Some(since) => now.duration_since(*since) <= DOUBTED_TOGETHER,
            None if is_known && doubts.len() < DOUBTS_MAX => {
                doubts.insert((key.clone(), refusal), now);
                true
            }
            None => false,
        };
        drop(doubts);
        if is_news {
            self.forget(&key.0, &key.1);
        }
        is_news
    }
}

fn key(setup: &ConnectionSetup) -> Key {
    (setup.workspace.clone(), setup.id.clone())
}

impl Engine {
    /// A refusal that a newer description may avoid is no last word: the booking is planned anew.
    pub(crate) fn doubt_descriptions(&self, setup: &ConnectionSetup, error: &mut Error) {
        if self.descriptions.explain(&key(setup), error, self.world.clock.now()) {
            error.retry = Retry::Replan;
        }
    }

    /// The descriptions of these objects, asked for where they are not known, and the number of calls that it took.
    pub(crate) async fn described(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        objects: &BTreeSet<Object>,
        now: Timestamp,
    ) -> Called<(Described, u32)> {
        let mut described = self.descriptions.get(&key(setup), objects, now);
        let missing: Vec<Object> = objects.iter().filter(|object| !described.contains_key(*object)).cloned().collect();
        if missing.is_empty() {
            return Ok((described, 0));
        }
        let (learned, calls) = self.described_anew(setup, crm, missing, now).await?;
        described.extend(learned);
        Ok((described, calls))
    }

    /// The same, asked for whether they are known or not.
    pub(crate) async fn described_anew(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        objects: Vec<Object>,
        now: Timestamp,
    ) -> Called<(Described, u32)> {
        let answer = self.describe(setup, crm, &objects).await?;
        let learned = objects.into_iter().zip(answer.value.into_iter().map(|found| found.map(Arc::new))).collect();
        self.descriptions.learn(key(setup), &learned, now);
        Ok((learned, answer.calls))
    }
}
