//! Who owns what is written: the routing map, then the host, then the default; whoever is inactive or unknown falls
//! through to the next.

use super::{
    chain::View,
    matching::address,
    project::{Context, Note},
    settings::BookingSettings,
};
use crate::ids::RecordId;

/// Those who may own the booking's records, best first: each an e-mail address or the id of a CRM user.
pub fn candidates(settings: &BookingSettings, view: &View<'_>) -> Vec<String> {
    let host = view.content.hosts.first().and_then(|host| address(&host.email));
    let routed = route(settings, view).map(user_key);
    let default = settings.default_owner.as_deref().map(user_key);
    let mut all: Vec<String> = Vec::with_capacity(3);
    for candidate in [routed, host, default].into_iter().flatten() {
        if !all.contains(&candidate) {
            all.push(candidate);
        }
    }
    all
}

/// The form in which a user is asked for: a normalised address, or an id as it stands.
fn user_key(typed: &str) -> String {
    address(typed).unwrap_or_else(|| typed.trim().to_owned())
}

/// The user that the routing map names for the meeting's place, its team, or else its first host.
fn route<'a>(settings: &'a BookingSettings, view: &View<'_>) -> Option<&'a str> {
    let routes = &settings.owner_routes;
    let by_name = |name: &Option<String>| routes.get(name.as_deref().unwrap_or_default());
    let host = view.content.hosts.first().and_then(|host| address(&host.email));
    let by_host = || host.and_then(|host| routes.iter().find(|(route, _)| address(route).as_ref() == Some(&host)));
    by_name(&view.content.location)
        .or_else(|| by_name(&view.content.team))
        .or_else(|| by_host().map(|(_, user)| user))
        .map(String::as_str)
}

/// The first candidate who is an active user. `None` leaves it to the CRM's own default.
pub(super) fn owner(cx: &Context<'_>, view: &View<'_>, notes: &mut Vec<Note>) -> Option<RecordId> {
    let mut passed_over = false;
    let chosen = candidates(cx.settings, view).iter().find_map(|candidate| match cx.facts.user(candidate) {
        Some(user) => {
            passed_over |= user.is_none();
            user.cloned()
        }
        None => None,
    });
    if passed_over {
        let text = match &chosen {
            Some(_) => "the first choice of owner is no active user of the CRM; the next one owns the records",
            None => "the host is no active user of the CRM; the default owner applies",
        };
        notes.push(Note::new("owner_default", text));
    }
    chosen
}
