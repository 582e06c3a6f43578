//! What the CRM says of its objects: remembered for a while, because a decision may need it and it rarely changes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Object, Records};
use syncline_core::{
    description::ObjectDescription,
    ids::{ConnectionId, ObjectName, WorkspaceId},
    record::Role,
};

use crate::{
    engine::{Called, Engine},
    setup::ConnectionSetup,
};

/// How long a description is believed. A field that goes missing sooner is refused by name, and then asked for anew.
const BELIEVED: SignedDuration = SignedDuration::from_hours(6);

type Key = (WorkspaceId, ConnectionId);
type Known = BTreeMap<Object, (Option<Arc<ObjectDescription>>, Timestamp)>;

/// Remembered descriptions of all connections.
#[derive(Default)]
pub(crate) struct Descriptions(Mutex<HashMap<Key, Known>>);

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
    fn get(&self, setup: &ConnectionSetup, objects: &BTreeSet<Object>, now: Timestamp) -> Described {
        let all = self.0.lock().expect("no code panics while it holds this lock");
        let Some(known) = all.get(&(setup.workspace.clone(), setup.id.clone())) else { return Described::new() };
        let fresh =
            |object: &&Object| known.get(object).is_some_and(|(_, learned)| now.duration_since(*learned) < BELIEVED);
        objects.iter().filter(fresh).map(|object| (object.clone(), known[object].0.clone())).collect()
    }

    fn learn(&self, setup: &ConnectionSetup, described: &Described, now: Timestamp) {
        let mut all = self.0.lock().expect("no code panics while it holds this lock");
        let known = all.entry((setup.workspace.clone(), setup.id.clone())).or_default();
        known.extend(described.iter().map(|(object, description)| (object.clone(), (description.clone(), now))));
    }

    /// Forgets what is believed of a connection's objects, because it has just turned out to be wrong.
    pub(crate) fn forget(&self, workspace: &WorkspaceId, connection: &ConnectionId) {
        let mut all = self.0.lock().expect("no code panics while it holds this lock");
        all.remove(&(workspace.clone(), connection.clone()));
    }
}

impl Engine {
    /// The descriptions of these objects, asked for where they are not known, and the number of calls that it took.
    pub(crate) async fn described(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        objects: &BTreeSet<Object>,
        now: Timestamp,
    ) -> Called<(Described, u32)> {
        let mut described = self.descriptions.get(setup, objects, now);
        let missing: Vec<Object> = objects.iter().filter(|object| !described.contains_key(*object)).cloned().collect();
        if missing.is_empty() {
            return Ok((described, 0));
        }
        let answer = self.describe(setup, crm, &missing).await?;
        let learned = missing.into_iter().zip(answer.value.into_iter().map(|found| found.map(Arc::new))).collect();
        self.descriptions.learn(setup, &learned, now);
        described.extend(learned);
        Ok((described, answer.calls))
    }
}
