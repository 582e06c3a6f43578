//! What a code of the API means and what to do, as a page: the text of `docs/errors/` with its headings, paragraphs and
//! words of code, which is all that stands in one.

use askama::Template;

use crate::page::Frame;

#[derive(Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage {
    frame: Frame,
    paragraphs: Vec<Paragraph>,
}

struct Paragraph {
    is_heading: bool,
    /// Texts, and whether each is code.
    parts: Vec<(bool, &'static str)>,
}

impl ErrorPage {
    pub(super) fn new(text: &'static str) -> Self {
        let mut paragraphs = text.split("\n\n").map(str::trim);
        let title = paragraphs.next().unwrap_or_default().trim_start_matches("# ").replace('`', "");
        let paragraph = |text: &'static str| Paragraph {
            is_heading: text.starts_with("## "),
            parts: text.trim_start_matches("## ").split('`').enumerate().map(|(n, part)| (n % 2 == 1, part)).collect(),
        };
        Self { frame: Frame::bare(&title), paragraphs: paragraphs.map(paragraph).collect() }
    }
}
