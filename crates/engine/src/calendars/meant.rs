//! Which event a record of the CRM stands for in a calendar that is to be written to: the event as it is kept, or an occurrence
//! that does not differ from its series yet, of which the calendar is asked.

use syncline_core::calendar::{
    event::{Body, Event, EventId},
    identity::Rid,
    meeting::{Alone, NotAlone, alone},
};
use syncline_store::{StoredCopy, StoredMeeting};

use super::{CalendarFlow, CalendarSetup, back::Target, see::Seeing};
use crate::{
    call::with_token,
    engine::{Called, Engine},
    push::Op,
    records::paid,
};

/// What one calendar has of a meeting.
pub(super) struct Meant<'a> {
    pub calendar: &'a CalendarSetup,
    /// Whether the calendar is its organiser's.
    pub organizes: bool,
    pub which: Alone<'a>,
}

/// What each calendar of the integration has of a meeting, by the copies of its series, and by what was made of it.
pub(super) fn meant<'a>(seeing: &Seeing<'a>, copies: &'a [StoredCopy], meeting: &'a StoredMeeting) -> Vec<Meant<'a>> {
    let rid = meeting.key.rid;
    let of = |calendar: &'a CalendarSetup| {
        let own: Vec<&'a StoredCopy> = copies.iter().filter(|copy| copy.calendar == calendar.name).collect();
        if own.is_empty() {
            // What was made there is not read yet.
            let made = meeting.state.made.as_deref().filter(|made| made.calendar == calendar.name)?;
            return Some(Meant { calendar, organizes: true, which: Alone::Event(&made.event) });
        }
        // Of what is gone as a whole this calendar says nothing any more.
        own.iter().find(|copy| copy.event.body != Body::Bare)?;
        // What an occurrence does not say of itself, its series does.
        let whole = own.iter().find(|copy| copy.event.rid == Rid::Single && copy.event.body != Body::Bare);
        let first = whole.or_else(|| own.iter().find(|copy| copy.event.rid == rid)).or(own.first())?;
        let organizes = first.organizes;
        let which = alone(rid, own.iter().map(|copy| &copy.event), &seeing.home(&calendar.name));
        Some(Meant { calendar, organizes, which })
    };
    seeing.flow.calendars.iter().filter_map(of).collect()
}

impl Engine {
    /// The event, to be written alone. The inner error: why there is none.
    pub(super) async fn event_meant(
        &self,
        flow: &CalendarFlow,
        target: &Target<'_>,
        which: Alone<'_>,
        rid: Rid,
        calls: &mut u32,
    ) -> Called<Result<Event, NotAlone>> {
        let series = match which {
            Alone::Event(event) => return Ok(Ok(event.clone())),
            Alone::No(why) => return Ok(Err(why)),
            Alone::Of(series) => series,
        };
        Ok(match self.occurrence(flow, target, &series.id, rid, calls).await? {
            None => Err(NotAlone::Gone),
            Some(event) if event.content().is_none() => Err(NotAlone::Unknown),
            Some(event) if event.and_following => Err(NotAlone::Together),
            Some(event) => Ok(event),
        })
    }

    /// An occurrence as its calendar has it now; nothing where it is not there.
    pub(super) async fn occurrence(
        &self,
        flow: &CalendarFlow,
        target: &Target<'_>,
        series: &EventId,
        rid: Rid,
        calls: &mut u32,
    ) -> Called<Option<Event>> {
        let (setup, facet) = self.calendar_facet(flow, target.calendar)?;
        let of = flow.reference(target.calendar);
        let id = self.calendar_id(&of, target.calendar, setup, facet, calls).await?;
        let writes = target.writes;
        let answer = with_token!(self, target.setup, Op::Calendar, |cx| writes.occurrence(cx, &id, series, rid));
        paid(answer, calls)
    }
}
