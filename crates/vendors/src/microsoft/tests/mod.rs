//! Against the imitation Microsoft 365 tenant, and against rows as the documents show them.

mod answers;
mod drafts;
mod login;
mod rows;
mod series;
mod site;
mod watch;
mod watches;
mod writes;

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_connect::{
    Answered, Calendars, Error, Secret, Settings,
    calendar::{CalendarId, Changes, From, Page, Reading},
};
use syncline_core::calendar::event::Event;
use syncline_sandbox::{MicrosoftConfig, MicrosoftTenant};

use super::{Microsoft, api::PRIMARY};
use crate::testing::site::{Asker, Hands};
use watch::{Watched, run};

const MIA: &str = "mia@firm.example";
const NOAH: &str = "noah@firm.example";

/// Somebody's calendar, read page by page.
struct Desk {
    site: Arc<MicrosoftTenant>,
    asker: Asker,
    cursor: Option<String>,
}

fn primary() -> CalendarId {
    CalendarId(PRIMARY.into())
}

impl Desk {
    fn new() -> Self {
        Self::with(MicrosoftConfig::default(), MIA)
    }

    fn with(config: MicrosoftConfig, who: &str) -> Self {
        let hands = Hands::at("2026-03-12T08:00:00Z");
        Self::at(MicrosoftTenant::new(config, hands.clone()), hands, who)
    }

    /// Somebody else's at the same tenant.
    fn beside(&self, who: &str) -> Self {
        Self::at(self.site.clone(), self.asker.hands.clone(), who)
    }

    fn at(site: Arc<MicrosoftTenant>, hands: Arc<Hands>, who: &str) -> Self {
        let token =
            site.install(who).expect("there is a mailbox")["access_token"].as_str().expect("a token").to_owned();
        let asker = Asker {
            http: Box::new(Watched::new(site.clone())),
            hands,
            base_url: "http://sandbox".parse().expect("an address"),
            bearer: Secret::new(token),
            settings: Settings::new(),
        };
        Self { site, asker, cursor: None }
    }

    fn try_page(&self) -> Result<Answered<Changes>, Error> {
        let from = self.cursor.as_deref().map_or(From::Beginning, From::Cursor);
        let (cx, calendar) = (self.asker.cx(), primary());
        let answered = run(Microsoft.changes(&cx, &calendar, from))?;
        assert!(answered.calls <= Microsoft.calls_per_page());
        Ok(answered)
    }

    fn page(&mut self) -> Page {
        self.asker.hands.pass(1);
        match self.try_page().expect("the sandbox answers").value {
            Changes::Page(page) => {
                self.cursor = Some(page.cursor.clone());
                page
            }
            Changes::Expired => panic!("the link is good"),
        }
    }

    /// Reads to the end: what came, and how the reading ended.
    fn read(&mut self) -> (Vec<Event>, Reading) {
        let mut events = Vec::new();
        loop {
            let page = self.page();
            events.extend(page.events);
            if page.reading != Reading::More {
                return (events, page.reading);
            }
        }
    }

    /// The subjects of what came, in order.
    fn subjects(&mut self) -> Vec<String> {
        let mut names: Vec<String> = self.read().0.iter().map(subject).collect();
        names.sort_unstable();
        names
    }

    fn create(&self, event: &Value) -> String {
        self.site.create(MIA, event).expect("a meeting")
    }
}

fn subject(event: &Event) -> String {
    event.content().map_or_else(|| format!("{:?}", event.body), |content| content.summary.clone())
}

fn meeting(subject: &str) -> Value {
    json!({
        "subject": subject,
        "body": {"contentType": "text", "content": "One\nTwo & three"},
        "start": {"dateTime": "2026-03-20T14:00:00", "timeZone": "W. Europe Standard Time"},
        "end": {"dateTime": "2026-03-20T15:00:00", "timeZone": "W. Europe Standard Time"},
        "attendees": [{"type": "required", "emailAddress": {"address": "ada@acme.example", "name": "Ada"}}],
    })
}

/// Four Fridays over the beginning of summer time.
fn fridays() -> Value {
    let mut event = meeting("Weekly");
    event["recurrence"] = json!({
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["friday"]},
        "range": {"type": "numbered", "startDate": "2026-03-20", "numberOfOccurrences": 4},
    });
    event
}
