//! What the product logs while it runs: searched for secrets and for what is personal, never kept.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use syncline_core::ids::WorkspaceId;
use syncline_store::{ActivityFilter, PAGE_MAX};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

use crate::{
    sim::{Reached, Sim},
    story::{CANARY, HUSH, SECRET},
};

/// How refresh and access tokens of the imitation org begin, and secrets of ours.
const SECRETS: &[&str] = &[SECRET, "5Aep861", "00DsM"];

/// Reads along.
pub struct Listener {
    sim: Arc<Sim>,
    spans: AtomicU64,
}

impl Listener {
    pub fn new(sim: &Arc<Sim>) -> Self {
        Self { sim: Arc::clone(sim), spans: AtomicU64::new(1) }
    }

    fn hear(&self, words: &Words) {
        search(&self.sim, "the log", &words.0);
        if words.0.contains("took") && words.0.contains("over") {
            self.sim.reach(Reached::LostLease);
            if self.sim.may(crate::faults::Fault::L1) || self.sim.may(crate::faults::Fault::L2) {
                self.sim.fired(crate::faults::Fault::L1);
            }
        }
    }
}

/// Looks for what must not stand there.
pub fn search(sim: &Sim, place: &str, text: &str) {
    let lower = text.to_lowercase();
    if lower.contains(CANARY) || lower.contains(HUSH) || SECRETS.iter().any(|secret| text.contains(secret)) {
        sim.violation("I8", format!("{place} tells a secret or names a person"));
    }
}

/// Looks for secrets alone: where people read, persons may be named.
pub fn search_secrets(sim: &Sim, place: &str, text: &str) {
    if SECRETS.iter().any(|secret| text.contains(secret)) {
        sim.violation("I8", format!("{place} tells a secret"));
    }
}

/// A line of the activity log.
pub struct Line {
    pub text: String,
    pub details: serde_json::Value,
}

/// The whole activity log, oldest line first; searched for secrets on the way.
pub async fn journal(sim: &Sim, workspace: &WorkspaceId) -> Vec<Line> {
    let (mut rows, mut before) = (Vec::new(), None);
    loop {
        let filter = ActivityFilter { before, limit: PAGE_MAX, ..ActivityFilter::default() };
        let page = sim.store.activity(workspace, filter).await.unwrap_or_default();
        before = page.last().map(|row| row.id);
        let ended = page.len() < PAGE_MAX;
        rows.extend(page);
        if ended {
            break;
        }
    }
    let lines = rows.into_iter().rev().map(|row| {
        let entry = row.entry;
        let text = format!("journal {} {} {} {}", entry.at, entry.kind.as_str(), entry.text, entry.details);
        search_secrets(sim, "the journal", &text);
        Line { text, details: entry.details }
    });
    lines.collect()
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for Listener {
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("syncline")
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut words = Words(String::new());
        attributes.record(&mut words);
        self.hear(&words);
        span::Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut words = Words(String::new());
        values.record(&mut words);
        self.hear(&words);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        self.hear(&words);
        self.sim.note(|| format!("log {} {}", event.metadata().level(), words.0.trim_end()));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
