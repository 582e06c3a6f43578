//! The API's own description (OpenAPI 3.1), made from the handlers; `docs/openapi.json` is a copy of it.

use axum::{http::header, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{
    activity, bookings, calendars, connections, dry_run, integration, messages, model, record_asks, records, status,
};
use crate::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Syncline",
        description = "What was booked and what it became in the CRM, which records are kept in step between which accounts, which meetings of whose calendars are on the CRM's timelines, and why. Every request bears the admin token, or one made by `syncline tokens create`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        status::read,
        activity::list,
        bookings::take_in,
        bookings::list,
        bookings::read,
        bookings::replay,
        dry_run::try_out,
        connections::list,
        connections::disconnect,
        connections::connect_link,
        messages::list,
        messages::replay,
        integration::agreement,
        records::list,
        records::show,
        records::setups::write,
        records::setups::read,
        records::setups::remove,
        records::acts::check,
        records::acts::preview,
        records::acts::activate,
        records::acts::pause,
        records::acts::run,
        records::holds::list,
        records::holds::retry,
        records::holds::resolve,
        record_asks::create,
        calendars::list,
        calendars::show,
        calendars::setups::write,
        calendars::setups::read,
        calendars::setups::remove,
        calendars::acts::check,
        calendars::acts::preview,
        calendars::acts::activate,
        calendars::acts::pause,
        calendars::acts::run,
        calendars::events::list,
        calendars::acts::retry,
    ),
    components(schemas(ProblemBody, model::Health, model::Work, model::MessageState, integration::Standing, records::model::Winner)),
    modifiers(&AdminToken),
)]
struct Description;

struct AdminToken;

impl Modify for AdminToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("admin", scheme);
    }
}

/// The description as JSON text.
pub fn openapi_json() -> String {
    let mut text = Description::openapi().to_pretty_json().expect("a description made of texts is always JSON");
    text.push('\n');
    text
}

/// `GET /api/openapi.json`.
pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json())
}
