//! The text of a body: a page in markup, whatever was written. Pure.

use super::wire::Text;
use crate::markup;

/// What of a page is no text of its writer.
const SILENT: [(&str, &str); 3] = [("<style", "</style>"), ("<script", "</script>"), ("<!--", "-->")];

/// What parts the text of an online meeting's organiser from the part that its link stands in: a line of so many of these.
const DIVIDER: &str = "____________________";

/// The part of a page that keeps an online meeting's link: all from the element that its divider stands in.
pub fn link(page: &str) -> Option<&str> {
    let lower = page.to_ascii_lowercase();
    let from = lower[..lower.find(DIVIDER)?].rfind("<div")?;
    let to = lower.rfind("</body").filter(|to| *to >= from).unwrap_or(page.len());
    Some(page[from..to].trim_end())
}

/// A text without what an online meeting added to it.
pub fn own(text: &str) -> &str {
    text.split(DIVIDER).next().unwrap_or_default().trim_end()
}

/// What was written.
pub fn plain(body: &Text) -> String {
    let content = body.content.as_deref().unwrap_or_default().replace("\r\n", "\n");
    if body.content_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("text")) {
        return content.trim().to_owned();
    }
    let mut page = content;
    for (from, to) in SILENT {
        page = without(&page, from, to);
    }
    let lower = page.to_ascii_lowercase();
    let from = lower.find("<body").unwrap_or(0);
    let to = lower.rfind("</body").filter(|to| *to >= from).unwrap_or(page.len());
    // Blanks at the edges of a line are those of the markup.
    let text = markup::to_text(&page[from..to]);
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Without what stands between such marks; what is never closed goes on to the end.
fn without(page: &str, from: &str, to: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let mut kept = String::with_capacity(page.len());
    let mut at = 0;
    while let Some(start) = lower[at..].find(from).map(|start| at + start) {
        kept.push_str(&page[at..start]);
        at = lower[start..].find(to).map_or(page.len(), |end| start + end + to.len());
    }
    kept.push_str(&page[at..]);
    kept
}
