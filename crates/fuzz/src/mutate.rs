//! Simple, seeded mutations of a corpus: what a fuzzer does, without its sense of direction.

/// What parsers of the formats at hand treat specially.
const DICTIONARY: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud83d",
    b"\\udc00",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"9223372036854775808",
    b"'",
    b"%",
    b"_",
    b"%00",
    b"%ff",
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    "\u{202e}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{3002}".as_bytes(),
    "\u{130}".as_bytes(),
    "\u{301}".as_bytes(),
    b"@",
    b"=",
    b";",
    b"t=",
    b"v1=",
    b"v1,",
    b"&",
    b"#",
    b"?",
    b"//",
    b"\\\\",
    b"{cookie}",
    b"' OR Name != '",
    b"<script>",
    b"canary",
];

/// Longest input that is made.
const BYTES_MAX: usize = 64 * 1024;

/// A generator of mutations that repeats itself for a seed (xorshift64*).
pub struct Mutator(u64);

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).expect("31 bits fit") % below.max(1)
    }

    /// An input of the corpus with up to eight changes.
    pub fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.next(corpus.len())].clone();
        for _ in 0..1 + self.next(8) {
            self.change(&mut bytes, corpus);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.next(length + 1);
        let longest = if self.next(4) == 0 { length } else { 16 };
        start..(start + self.next(longest + 1)).min(length)
    }

    fn change(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let place = self.next(bytes.len() + 1);
        match self.next(8) {
            0 if place < bytes.len() => bytes[place] ^= 1 << self.next(8),
            1 if place < bytes.len() => bytes[place] = u8::try_from(self.next(256)).unwrap_or_default(),
            2 => {
                let range = self.range(bytes.len());
                bytes.drain(range);
            }
            3 => {
                let range = self.range(bytes.len());
                let copy = bytes[range].to_vec();
                let times = 1 + self.next(4);
                bytes.splice(place..place, copy.repeat(times));
            }
            4 => {
                let other = &corpus[self.next(corpus.len())];
                let range = self.range(other.len());
                bytes.splice(place..place, other[range].iter().copied());
            }
            5 => bytes.truncate(place),
            6 => {
                let range = self.range(bytes.len());
                let word = DICTIONARY[self.next(DICTIONARY.len())];
                bytes.splice(range, word.iter().copied());
            }
            _ => {
                let word = DICTIONARY[self.next(DICTIONARY.len())];
                bytes.splice(place..place, word.iter().copied());
            }
        }
    }
}
