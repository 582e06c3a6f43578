//! Record ids: three characters of prefix, three of pod, nine of counter, three of checksum.
//!
//! The counter is the row's place in its table, so an id needs no lookup table. An id is never given out twice.

/// Characters of the case-sensitive part of an id.
const SHORT: usize = 15;
/// Characters of an id with its checksum.
pub const LONG: usize = 18;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// Where the counter starts within an id.
const COUNTER: usize = 6;

/// An 18-character record id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id([u8; LONG]);

impl Id {
    /// The id of row `counter` of the object with this key prefix, in this pod.
    pub fn new(prefix: &str, pod: &str, counter: u32) -> Self {
        let mut text = [b'0'; LONG];
        for (place, byte) in prefix.bytes().chain(pod.bytes()).take(COUNTER).enumerate() {
            text[place] = byte;
        }
        let mut rest = counter as usize;
        for place in (COUNTER..SHORT).rev() {
            text[place] = DIGITS[rest % DIGITS.len()];
            rest /= DIGITS.len();
        }
        seal(&mut text);
        Self(text)
    }

    /// Reads a 15- or 18-character id; the long form repairs upper and lower case from its checksum.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) || (bytes.len() != SHORT && bytes.len() != LONG) {
            return None;
        }
        let mut id = [b'0'; LONG];
        id[..SHORT].copy_from_slice(&bytes[..SHORT]);
        if bytes.len() == LONG {
            for chunk in 0..3 {
                let given = bytes[SHORT + chunk].to_ascii_uppercase();
                let bits = CHECK.iter().position(|c| *c == given)?;
                for place in 0..5 {
                    let byte = &mut id[chunk * 5 + place];
                    *byte = if bits >> place & 1 == 1 { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
                }
            }
        }
        let claimed = bytes.get(SHORT..).map(<[u8]>::to_ascii_uppercase);
        seal(&mut id);
        match claimed {
            Some(sum) if !sum.is_empty() && sum != id[SHORT..] => None,
            _ => Some(Self(id)),
        }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of ASCII letters and digits")
    }

    pub fn prefix(&self) -> &str {
        &self.as_str()[..3]
    }

    /// The row number the id was made from.
    pub fn counter(&self) -> Option<u32> {
        let mut number: u64 = 0;
        for byte in &self.0[COUNTER..SHORT] {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                _ => byte - b'a' + 36,
            };
            number = number * DIGITS.len() as u64 + u64::from(digit);
        }
        u32::try_from(number).ok()
    }
}

/// Writes the three checksum characters: each tells which of five characters are upper case.
fn seal(text: &mut [u8; LONG]) {
    for chunk in 0..3 {
        let mut bits = 0;
        for place in 0..5 {
            if text[chunk * 5 + place].is_ascii_uppercase() {
                bits |= 1 << place;
            }
        }
        text[SHORT + chunk] = CHECK[bits];
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
