//! Who attends, by the CRM and by the calendar: everybody whom either adds comes to both; what others replied stays as
//! they replied it.

use std::collections::BTreeSet;

use crate::calendar::event::{Attendee, Content, Part, Party, Reply};

/// How changes of who attends travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttendeeRules<'a> {
    /// Whether somebody added in the CRM is invited.
    pub invite: bool,
    /// Who is taken off the event where he was taken off in the CRM.
    pub uninvite: &'a BTreeSet<String>,
}

/// Who is to come and go, by address.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Company {
    /// The event's attendees as they are to be sent, where anything is to be sent. Always all of them: calendars replace
    /// the list as a whole.
    pub send: Option<Vec<Attendee>>,
    pub invited: BTreeSet<String>,
    pub uninvited: BTreeSet<String>,
    pub add_to_crm: BTreeSet<String>,
    pub remove_from_crm: BTreeSet<String>,
    /// Whom both have known once that is done.
    pub agreed: BTreeSet<String>,
    /// Those who should have been invited, while the event's own list is known to lack some: replacing it would send
    /// others away.
    pub held: BTreeSet<String>,
}

/// The merge. `base` are those whom both knew, `crm` those whom the record has now; `may_write` says whether this copy is
/// the organiser's.
pub fn merge_attendees(
    base: &BTreeSet<String>,
    crm: &BTreeSet<String>,
    content: &Content,
    may_write: bool,
    rules: AttendeeRules<'_>,
) -> Company {
    let organizer = content.organizer.as_ref().map(|who| who.email.as_str());
    let there: BTreeSet<String> = content.people().into_iter().map(|who| who.email.clone()).collect();
    let mut out = Company::default();
    for email in base.union(crm).chain(&there).collect::<BTreeSet<_>>() {
        match (base.contains(email), crm.contains(email), there.contains(email)) {
            (_, true, true) => drop(out.agreed.insert(email.clone())),
            (false, true, false) if may_write && rules.invite => {
                let list = if content.attendees_whole { &mut out.invited } else { &mut out.held };
                list.insert(email.clone());
            }
            (false, true, false) => {}
            (false, false, true) => drop(out.add_to_crm.insert(email.clone())),
            (true, true, false) if content.attendees_whole => drop(out.remove_from_crm.insert(email.clone())),
            // Whoever a list known to lack some does not name may still be there.
            (true, true, false) => drop(out.agreed.insert(email.clone())),
            (true, false, true) => {
                let is_guest = Some(email.as_str()) != organizer;
                if may_write && rules.uninvite.contains(email) && content.attendees_whole && is_guest {
                    out.uninvited.insert(email.clone());
                } else {
                    // Taken off in the CRM only: known to both, so that it is not added there again.
                    out.agreed.insert(email.clone());
                }
            }
            (true, false, false) | (false, false, false) => {}
        }
    }
    out.agreed.extend(out.invited.iter().chain(&out.add_to_crm).cloned());
    if !(out.invited.is_empty() && out.uninvited.is_empty()) {
        let stays = |one: &&Attendee| !out.uninvited.contains(&one.who.email);
        let new = out.invited.iter().map(|email| Attendee {
            who: Party { email: email.clone(), name: None },
            part: Part::Required,
            reply: Reply::Awaited,
        });
        out.send = Some(content.attendees.iter().filter(stays).cloned().chain(new).collect());
    }
    out
}
