//! The questions. Texts that change are escaped; everything else is written here once.

use quick_xml::escape::escape;

/// The namespaces of every question.
const SPACES: &str =
    r#"xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:cs="http://calendarserver.org/ns/""#;

/// What is shown of a collection.
const OF_A_COLLECTION: &str = "<d:displayname/><d:resourcetype/><d:current-user-privilege-set/>\
    <c:supported-calendar-component-set/><c:calendar-timezone-id/><c:calendar-timezone/>";

/// Who we are, and what of a collection is to be known: asked of the address that somebody typed, which may be anything.
pub fn start() -> String {
    propfind(&format!("<d:current-user-principal/><c:calendar-home-set/>{OF_A_COLLECTION}"))
}

/// Where somebody's calendars are.
pub fn homes() -> String {
    propfind("<c:calendar-home-set/>")
}

/// The collections of a home.
pub fn collections() -> String {
    propfind(&format!("{OF_A_COLLECTION}<c:schedule-default-calendar-URL/>"))
}

/// What a collection can do, and in which zone it means times without one.
pub fn abilities() -> String {
    propfind("<d:supported-report-set/><c:calendar-timezone-id/><c:calendar-timezone/>")
}

/// Whether anything changed.
pub fn mark() -> String {
    propfind("<cs:getctag/>")
}

/// The members with their versions.
pub fn members() -> String {
    propfind("<d:getetag/><d:resourcetype/><cs:getctag/>")
}

/// What changed since a token; without one all that is there. A limit is never asked for: there are servers whose next
/// token then skips the rest.
pub fn sync(token: Option<&str>) -> String {
    let token =
        token.map_or("<d:sync-token/>".to_owned(), |token| format!("<d:sync-token>{}</d:sync-token>", escape(token)));
    format!(
        "<d:sync-collection {SPACES}>{token}<d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"
    )
}

/// All events.
pub fn query() -> String {
    format!(
        "<c:calendar-query {SPACES}><d:prop><d:getetag/><c:calendar-data/></d:prop><c:filter><c:comp-filter name=\"VCALENDAR\">\
         <c:comp-filter name=\"VEVENT\"/></c:comp-filter></c:filter></c:calendar-query>"
    )
}

/// The event of this name, wherever it stands.
pub fn named(uid: &str) -> String {
    format!(
        "<c:calendar-query {SPACES}><d:prop><d:getetag/><c:calendar-data/></d:prop><c:filter><c:comp-filter name=\"VCALENDAR\">\
         <c:comp-filter name=\"VEVENT\"><c:prop-filter name=\"UID\"><c:text-match collation=\"i;octet\">{}</c:text-match>\
         </c:prop-filter></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>",
        escape(uid)
    )
}

/// What stands at these paths.
pub fn multiget<'p>(paths: impl Iterator<Item = &'p str>) -> String {
    let hrefs: String = paths.map(|path| format!("<d:href>{}</d:href>", escape(path))).collect();
    format!(
        "<c:calendar-multiget {SPACES}><d:prop><d:getetag/><c:calendar-data/></d:prop>{hrefs}</c:calendar-multiget>"
    )
}

fn propfind(props: &str) -> String {
    format!("<d:propfind {SPACES}><d:prop>{props}</d:prop></d:propfind>")
}
