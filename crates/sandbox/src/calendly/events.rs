//! What invitees and hosts do: book, move, cancel, mark who did not come, submit a routing form.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CalendlyOrg, HOME, State, stamp};

/// An invitee is written a moment after their creation, as the example bodies show.
const SETTLED: SignedDuration = SignedDuration::from_millis(14);

/// What somebody books.
#[derive(Debug, Clone)]
pub struct NewInvitee {
    pub event_type: String,
    pub start: Timestamp,
    pub name: String,
    pub email: String,
    pub guests: Vec<String>,
    /// Question and answer.
    pub answers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) uuid: String,
    pub(super) event_type: String,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) active: bool,
    pub(super) guests: Vec<String>,
    /// The join link, once there is one.
    pub(super) link: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Invitee {
    pub(super) uuid: String,
    pub(super) event: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) answers: Vec<(String, String)>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) cancelled: Option<Cancelled>,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
    pub(super) no_show: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(super) struct Cancelled {
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) at: Timestamp,
    pub(super) rescheduled: bool,
}

impl Invitee {
    pub(super) fn uri(&self) -> String {
        format!("{HOME}/scheduled_events/{}/invitees/{}", self.event, self.uuid)
    }
}

impl CalendlyOrg {
    /// Somebody books, and gets the invitee's uuid. Where the event is shared and there already, they join it.
    pub fn book(&self, new: &NewInvitee) -> Option<String> {
        let now = self.now();
        let mut state = self.state();
        let uuid = self.join(&mut state, new, None, now)?;
        self.tell(&mut state, "invitee.created", &uuid, now);
        Some(uuid)
    }

    fn join(&self, state: &mut State, new: &NewInvitee, old: Option<String>, now: Timestamp) -> Option<String> {
        let kind = self.config.event_types.iter().find(|kind| kind.uuid == new.event_type)?;
        let taken = |event: &&Event| {
            kind.limit > 1 && event.active && event.event_type == kind.uuid && event.start == new.start
        };
        let event = match state.events.iter().find(taken) {
            // Joining leaves the event's own time of change alone.
            Some(event) => event.uuid.clone(),
            None => {
                let number = state.number();
                let event = Event {
                    uuid: format!("EVENT{number}"),
                    event_type: kind.uuid.clone(),
                    start: new.start,
                    end: new.start.saturating_add(SignedDuration::from_mins(kind.minutes)).unwrap_or(new.start),
                    active: true,
                    guests: new.guests.clone(),
                    link: Some(format!("https://video.example.com/{number}")),
                    created: now,
                    updated: now,
                };
                let uuid = event.uuid.clone();
                state.events.push(event);
                uuid
            }
        };
        let number = state.number();
        let invitee = Invitee {
            uuid: format!("INVITEE{number}"),
            event,
            name: new.name.clone(),
            email: new.email.clone(),
            answers: new.answers.clone(),
            created: now,
            updated: now.saturating_add(SETTLED).unwrap_or(now),
            cancelled: None,
            old,
            new: None,
            no_show: None,
        };
        let uuid = invitee.uuid.clone();
        state.invitees.push(invitee);
        Some(uuid)
    }

    /// Somebody cancels an invitee's part. Once nobody is left, the event is cancelled, too.
    pub fn cancel(&self, invitee: &str, by: &str, reason: &str) -> bool {
        let now = self.now();
        let mut state = self.state();
        if !leave(&mut state, invitee, by, reason, false, now) {
            return false;
        }
        self.tell(&mut state, "invitee.canceled", invitee, now);
        true
    }

    /// An invitee moves to another time: they leave, and a new invitee of a new event comes.
    pub fn reschedule(&self, invitee: &str, start: Timestamp, by: &str, reason: &str) -> Option<String> {
        let now = self.now();
        let mut state = self.state();
        let old = state.invitees.iter().find(|known| known.uuid == invitee && known.cancelled.is_none())?.clone();
        let event = state.events.iter().find(|event| event.uuid == old.event)?.clone();
        let new = NewInvitee {
            event_type: event.event_type,
            start,
            name: old.name.clone(),
            email: old.email.clone(),
            guests: event.guests,
            answers: old.answers.clone(),
        };
        leave(&mut state, invitee, by, reason, true, now);
        let uuid = self.join(&mut state, &new, Some(old.uri()), now)?;
        let uri = state.invitees.iter().find(|known| known.uuid == uuid).map(Invitee::uri);
        if let Some(old) = state.invitees.iter_mut().find(|known| known.uuid == invitee) {
            old.new = uri;
        }
        self.tell(&mut state, "invitee.canceled", invitee, now);
        self.tell(&mut state, "invitee.created", &uuid, now);
        Some(uuid)
    }

    /// The host marks an invitee as not having come, or takes the mark back. Their own times stay as they are.
    pub fn mark_no_show(&self, invitee: &str, mark: bool) -> bool {
        let now = self.now();
        let mut state = self.state();
        let Some(known) = state.invitees.iter_mut().find(|known| known.uuid == invitee) else { return false };
        known.no_show = mark.then_some(now);
        let event = if mark { "invitee_no_show.created" } else { "invitee_no_show.deleted" };
        self.tell(&mut state, event, invitee, now);
        true
    }

    /// The conference gets another link, which no webhook tells of.
    pub fn change_link(&self, invitee: &str, link: &str) {
        let now = self.now();
        let mut state = self.state();
        let event = state.invitees.iter().find(|known| known.uuid == invitee).map(|known| known.event.clone());
        if let Some(event) = state.events.iter_mut().find(|known| Some(&known.uuid) == event.as_ref()) {
            event.link = Some(link.to_owned());
            event.updated = now;
        }
    }

    /// Somebody submits a routing form and books nothing.
    pub fn submit_form(&self, answers: &[(&str, &str)]) {
        let now = self.now();
        let mut state = self.state();
        let number = state.number();
        let answers: Vec<Value> = answers
            .iter()
            .enumerate()
            .map(|(n, (question, answer))| json!({"question_uuid": format!("Q{n}"), "question": question, "answer": answer}))
            .collect();
        let payload = json!({
            "uri": format!("{HOME}/routing_form_submissions/SUBMISSION{number}"), "routing_form": format!("{HOME}/routing_forms/FORM1"),
            "questions_and_answers": answers, "tracking": {}, "result": {"type": "custom_message", "value": {}},
            "submitter": null, "submitter_type": null, "created_at": stamp(now), "updated_at": stamp(now),
        });
        state.submissions.push(payload.clone());
        self.send(&mut state, "routing_form_submission.created", &payload, now);
    }

    fn tell(&self, state: &mut State, event: &str, invitee: &str, now: Timestamp) {
        let Some(known) = state.invitees.iter().find(|known| known.uuid == invitee) else { return };
        let Some(meeting) = state.events.iter().find(|event| event.uuid == known.event) else { return };
        let mut payload = self.shown_invitee(known);
        payload["scheduled_event"] = self.shown_event(state, meeting);
        self.send(state, event, &payload, now);
    }
}

fn leave(state: &mut State, invitee: &str, by: &str, reason: &str, rescheduled: bool, now: Timestamp) -> bool {
    let known = state.invitees.iter_mut().find(|known| known.uuid == invitee && known.cancelled.is_none());
    let Some(known) = known else { return false };
    known.cancelled = Some(Cancelled { by: by.to_owned(), reason: reason.to_owned(), at: now, rescheduled });
    known.updated = now;
    let event = known.event.clone();
    let left = state.invitees.iter().any(|known| known.event == event && known.cancelled.is_none());
    if !left && let Some(event) = state.events.iter_mut().find(|known| known.uuid == event) {
        event.active = false;
        event.updated = now;
    }
    true
}
