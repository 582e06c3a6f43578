//! XML read into elements. Namespaces count by what they stand for and never by their prefix; what a document type could
//! add is not taken from anybody.

use quick_xml::{
    events::{BytesStart, Event},
    name::{Namespace, ResolveResult},
    reader::NsReader,
};

/// How deep elements may lie within one another; an answer of a server goes down some ten.
const DEPTH_MAX: usize = 32;

/// Most elements of one answer: some dozen for each of all the events of the largest calendar that is asked for at once.
const ELEMENTS_MAX: usize = 1_000_000;

/// The namespaces that mean anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// `DAV:`
    Dav,
    /// `urn:ietf:params:xml:ns:caldav`
    Calendar,
    /// `http://calendarserver.org/ns/`
    Server,
    Other,
}

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub space: Space,
    pub name: String,
    /// Its attribute `name`, which is the only one that matters.
    pub called: Option<String>,
    pub text: String,
    pub parts: Vec<Element>,
}

impl Element {
    fn begin(space: Space, start: &BytesStart<'_>) -> Self {
        let called = start.try_get_attribute("name").ok().flatten().map(|attribute| attribute.value.to_string());
        let name = start.local_name().as_ref().to_owned();
        Self { space, name, called, text: String::new(), parts: Vec::new() }
    }

    /// Its parts of this name.
    pub fn parts(&self, space: Space, name: &str) -> impl Iterator<Item = &Element> {
        self.parts.iter().filter(move |part| part.space == space && part.name == name)
    }

    /// The first part of this name.
    pub fn part(&self, space: Space, name: &str) -> Option<&Element> {
        self.parts(space, name).next()
    }

    /// Its text without what is around it.
    pub fn word(&self) -> &str {
        self.text.trim()
    }
}

/// Reads a document. `None`: it is no XML, too large, or one with a document type.
pub fn read(text: &str) -> Option<Element> {
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut count = 0;
    loop {
        let (space, event) = reader.read_resolved_event().ok()?;
        let space = space_of(&space);
        match event {
            Event::Start(start) => {
                count += 1;
                if open.len() == DEPTH_MAX || count > ELEMENTS_MAX {
                    return None;
                }
                open.push(Element::begin(space, &start));
            }
            Event::End(_) => {
                let done = open.pop()?;
                match open.last_mut() {
                    Some(parent) => parent.parts.push(done),
                    None => return Some(done),
                }
            }
            Event::Text(text) => add(&mut open, &text.xml10_content()),
            Event::CData(text) => add(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let char = match reference.resolve_char_ref().ok()? {
                    Some(char) => char,
                    None => match &*reference.xml10_content() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "apos" => '\'',
                        "quot" => '"',
                        _ => return None,
                    },
                };
                add(&mut open, char.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) | Event::Eof => return None,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn space_of(space: &ResolveResult<'_>) -> Space {
    match space {
        ResolveResult::Bound(Namespace("DAV:")) => Space::Dav,
        ResolveResult::Bound(Namespace("urn:ietf:params:xml:ns:caldav")) => Space::Calendar,
        ResolveResult::Bound(Namespace("http://calendarserver.org/ns/")) => Space::Server,
        _ => Space::Other,
    }
}
