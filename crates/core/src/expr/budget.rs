//! What one evaluation has spent, and the few operations whose price depends on the size of their values. No other
//! module may put texts together or walk through values without paying here.

use super::{BYTES_MAX, Datum, STEPS_MAX, TEXT_CHARS_MAX};

/// Steps and bytes of one evaluation.
#[derive(Default)]
pub(super) struct Budget {
    steps: u32,
    bytes: usize,
}

impl Budget {
    /// One step more.
    pub fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS_MAX { Err(format!("takes more than {STEPS_MAX} steps")) } else { Ok(()) }
    }

    /// So many bytes of text more.
    pub fn bytes(&mut self, count: usize) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(count);
        if self.bytes > BYTES_MAX { Err(format!("puts together more than {BYTES_MAX} bytes of text")) } else { Ok(()) }
    }

    /// A text that was made, once it is paid for and not too long.
    pub fn made(&mut self, text: String) -> Result<Datum, String> {
        self.bytes(text.len())?;
        // Bytes are at least as many as characters, so nearly no text has to be counted.
        if text.len() > TEXT_CHARS_MAX && text.chars().count() > TEXT_CHARS_MAX {
            return Err(format!("gives a text of more than {TEXT_CHARS_MAX} characters"));
        }
        Ok(Datum::from(text))
    }

    /// The value as people read it.
    pub fn text_of(&mut self, value: &Datum) -> Result<String, String> {
        let mut out = String::new();
        self.write(value, &mut out)?;
        Ok(out)
    }

    fn write(&mut self, value: &Datum, out: &mut String) -> Result<(), String> {
        self.step()?;
        let before = out.len();
        match value {
            Datum::List(list) => {
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    self.write(value, out)?;
                }
            }
            Datum::Map(map) => {
                for (index, (key, value)) in map.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    out.push_str(key);
                    out.push_str(": ");
                    self.write(value, out)?;
                }
            }
            Datum::Text(text) => {
                self.bytes(text.len())?;
                out.push_str(text);
                return Ok(());
            }
            other => out.push_str(&other.scalar_text()),
        }
        self.bytes(out.len() - before)
    }

    /// Whether two values are the same.
    pub fn same(&mut self, left: &Datum, right: &Datum) -> Result<bool, String> {
        self.step()?;
        match (left, right) {
            (Datum::List(left), Datum::List(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    if !self.same(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Datum::Map(left), Datum::Map(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for ((left_key, left), (right_key, right)) in left.iter().zip(right.iter()) {
                    if left_key != right_key || !self.same(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Datum::List(_) | Datum::Map(_), _) | (_, Datum::List(_) | Datum::Map(_)) => Ok(false),
            (left, right) => Ok(left == right),
        }
    }
}
