//! Reading both sides: pages of changes and their cursors go into the store together, or not at all.

use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{
    Error, ErrorKind,
    mirror::{Ask, Changes, From},
};
use syncline_core::{
    backoff,
    ids::{IntegrationId, WorkspaceId},
    merge::Side,
};
use syncline_store::{PullPhase, PullState, SeenRow, TakeRows};

use super::{
    Halt, ROUND_PAGES_MAX, RecordFlow, Round, Turn,
    call::{mirrored, paid},
    later,
    rows::seen_row,
    view::KindView,
};
use crate::engine::Engine;

/// How long until a side is asked again that refuses us for a reason which only a person can mend.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// A look of fewer calls than twice this is repeated after the usual time, one of more after that many times longer. What
/// changed is shown again by the vendors for minutes, and ten thousand changes would be read over and over.
const LIGHT_CALLS: u32 = 5;

/// The longest rest after a look: by then nothing of it is shown again.
const REST_MAX: SignedDuration = SignedDuration::from_mins(20);

/// The calls so far of looks that take several rounds. Forgotten with the process, which costs a few calls.
pub(crate) type LongLooks = Mutex<HashMap<(WorkspaceId, IntegrationId, Side), u32>>;

/// A look at one side, which may take several rounds.
#[derive(Clone, Copy)]
struct Look {
    /// Its calls in rounds before this one.
    earlier: u32,
    /// The calls of this round before it.
    before: u32,
}

impl Look {
    fn calls(self, round: &Round) -> u32 {
        self.earlier.saturating_add(round.calls.saturating_sub(self.before))
    }
}

impl Engine {
    /// Reads what is due of both sides. Whether both have been read to their end by now: before that nobody knows who is
    /// missing.
    pub(crate) async fn pull_due(&self, turn: &Turn<'_>, round: &mut Round) -> Result<bool, Halt> {
        let mut states = self.pull_states(turn).await?;
        for side in Side::BOTH {
            let look = self.look_on(turn, side, round);
            for page in 0.. {
                let now = self.world.clock.now();
                let due: Vec<PullState> = states
                    .iter()
                    .filter(|state| state.side == side && state.next_at <= now)
                    .map(|state| begin_sweep(turn.flow, state, now))
                    .collect();
                if due.is_empty() {
                    break;
                }
                if page == ROUND_PAGES_MAX {
                    round.more = true;
                    self.look_longer(turn, side, look.calls(round));
                    break;
                }
                self.extend(turn, now).await?;
                let read = self.read_changes(turn, side, due, look, round).await?;
                for state in read {
                    if let Some(old) = states.iter_mut().find(|old| old.side == side && old.kind == state.kind) {
                        *old = state;
                    }
                }
            }
        }
        Ok(states.iter().all(|state| state.phase != PullPhase::First))
    }

    /// Begins a look at a side, or goes on with one.
    fn look_on(&self, turn: &Turn<'_>, side: Side, round: &Round) -> Look {
        let name = (turn.flow.workspace.clone(), turn.flow.id.clone(), side);
        let earlier = self.long_looks.lock().expect("no code panics while it holds this lock").remove(&name);
        Look { earlier: earlier.unwrap_or(0), before: round.calls }
    }

    /// Another round goes on with a look of so many calls.
    fn look_longer(&self, turn: &Turn<'_>, side: Side, calls: u32) {
        let name = (turn.flow.workspace.clone(), turn.flow.id.clone(), side);
        self.long_looks.lock().expect("no code panics while it holds this lock").insert(name, calls);
    }

    /// How far every kind of both sides has come; one that was never read is due at once.
    pub(crate) async fn pull_states(&self, turn: &Turn<'_>) -> Result<Vec<PullState>, Halt> {
        let mut states = self.world.store.pulls(&turn.flow.workspace, &turn.flow.id).await?;
        let now = self.world.clock.now();
        states.retain(|state| turn.compiled.kinds(state.side).contains_key(&state.kind));
        for state in states.iter_mut().filter(|state| state.phase == PullPhase::Changes && reads_others(turn, state)) {
            *state = PullState { next_at: now, ..sweep(state) };
        }
        for side in Side::BOTH {
            for kind in turn.compiled.kinds(side).keys() {
                if !states.iter().any(|state| state.side == side && state.kind == *kind) {
                    states.push(PullState {
                        side,
                        kind: kind.clone(),
                        phase: PullPhase::First,
                        cursor: None,
                        next_at: now,
                        failures: 0,
                        problem: None,
                        read_at: None,
                        sweep: 1,
                        changes_cursor: None,
                        swept_at: None,
                        fields: None,
                    });
                }
            }
        }
        states.sort_by(|a, b| (a.side, &a.kind).cmp(&(b.side, &b.kind)));
        Ok(states)
    }

    /// Reads one page of each of these kinds, in as few calls as the vendor allows, and takes it in.
    async fn read_changes(
        &self,
        turn: &Turn<'_>,
        side: Side,
        due: Vec<PullState>,
        look: Look,
        round: &mut Round,
    ) -> Result<Vec<PullState>, Halt> {
        let setup = self.side_setup(turn.flow, side).map_err(|error| Halt::Side(side, error))?;
        let kinds = turn.compiled.kinds(side);
        let asks: Vec<Ask<'_>> = due
            .iter()
            .filter_map(|state| {
                let fields = &kinds.get(&state.kind)?.fields;
                let start = state.cursor.as_deref().map_or(From::Beginning, From::Cursor);
                Some(Ask { kind: &state.kind, fields, start })
            })
            .collect();
        let answer = mirrored!(self, setup, |mirror, cx| mirror.changes(cx, &asks));
        let now = self.world.clock.now();
        let pages = match paid(answer, &mut round.calls) {
            Ok(pages) if pages.len() == asks.len() => pages,
            Ok(_) => {
                let error = Error::new(
                    ErrorKind::Protocol,
                    syncline_connect::Retry::Backoff,
                    "read changes",
                    "the answer has not a page for every question",
                );
                return Err(self.pull_failed(turn, side, due, error, now).await);
            }
            Err(error) => return Err(self.pull_failed(turn, side, due, error, now).await),
        };
        let mut rows: Vec<SeenRow> = Vec::new();
        let mut read = Vec::with_capacity(due.len());
        let mut swept = Vec::new();
        for (state, page) in due.into_iter().zip(pages) {
            let Some(view) = kinds.get(&state.kind) else { continue };
            let Changes { rows: seen, cursor, more, ask_in } = page;
            let anew = reads_others(turn, &state);
            rows.extend(seen.into_iter().map(|seen| match seen_row(side, &state.kind, view, seen) {
                // Of a field that was not read before nobody knows when it changed.
                row if anew => SeenRow { changed_at: None, ..row },
                row => row,
            }));
            if !more && state.phase == PullPhase::Sweep {
                swept.push((state.kind.clone(), state.sweep));
            }
            let then = match more {
                true => Then::More { at: later(now, SignedDuration::try_from(ask_in).unwrap_or(REST_MAX)) },
                false => Then::End { calls: look.calls(round) },
            };
            read.push(after_page(turn, state, cursor, then, now));
        }
        round.read += rows.len();
        let take = TakeRows {
            workspace: turn.flow.workspace.clone(),
            integration: turn.flow.id.clone(),
            held: turn.held.clone(),
            now,
            rows,
            pulls: read.clone(),
        };
        let taken = self.world.store.take_rows(take).await?.ok_or(Halt::Lost)?;
        round.changed += taken.new + taken.changed;
        for (kind, sweep) in swept {
            self.end_sweep(turn, side, &kind, sweep).await?;
        }
        Ok(read)
    }

    /// Notes that a side could not be read: no cursor moves.
    async fn pull_failed(
        &self,
        turn: &Turn<'_>,
        side: Side,
        due: Vec<PullState>,
        error: Error,
        now: Timestamp,
    ) -> Halt {
        let mut pulls = due;
        // What the account does not show any more is left out, and the rest asked for again.
        let hidden = match error.kind {
            ErrorKind::Field => self.hide_fields(turn.flow, side, &error.fields),
            _ => Vec::new(),
        };
        for state in &mut pulls {
            let pause = match error.retry {
                _ if !hidden.is_empty() => SignedDuration::ZERO,
                syncline_connect::Retry::Never => REFUSED_PAUSE,
                syncline_connect::Retry::After(pause) => {
                    backoff::capped(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX))
                }
                _ => backoff::next_delay(state.failures, self.random()),
            };
            state.failures = state.failures.saturating_add(1);
            state.problem = Some(error.message.clone());
            state.next_at = later(now, pause);
        }
        let take = TakeRows {
            workspace: turn.flow.workspace.clone(),
            integration: turn.flow.id.clone(),
            held: turn.held.clone(),
            now,
            rows: Vec::new(),
            pulls,
        };
        match self.world.store.take_rows(take).await {
            Ok(Some(_)) if hidden.is_empty() => Halt::Side(side, error),
            Ok(Some(_)) => Halt::Hidden { side, fields: hidden, error },
            Ok(None) => Halt::Lost,
            Err(error) => Halt::Store(error),
        }
    }
}

/// A kind that was not read as a whole for long is read so now.
fn begin_sweep(flow: &RecordFlow, state: &PullState, now: Timestamp) -> PullState {
    let last = state.swept_at.or(state.read_at);
    let due =
        state.phase == PullPhase::Changes && last.is_some_and(|last| now.duration_since(last) >= flow.sweep_every);
    if due { sweep(state) } else { state.clone() }
}

/// Whether other fields are read of a kind than when it was last read to its end.
fn reads_others(turn: &Turn<'_>, state: &PullState) -> bool {
    let view = turn.compiled.kinds(state.side).get(&state.kind);
    view.zip(state.fields.as_ref()).is_some_and(|(view, fields)| view.fingerprint() != *fields)
}

/// The same kind, to be read as a whole.
fn sweep(state: &PullState) -> PullState {
    PullState {
        phase: PullPhase::Sweep,
        changes_cursor: state.cursor.clone(),
        cursor: None,
        sweep: state.sweep + 1,
        ..state.clone()
    }
}

/// How long a side is left alone after a look of so many calls.
fn rest(every: SignedDuration, calls: u32) -> SignedDuration {
    let times = i32::try_from(calls / LIGHT_CALLS).unwrap_or(i32::MAX);
    every.max(every.saturating_mul(times).min(REST_MAX))
}

/// What comes behind a page.
enum Then {
    /// More, from then on.
    More { at: Timestamp },
    /// Nothing: it was the last of a look of so many calls.
    End { calls: u32 },
}

/// The pull after a page was read.
fn after_page(turn: &Turn<'_>, state: PullState, cursor: String, then: Then, now: Timestamp) -> PullState {
    let (whole, more) = (state.phase != PullPhase::Changes, matches!(then, Then::More { .. }));
    let every = turn.flow.side(state.side).every;
    let next_at = match then {
        Then::More { at } => at,
        // What a whole reading showed is not shown again.
        Then::End { .. } if whole => later(now, every),
        Then::End { calls } => later(now, rest(every, calls)),
    };
    let view = turn.compiled.kinds(state.side).get(&state.kind);
    PullState {
        phase: if more { state.phase } else { PullPhase::Changes },
        // The end of a whole reading knows from where on changes count.
        cursor: Some(cursor),
        changes_cursor: if more { state.changes_cursor } else { None },
        swept_at: if whole && !more { Some(now) } else { state.swept_at },
        next_at,
        failures: 0,
        problem: None,
        read_at: Some(now),
        fields: if more { state.fields } else { view.map(KindView::fingerprint) },
        ..state
    }
}
