//! The pages: objects, records, calls, faults. Plain HTML, readable on a phone, everything escaped.

use std::fmt::Write;

use crate::salesforce::{FaultKind, SalesforceOrg, id::Id};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem}\
    table{border-collapse:collapse;display:block;overflow-x:auto}td,th{border:1px solid #ccc;padding:.2rem .5rem;\
    text-align:left;vertical-align:top}code{word-break:break-all}input,select,button{font:inherit;margin:.2rem}";
/// Calls shown on the first page.
const CALLS_SHOWN: usize = 50;
/// Columns of a record table; the record's own page has the rest.
const COLUMNS: usize = 8;

/// Makes text safe within HTML and its attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style>\
         <h1>{title}</h1>{body}</html>"
    )
}

impl SalesforceOrg {
    pub(super) fn home(&self, base: &str) -> String {
        let mut body = format!("<p>An imitation org at <code>{}</code>.</p><h2>Objects</h2><ul>", escape(base));
        {
            let state = self.state();
            for (no, def) in self.schema().objects.iter().enumerate() {
                let live = state.world.table(no).live();
                let _ = write!(body, "<li><a href=\"/_sandbox/objects/{0}\">{0}</a>: {live}</li>", escape(&def.name));
            }
        }
        body.push_str("</ul><h2>Faults</h2>");
        self.fault_list(&mut body);
        body.push_str("<h2>Last calls</h2><table><tr><th>at<th>request<th>status<th>parts<th>fault</tr>");
        for call in self.calls().recent.iter().rev().take(CALLS_SHOWN) {
            let _ = write!(
                body,
                "<tr><td>{}<td><code>{} {}</code><td>{}<td>{}<td>{}</tr>",
                escape(&call.at),
                escape(&call.method),
                escape(&call.path),
                call.status,
                call.subrequests,
                escape(call.fault.as_deref().unwrap_or_default())
            );
        }
        body.push_str(
            "</table><p><a href=\"/_sandbox/state.json\">state.json</a> \
            <a href=\"/_sandbox/calls.json\">calls.json</a> <a href=\"/_sandbox/faults\">faults</a></p>",
        );
        page(&self.config.org_name, &body)
    }

    fn fault_list(&self, body: &mut String) {
        body.push_str("<ul>");
        for fired in self.faults().fired() {
            let _ = write!(body, "<li>{:?}: {} of {}</li>", fired.kind, fired.fired, fired.seen);
        }
        body.push_str("</ul><form method=post action=\"/_sandbox/faults\"><select name=kind aria-label=kind>");
        for kind in [
            FaultKind::Status,
            FaultKind::Slow,
            FaultKind::AppliedAnswerLost,
            FaultKind::LostRequest,
            FaultKind::ExpiredToken,
            FaultKind::DailyLimit,
            FaultKind::Truncated,
            FaultKind::RowLock,
            FaultKind::Partial,
        ] {
            let name = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned));
            let _ = write!(body, "<option>{}</option>", name.unwrap_or_default());
        }
        body.push_str(
            "</select><input name=path placeholder=\"path, e.g. /services/data\" aria-label=path>\
            <input name=object placeholder=object aria-label=object>\
            <input name=status placeholder=\"status, e.g. 503\" inputmode=numeric aria-label=status>\
            <input name=delay_ms placeholder=\"delay in ms\" inputmode=numeric aria-label=delay>\
            <input name=next placeholder=\"how many times\" inputmode=numeric aria-label=times>\
            <input name=probability placeholder=\"probability 0 to 1\" aria-label=probability>\
            <button>Add fault</button></form>\
            <form method=post action=\"/_sandbox/faults/clear\"><button>Remove all faults</button></form>",
        );
    }

    pub(super) fn object_page(&self, name: &str, from: usize, size: usize) -> Option<String> {
        let object = self.schema().find(name)?;
        let schema = self.schema();
        let def = schema.def(object);
        let state = self.state();
        let custom = def.fields.iter().zip(0..).filter(|(field, _)| field.custom).map(|(_, no)| no);
        let wanted = [
            "Name",
            "Subject",
            "Email",
            "Status",
            "StageName",
            "StartDateTime",
            "OwnerId",
            "AccountId",
            "WhoId",
            "SystemModstamp",
        ];
        let columns: Vec<u16> =
            wanted.iter().filter_map(|name| def.field_no(name)).take(COLUMNS).chain(custom).collect();
        let mut body = String::from("<p><a href=\"/_sandbox/\">All objects</a></p><table><tr><th>Id");
        for no in &columns {
            let _ = write!(body, "<th>{}", escape(&def.field(*no).name));
        }
        body.push_str("</tr>");
        for (_, row) in state.world.table(object).rows().skip(from).take(size) {
            let id = row.id.as_str();
            let gone = if row.deleted { " (deleted)" } else { "" };
            let _ = write!(body, "<tr><td><a href=\"/_sandbox/records/{id}\">{id}</a>{gone}");
            for no in &columns {
                let value = row.read(def, *no).map(|value| value.to_json());
                let _ = write!(body, "<td>{}", shown(value));
            }
            body.push_str("</tr>");
        }
        let _ = write!(body, "</table><p><a href=\"?from={}\">Next</a></p>", from + size);
        Some(page(&def.label_plural, &body))
    }

    pub(super) fn record_page(&self, id: &str) -> Option<String> {
        let state = self.state();
        let (object, slot) = state.world.find(Id::parse(id)?)?;
        let row = state.world.row(object, slot)?;
        let schema = self.schema();
        let def = schema.def(object);
        let name = escape(&def.name);
        let mut body = format!("<p><a href=\"/_sandbox/objects/{name}\">{name}</a></p><table>");
        for (field, value) in state.world.dump(object, row) {
            if !value.is_null() {
                let _ = write!(body, "<tr><th>{}<td>{}</tr>", escape(&field), shown(Some(value)));
            }
        }
        body.push_str("</table>");
        Some(page(&format!("{} {}", def.label, row.id.as_str()), &body))
    }
}

/// A value as HTML; ids become links.
fn shown(value: Option<serde_json::Value>) -> String {
    match value {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => match Id::parse(&text).filter(|_| text.len() == 18) {
            Some(id) => format!("<a href=\"/_sandbox/records/{0}\">{0}</a>", id.as_str()),
            None => escape(&text),
        },
        Some(other) => escape(&other.to_string()),
    }
}
