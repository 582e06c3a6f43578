//! Bodies of events: pages in HTML, and the plain text of them.

/// Letters of a body's preview.
const PREVIEW_MAX: usize = 255;

/// Wraps a text as it is kept.
pub(super) fn as_html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<div>{}</div>", escaped.replace('\n', "<br>\r\n"))
}

/// A whole page, as bodies are always told.
pub(super) fn html(inner: &str) -> String {
    if inner.trim_start().starts_with("<html") {
        return inner.to_owned();
    }
    let head = "<head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n</head>";
    format!("<html>\r\n{head}\r\n<body>\r\n{inner}\r\n</body>\r\n</html>\r\n")
}

pub(super) fn plain(inner: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for letter in inner.replace("<br>", "").chars() {
        match letter {
            '<' => in_tag = true,
            '>' => in_tag = false,
            letter if !in_tag => out.push(letter),
            _ => {}
        }
    }
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&").trim().to_owned()
}

pub(super) fn preview(inner: &str) -> String {
    plain(inner).chars().take(PREVIEW_MAX).collect()
}
