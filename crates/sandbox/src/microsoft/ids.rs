//! Names of events: of either kind in the API, and the one that is the same everywhere.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, civil::Date};
use sha2::{Digest, Sha256};

/// What ids begin with: those that change when an event is moved, and those that never do.
const REGULAR: &str = "AAMkADhmOGM2";
const IMMUTABLE: &str = "AAkALgAAAAAAHYQDEapmEc2byACqAC";
/// What every GlobalObjectId begins with, and what stands before a name of elsewhere in one.
const GLOBAL_CLASS: &str = "040000008200E00074C5B7101A82E008";
const FOREIGN: &[u8] = b"vCal-Uid\x01\0\0\0";

/// Names an event of a mailbox, or one occurrence of it by the day on which the series has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) number: u64,
    pub(super) day: Option<Date>,
}

/// How events are to be told.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) immutable: bool,
    pub(super) zone: String,
    pub(super) text: bool,
    pub(super) page: Option<usize>,
    /// The mailbox's place among all.
    pub(super) mailbox: usize,
}

pub(super) fn id(manner: &Manner, key: Key, moves: u32) -> String {
    let day = key.day.map_or_else(|| "-".to_owned(), |day| day.to_string());
    let (prefix, moves) = if manner.immutable { (IMMUTABLE, "i".to_owned()) } else { (REGULAR, moves.to_string()) };
    format!("{prefix}{}=", URL_SAFE_NO_PAD.encode(format!("{:03}.{:06}.{day}.{moves}", manner.mailbox, key.number)))
}

/// What an id names: in which mailbox, what, and after how many moves if it is one that changes with them.
pub(super) fn parse_id(text: &str) -> Option<(usize, Key, Option<u32>)> {
    let coded = text.strip_prefix(IMMUTABLE).or_else(|| text.strip_prefix(REGULAR))?.trim_end_matches('=');
    let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(coded).ok()?).ok()?;
    let mut parts = plain.split('.');
    let (mailbox, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let day = match parts.next()? {
        "-" => None,
        day => Some(day.parse().ok()?),
    };
    let moves = match parts.next()? {
        "i" => None,
        moves => Some(moves.parse().ok()?),
    };
    Some((mailbox, Key { number, day }, moves))
}

/// A GlobalObjectId in hexadecimal digits ("MS-OXOCAL" 2.2.1.27, read 2026-11): class, day of the occurrence, time of
/// creation, and something of its own.
pub(super) fn global_id(seed: &str, now: Timestamp) -> String {
    /// From 1601 to 1970, in hundreds of nanoseconds.
    const EPOCH: i64 = 116_444_736_000_000_000;
    let made = (now.as_microsecond() * 10 + EPOCH).to_le_bytes();
    let own = Sha256::digest(seed.as_bytes());
    format!("040000008200E00074C5B7101A82E00800000000{}000000000000000010000000{}", hex(&made), hex(&own[..16]))
}

/// What a name of elsewhere is called here: itself if it is a GlobalObjectId, or one with the name within.
pub(super) fn native_uid(uid: &str) -> String {
    if uid.len() > 80 && uid.starts_with(GLOBAL_CLASS) {
        return uid.to_owned();
    }
    let within = [FOREIGN, uid.as_bytes(), &[0]].concat();
    let size = u32::try_from(within.len()).unwrap_or(u32::MAX).to_le_bytes();
    format!("{GLOBAL_CLASS}{}{}{}", "0".repeat(40), hex(&size), hex(&within))
}

/// The name of elsewhere within a GlobalObjectId.
pub(super) fn foreign_uid(uid: &str) -> Option<String> {
    let inner = uid.get(80..)?.strip_prefix(hex(FOREIGN).as_str())?;
    let bytes: Option<Vec<u8>> =
        (0..inner.len() / 2).map(|at| u8::from_str_radix(inner.get(2 * at..2 * at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok().map(|text| text.trim_end_matches('\0').to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
