//! Which CRM user a host is: remembered for a while, because every booking asks and the answer rarely changes.

use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};
use syncline_core::ids::{ConnectionId, RecordId, WorkspaceId};

/// How long an answer is believed.
const BELIEVED: SignedDuration = SignedDuration::from_mins(10);

/// How many hosts are remembered; at the limit all are forgotten, which costs one look-up each.
const MAX_HOSTS: usize = 10_000;

type Key = (WorkspaceId, ConnectionId, String);

/// Remembered hosts of all connections.
#[derive(Default)]
pub(crate) struct Directory(Mutex<HashMap<Key, (Option<RecordId>, Timestamp)>>);

impl Directory {
    /// The remembered answer: `None` where the host must be looked up.
    pub(crate) fn get(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        email: &str,
        now: Timestamp,
    ) -> Option<Option<RecordId>> {
        let hosts = self.0.lock().expect("no code panics while it holds this lock");
        let (user, learned) = hosts.get(&(workspace.clone(), connection.clone(), email.to_owned()))?;
        (now.duration_since(*learned) < BELIEVED).then(|| user.clone())
    }

    /// Remembers who the host is, or that he is no active user.
    pub(crate) fn learn(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        email: &str,
        user: Option<RecordId>,
        now: Timestamp,
    ) {
        let mut hosts = self.0.lock().expect("no code panics while it holds this lock");
        if hosts.len() >= MAX_HOSTS {
            hosts.clear();
        }
        hosts.insert((workspace.clone(), connection.clone(), email.to_owned()), (user, now));
    }
}
