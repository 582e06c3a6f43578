//! Just enough XML to read a SOAP request: elements by their local names, and their texts. No entities of one's own.

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 32;

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Without its prefix.
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child; `None` when it is not there or empty.
    pub fn told(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// The first element of this name, however deep.
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }
}

/// Reads a document; `None` when it is not well-formed.
pub fn parse(text: &str) -> Option<Element> {
    let mut open: Vec<Element> = vec![Element::default()];
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        open.last_mut()?.text.push_str(&unescape(&rest[..start]));
        let tag = &rest[start..];
        if let Some(within) = tag.strip_prefix("<!--") {
            rest = within.split_once("-->")?.1;
            continue;
        }
        // A document type could name entities; nobody who speaks SOAP sends one.
        if tag.starts_with("<!") {
            return None;
        }
        let (inner, after) = tag[1..].split_once('>')?;
        rest = after;
        if inner.starts_with('?') {
            continue;
        }
        if let Some(name) = inner.strip_prefix('/') {
            let done = open.pop()?;
            if done.name != local(name) {
                return None;
            }
            open.last_mut()?.children.push(done);
            continue;
        }
        let element = Element { name: local(inner.trim_end_matches('/')).to_owned(), ..Element::default() };
        if inner.ends_with('/') {
            open.last_mut()?.children.push(element);
        } else if open.len() < MAX_DEPTH {
            open.push(element);
        } else {
            return None;
        }
    }
    let mut root = open.pop().filter(|_| open.is_empty())?;
    root.children.pop().filter(|_| root.children.is_empty())
}

fn local(tag: &str) -> &str {
    let name = tag.split_whitespace().next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default()
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
