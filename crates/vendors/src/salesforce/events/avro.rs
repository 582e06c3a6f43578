//! As much of Avro as it takes to read the head of a change event by a schema that somebody else wrote: values are
//! skipped by their shape until the head comes, and what stands behind it is not looked at. Bytes of any kind end in
//! `None`, after a bounded number of steps. Pure.
//!
//! The encoding: <https://avro.apache.org/docs/1.12.0/specification/>, read 2026-11.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// Longest schema that is read. One of an object with 800 fields of its own, the most that there may be, is a fifth of it.
/// <https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/>,
/// read 2026-11.
const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// How deep shapes may lie in one another; the deepest that the platform makes is a list in the head of a record.
const DEPTH_MAX: usize = 16;

/// Values that are passed over or read for one head, lists of nothing included.
const STEPS_MAX: usize = 100_000;

/// Entries of a list in the head that are kept.
const ENTRIES_MAX: usize = 10_000;

/// The field that bears the head.
const HEAD: &str = "ChangeEventHeader";

/// What the head of an event says, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    pub entity: String,
    pub ids: Vec<String>,
    pub change: String,
    pub origin: String,
    pub user: String,
}

/// A schema with a head in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    fields: Vec<(String, Shape)>,
    named: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Null,
    Boolean,
    /// `int` and `long` are written alike.
    Number,
    Float,
    Double,
    /// `bytes` and `string` are written alike.
    Bytes,
    List(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    /// Its place in [`Schema::named`].
    Named(usize),
}

#[derive(Debug, Clone, PartialEq)]
enum Named {
    Record(Vec<(String, Shape)>),
    Enum(Vec<String>),
    Fixed(usize),
}

/// A value of the head.
enum Datum {
    Text(String),
    List(Vec<String>),
    Other,
}

impl Schema {
    /// Reads a schema; `None` where it is none, or has no head.
    pub fn parse(json: &str) -> Option<Self> {
        if json.len() > SCHEMA_BYTES_MAX {
            return None;
        }
        let json: Json = serde_json::from_str(json).ok()?;
        let mut reading = Parsing::default();
        let Shape::Named(root) = reading.shape(&json, "", 0)? else { return None };
        let Named::Record(fields) = reading.named.get(root)? else { return None };
        let fields = fields.clone();
        fields.iter().any(|(name, _)| name == HEAD).then_some(Self { fields, named: reading.named })
    }

    /// The head of an event that was written by this schema.
    pub fn header(&self, payload: &[u8]) -> Option<Header> {
        let mut reading = Reading { named: &self.named, rest: payload, steps: 0 };
        for (name, shape) in &self.fields {
            if name != HEAD {
                reading.skip(shape, 0)?;
                continue;
            }
            let Shape::Named(place) = reading.settled(shape)? else { return None };
            let Named::Record(fields) = self.named.get(*place)? else { return None };
            let mut header = Header::default();
            for (name, shape) in fields {
                match (name.as_str(), reading.read(shape)?) {
                    ("entityName", Datum::Text(text)) => header.entity = text,
                    ("recordIds", Datum::List(list)) => header.ids = list,
                    ("changeType", Datum::Text(text)) => header.change = text,
                    ("changeOrigin", Datum::Text(text)) => header.origin = text,
                    ("commitUser", Datum::Text(text)) => header.user = text,
                    _ => {}
                }
            }
            return (!header.entity.is_empty()).then_some(header);
        }
        None
    }
}

/// Shapes as they are read from a schema, those with names put aside.
#[derive(Default)]
struct Parsing {
    named: Vec<Named>,
    by_name: HashMap<String, usize>,
}

impl Parsing {
    fn shape(&mut self, json: &Json, space: &str, depth: usize) -> Option<Shape> {
        if depth > DEPTH_MAX {
            return None;
        }
        match json {
            Json::String(name) => self.by_word(name, space),
            Json::Array(all) => {
                let all: Option<Vec<Shape>> = all.iter().map(|one| self.shape(one, space, depth + 1)).collect();
                all.map(Shape::Union)
            }
            Json::Object(object) => self.complex(object, space, depth),
            _ => None,
        }
    }

    fn by_word(&self, word: &str, space: &str) -> Option<Shape> {
        Some(match word {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "int" | "long" => Shape::Number,
            "float" => Shape::Float,
            "double" => Shape::Double,
            "bytes" | "string" => Shape::Bytes,
            name => Shape::Named(*self.by_name.get(&full_name(name, space))?),
        })
    }

    fn complex(&mut self, object: &Map<String, Json>, space: &str, depth: usize) -> Option<Shape> {
        let kind = object.get("type")?;
        let word = match kind {
            Json::String(word) => word.as_str(),
            nested => return self.shape(nested, space, depth + 1),
        };
        let list = |name: &str| object.get(name).and_then(Json::as_array);
        match word {
            "array" => Some(Shape::List(Box::new(self.shape(object.get("items")?, space, depth + 1)?))),
            "map" => Some(Shape::Map(Box::new(self.shape(object.get("values")?, space, depth + 1)?))),
            "record" | "error" => {
                let (place, space) = self.name(object, space)?;
                let mut fields = Vec::new();
                for field in list("fields")? {
                    let name = field.get("name")?.as_str()?.to_owned();
                    fields.push((name, self.shape(field.get("type")?, &space, depth + 1)?));
                }
                self.named[place] = Named::Record(fields);
                Some(Shape::Named(place))
            }
            "enum" => {
                let symbols: Option<Vec<String>> =
                    list("symbols")?.iter().map(|one| one.as_str().map(str::to_owned)).collect();
                let (place, _) = self.name(object, space)?;
                self.named[place] = Named::Enum(symbols?);
                Some(Shape::Named(place))
            }
            "fixed" => {
                let size = usize::try_from(object.get("size")?.as_u64()?).ok()?;
                let (place, _) = self.name(object, space)?;
                self.named[place] = Named::Fixed(size);
                Some(Shape::Named(place))
            }
            word => self.by_word(word, space),
        }
    }

    /// Makes room for a shape with a name; it may name itself within. Also the space of the names within it.
    fn name(&mut self, object: &Map<String, Json>, space: &str) -> Option<(usize, String)> {
        let space = object.get("namespace").and_then(Json::as_str).unwrap_or(space);
        let full = full_name(object.get("name")?.as_str()?, space);
        let space = full.rsplit_once('.').map_or(String::new(), |(space, _)| space.to_owned());
        let place = self.named.len();
        self.named.push(Named::Fixed(0));
        self.by_name.insert(full, place).is_none().then_some((place, space))
    }
}

fn full_name(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

/// A payload as it is read from its beginning.
struct Reading<'s, 'p> {
    named: &'s [Named],
    rest: &'p [u8],
    steps: usize,
}

impl<'s, 'p> Reading<'s, 'p> {
    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        (self.steps <= STEPS_MAX).then_some(())
    }

    fn take(&mut self, length: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// A number in zigzag, seven bits to a byte.
    fn number(&mut self) -> Option<i64> {
        let mut all: u64 = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            all |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((all >> 1).cast_signed() ^ -(all & 1).cast_signed());
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    /// The branch of a union that is here; any other shape is itself.
    fn settled(&mut self, shape: &'s Shape) -> Option<&'s Shape> {
        match shape {
            Shape::Union(all) => all.get(self.length()?),
            shape => Some(shape),
        }
    }

    /// How many entries the next block of a list or map has, and 0 at its end.
    fn block(&mut self) -> Option<usize> {
        let count = self.number()?;
        if count < 0 {
            // With its size in bytes, for those who want to skip it.
            self.number()?;
        }
        usize::try_from(count.unsigned_abs()).ok()
    }

    fn read(&mut self, shape: &'s Shape) -> Option<Datum> {
        self.step()?;
        match self.settled(shape)? {
            Shape::Bytes => self.text().map(Datum::Text),
            Shape::Named(place) => match self.named.get(*place)? {
                Named::Enum(symbols) => Some(Datum::Text(symbols.get(self.length()?)?.clone())),
                Named::Record(_) | Named::Fixed(_) => {
                    self.skip(&Shape::Named(*place), 0)?;
                    Some(Datum::Other)
                }
            },
            Shape::List(entries) if **entries == Shape::Bytes => {
                let mut list = Vec::new();
                loop {
                    let count = self.block()?;
                    if count == 0 {
                        return Some(Datum::List(list));
                    }
                    if list.len() + count > ENTRIES_MAX {
                        return None;
                    }
                    for _ in 0..count {
                        list.push(self.text()?);
                    }
                }
            }
            other => {
                self.skip(other, 0)?;
                Some(Datum::Other)
            }
        }
    }

    fn skip(&mut self, shape: &Shape, depth: usize) -> Option<()> {
        self.step()?;
        if depth > DEPTH_MAX {
            return None;
        }
        match shape {
            Shape::Null => Some(()),
            Shape::Boolean => self.take(1).map(drop),
            Shape::Number => self.number().map(drop),
            Shape::Float => self.take(4).map(drop),
            Shape::Double => self.take(8).map(drop),
            Shape::Bytes => {
                let length = self.length()?;
                self.take(length).map(drop)
            }
            Shape::List(entries) => self.skip_blocks(None, entries, depth),
            Shape::Map(values) => self.skip_blocks(Some(&Shape::Bytes), values, depth),
            Shape::Union(all) => {
                let branch = all.get(self.length()?)?;
                self.skip(branch, depth + 1)
            }
            Shape::Named(place) => match self.named.get(*place)? {
                Named::Record(fields) => {
                    for (_, shape) in fields {
                        self.skip(shape, depth + 1)?;
                    }
                    Some(())
                }
                Named::Enum(_) => self.number().map(drop),
                Named::Fixed(size) => self.take(*size).map(drop),
            },
        }
    }

    fn skip_blocks(&mut self, key: Option<&Shape>, value: &Shape, depth: usize) -> Option<()> {
        loop {
            let count = self.block()?;
            if count == 0 {
                return Some(());
            }
            for _ in 0..count {
                if let Some(key) = key {
                    self.skip(key, depth + 1)?;
                }
                self.skip(value, depth + 1)?;
            }
        }
    }
}
