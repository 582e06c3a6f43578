//! What two sides last agreed on about one field, and how it is stored. What follows from it is decided elsewhere.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
    ser::SerializeSeq,
};

use super::Side;
use crate::record::Value;

/// What both sides last agreed on: each side's own form of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub left: Value,
    pub right: Value,
    /// Whom we told last.
    pub told: Option<Told>,
}

/// Who was written to last, and how often a write was answered by another value before it was seen to stand. Two sides
/// that both rewrite what they are given would else send each other's rewritings to and fro for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub left: bool,
    pub right: bool,
    pub turns: u8,
}

/// After so many writes in a row that were each answered by another value, both sides keep their own. People who edit the
/// same field on both sides in turns answer each other, too, so it is not fewer.
pub(super) const TURNS_MAX: u8 = 4;

impl Told {
    /// This side.
    pub(super) fn side(side: Side, turns: u8) -> Self {
        Self { left: side == Side::Left, right: side == Side::Right, turns }
    }

    /// One small number, as it is stored.
    fn code(self) -> u8 {
        u8::from(self.left) | u8::from(self.right) << 1 | self.turns << 2
    }

    fn from_code(code: u8) -> Self {
        Self { left: code & 1 != 0, right: code & 2 != 0, turns: code >> 2 }
    }
}

impl Base {
    /// Both hold these, and have shown it.
    pub fn new(left: Value, right: Value) -> Self {
        Self { left, right, told: None }
    }

    /// This side's image.
    pub fn of(&self, side: Side) -> &Value {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

// A short list: one value where both are the same, which is nearly always, then the code of who was told.
impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element(&self.left)?;
        if self.left != self.right {
            list.serialize_element(&self.right)?;
        }
        if let Some(told) = self.told {
            list.serialize_element(&told.code())?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BaseVisitor)
    }
}

struct BaseVisitor;

impl<'de> Visitor<'de> for BaseVisitor {
    type Value = Base;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the images of a field")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Base, A::Error> {
        let left: Value = list.next_element()?.ok_or_else(|| A::Error::custom("an image without values"))?;
        let (mut right, mut told) = (None, None);
        while let Some(part) = list.next_element::<Part>()? {
            match part {
                Part::Value(value) if right.is_none() && told.is_none() => right = Some(value),
                Part::Code(code) if told.is_none() => told = Some(Told::from_code(code)),
                Part::Value(_) | Part::Code(_) => return Err(A::Error::custom("an image with too many values")),
            }
        }
        Ok(Base { right: right.unwrap_or_else(|| left.clone()), left, told })
    }
}

/// A value, or the code: a number, which no value is written as.
enum Part {
    Value(Value),
    Code(u8),
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value or a number")
    }

    fn visit_u64<E: Error>(self, code: u64) -> Result<Part, E> {
        u8::try_from(code).map(Part::Code).map_err(|_| E::custom("an image with an unknown code"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Part, E> {
        match text {
            "null" => Ok(Part::Value(Value::Null)),
            other => Err(E::custom(format!("no value is called `{other}`"))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(Part::Value)
    }
}
