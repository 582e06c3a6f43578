//! What must hold in the end of meetings that people logged in the CRM: each is one event in its owner's calendar, both
//! sides say what was written last by somebody who could know of it, and nobody was invited twice.

use std::collections::{BTreeMap, BTreeSet};

use syncline_sandbox::{CalendarMail, MailMethod};

use super::{
    ledger::{Ledger, Logged},
    wires::Wires,
};

/// Looks at all of them.
pub fn look(wires: &Wires, ledger: &Ledger) {
    let office = &wires.office;
    let mails: Vec<CalendarMail> =
        office.google.mails_since(0).into_iter().chain(office.microsoft.mails_since(0)).collect();
    for logged in &ledger.logged {
        invited(wires, logged, &mails);
        if !logged.gone {
            look_at(wires, logged);
        }
    }
}

fn look_at(wires: &Wires, logged: &Logged) {
    let wrong = |says: String| wires.sim.violation("back", format!("{says}; {logged:?}"));
    let events = logged.events(&wires.office);
    let [(_, _, title)] = events.as_slice() else {
        return wrong(format!("logged in the CRM, and in the calendar {} times: {events:?}", events.len()));
    };
    if !logged.stands.contains(title) {
        wrong(format!("the event is called {title}, which somebody replaced who saw it"));
    }
    let says = wires.office.crm.record(&logged.id).map(|record| record.title);
    if says.as_ref() != Some(title) {
        wrong(format!("the event is called {title}, and the record {says:?}"));
    }
}

/// Nobody gets invitations to two events for one meeting, nor more mails than there were changes.
fn invited(wires: &Wires, logged: &Logged, mails: &[CalendarMail]) {
    let is_about = |mail: &&CalendarMail| mail.method == MailMethod::Request && logged.names.contains(&mail.subject);
    let mut by_guest: BTreeMap<&str, (BTreeSet<&str>, u64)> = BTreeMap::new();
    for mail in mails.iter().filter(is_about) {
        let (uids, count) = by_guest.entry(&mail.to).or_default();
        uids.insert(&mail.uid);
        *count += 1;
    }
    for (guest, (uids, count)) in by_guest {
        if uids.len() > 1 || count > logged.changes + 1 {
            wires.sim.violation("invited", format!("{guest} got {count} invitations to {uids:?}; {logged:?}"));
        }
    }
}
