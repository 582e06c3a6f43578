//! A calendar's text as it was written, line by line, so that one line can be changed and all others stay: properties that
//! nobody here knows, alarms, tasks, zones. What lines mean is not known here.

use super::lines::{DEPTH_MAX, Line, unfolded, write};

/// A component: what stands between a `BEGIN` and its `END`, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// In capitals.
    pub name: String,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// Unfolded.
    Line(String),
    Part(Raw),
}

/// What becomes of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Keep,
    Drop,
    Put(String),
}

impl Raw {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), nodes: Vec::new() }
    }

    /// Reads a text that is one calendar and well formed. Of any other nobody knows what a change makes of it.
    pub fn read(text: &str) -> Option<Self> {
        let mut open: Vec<Self> = Vec::new();
        let mut whole = None;
        for text in unfolded(text) {
            let line = Line::read(&text);
            let mark = line.as_ref().map(|line| (line.name.as_str(), line.value.trim().to_ascii_uppercase()));
            match mark {
                Some(("BEGIN", name)) => {
                    let is_first = open.is_empty() && whole.is_none() && name == "VCALENDAR";
                    if open.len() == DEPTH_MAX || (open.is_empty() && !is_first) {
                        return None;
                    }
                    open.push(Self::new(&name));
                }
                Some(("END", name)) => {
                    let done = open.pop().filter(|part| part.name == name)?;
                    match open.last_mut() {
                        Some(part) => part.nodes.push(Node::Part(done)),
                        None => whole = Some(done),
                    }
                }
                _ => open.last_mut()?.nodes.push(Node::Line(text)),
            }
        }
        whole.filter(|_| open.is_empty())
    }

    /// The text, folded.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    pub fn write(&self, out: &mut String) {
        write(out, &format!("BEGIN:{}", self.name));
        for node in &self.nodes {
            match node {
                Node::Line(line) => write(out, line),
                Node::Part(part) => part.write(out),
            }
        }
        write(out, &format!("END:{}", self.name));
    }

    /// Its own lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Line(line) => Some(line.as_str()),
            Node::Part(_) => None,
        })
    }

    /// The first of its lines of this name.
    pub fn line(&self, name: &str) -> Option<Line> {
        self.lines().filter_map(Line::read).find(|line| line.name == name)
    }

    /// Its parts of this name.
    pub fn parts_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Self> {
        self.nodes.iter_mut().filter_map(move |node| match node {
            Node::Part(part) if part.name == name => Some(part),
            Node::Part(_) | Node::Line(_) => None,
        })
    }

    /// Leaves only those of its parts of this name whose number, counted from zero, stays.
    pub fn retain_parts(&mut self, name: &str, mut stays: impl FnMut(usize) -> bool) {
        let mut number = 0;
        self.nodes.retain(|node| match node {
            Node::Part(part) if part.name == name => {
                number += 1;
                stays(number - 1)
            }
            Node::Part(_) | Node::Line(_) => true,
        });
    }

    /// Puts a line behind its last one.
    pub fn push(&mut self, line: String) {
        let last = self.nodes.iter().rposition(|node| matches!(node, Node::Line(_)));
        self.nodes.insert(last.map_or(0, |last| last + 1), Node::Line(line));
    }

    /// Puts a part behind everything.
    pub fn append(&mut self, part: Self) {
        self.nodes.push(Node::Part(part));
    }

    /// Puts a part before all others.
    pub fn push_part(&mut self, part: Self) {
        let first = self.nodes.iter().position(|node| matches!(node, Node::Part(_)));
        self.nodes.insert(first.unwrap_or(self.nodes.len()), Node::Part(part));
    }

    /// Puts a line in the place of those of its name; `None` takes them away.
    pub fn set(&mut self, name: &str, line: Option<String>) {
        let mut line = line;
        self.edit(|known, _| match known.name == name {
            true => line.take().map_or(Edit::Drop, Edit::Put),
            false => Edit::Keep,
        });
        if let Some(line) = line {
            self.push(line);
        }
    }

    /// Goes through its lines: what each means, and how it is written.
    pub fn edit(&mut self, mut change: impl FnMut(&Line, &str) -> Edit) {
        self.nodes.retain_mut(|node| {
            let Node::Line(text) = node else { return true };
            match Line::read(text).map_or(Edit::Keep, |line| change(&line, text)) {
                Edit::Keep => true,
                Edit::Drop => false,
                Edit::Put(line) => {
                    *text = line;
                    true
                }
            }
        });
    }
}
