//! An answer of many parts (RFC 4918, section 13), and an error with its preconditions.

use super::xml::{Element, Space, read};

/// Most rows of one answer.
const ROWS_MAX: usize = 100_000;

/// What a server tells about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As it was written.
    pub href: String,
    /// Of the address as a whole, where it was told.
    pub status: Option<u16>,
    /// The properties that are there.
    props: Vec<Element>,
    conditions: Vec<String>,
}

/// What a server tells about many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Multistatus {
    pub rows: Vec<Row>,
    /// Up to where the changes are told.
    pub token: Option<String>,
}

impl Multistatus {
    /// Reads the body of an answer. `None`: it is none.
    pub fn read(body: &str) -> Option<Self> {
        let root = read(body)?;
        if (root.space, root.name.as_str()) != (Space::Dav, "multistatus") {
            return None;
        }
        let token = root.part(Space::Dav, "sync-token").map(|token| token.word().to_owned());
        let mut rows = Vec::new();
        for response in
            root.parts.into_iter().filter(|part| (part.space, part.name.as_str()) == (Space::Dav, "response"))
        {
            rows.extend(rows_of(response));
            if rows.len() > ROWS_MAX {
                return None;
            }
        }
        Some(Self { rows, token: token.filter(|token| !token.is_empty()) })
    }
}

fn rows_of(response: Element) -> Vec<Row> {
    let (mut hrefs, mut status, mut props, mut conditions) = (Vec::new(), None, Vec::new(), Vec::new());
    for part in response.parts.into_iter().filter(|part| part.space == Space::Dav) {
        match part.name.as_str() {
            "href" => hrefs.push(part.word().to_owned()),
            "status" => status = number(&part),
            "error" => conditions.extend(part.parts.into_iter().map(|part| part.name)),
            "propstat" => {
                let is_there = part.part(Space::Dav, "status").and_then(number).is_none_or(|status| status / 100 == 2);
                let found = part.parts.into_iter().filter(|part| is_there && part.name == "prop");
                props.extend(found.flat_map(|prop| prop.parts));
            }
            _ => {}
        }
    }
    let row = |href: String| Row { href, status, props: Vec::new(), conditions: conditions.clone() };
    let mut rows: Vec<Row> = hrefs.into_iter().filter(|href| !href.is_empty()).map(row).collect();
    if let Some(first) = rows.first_mut() {
        first.props = props;
    }
    rows
}

/// `HTTP/1.1 404 Not Found`
fn number(status: &Element) -> Option<u16> {
    status.word().split_whitespace().nth(1)?.parse().ok()
}

impl Row {
    /// A property.
    pub fn prop(&self, space: Space, name: &str) -> Option<&Element> {
        self.props.iter().find(|prop| prop.space == space && prop.name == name)
    }

    /// A property's text, where it says anything.
    pub fn word(&self, space: Space, name: &str) -> Option<&str> {
        self.prop(space, name).map(Element::word).filter(|word| !word.is_empty())
    }

    /// The addresses in a property.
    pub fn hrefs(&self, space: Space, name: &str) -> Vec<&str> {
        let hrefs = self.prop(space, name).into_iter().flat_map(|prop| prop.parts(Space::Dav, "href"));
        hrefs.map(Element::word).filter(|href| !href.is_empty()).collect()
    }

    /// Whether it is a collection of this kind.
    pub fn is(&self, space: Space, kind: &str) -> bool {
        self.prop(Space::Dav, "resourcetype").is_some_and(|kinds| kinds.part(space, kind).is_some())
    }
}

/// The preconditions that an error names (RFC 4918, section 16).
pub fn conditions(body: &str) -> Vec<String> {
    match read(body) {
        Some(root) if (root.space, root.name.as_str()) == (Space::Dav, "error") => {
            root.parts.into_iter().map(|part| part.name).collect()
        }
        _ => Vec::new(),
    }
}
