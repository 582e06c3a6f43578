//! Bytes of any kind end in an error, after a bounded effort.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use prost::Message;
use syncline_connect::ErrorKind;

use super::reading::{contact_event, contact_schema};
use crate::salesforce::events::{
    avro::Schema,
    grpc::{MESSAGE_BYTES_MAX, framed, take_message},
    wire::{FetchRequest, FetchResponse},
};

proptest! {
    /// What comes may be anything.
    #[test]
    fn no_payload_brings_the_reader_down(payload in prop::collection::vec(any::<u8>(), 0..400)) {
        let schema = Schema::parse(contact_schema()).expect("the schema is sound");
        drop(schema.header(&payload));
    }

    /// A payload that was cut or spoilt says something else or nothing.
    #[test]
    fn a_spoilt_event_is_read_or_not(at in 0usize..200, byte in any::<u8>(), cut in 0usize..200) {
        let schema = Schema::parse(contact_schema()).expect("the schema is sound");
        let mut payload = contact_event();
        let at = at % payload.len();
        payload[at] = byte;
        payload.truncate(payload.len() - cut % payload.len());
        drop(schema.header(&payload));
    }

    /// Schemas are somebody else's, too.
    #[test]
    fn no_schema_brings_the_reader_down(text in "[\\[\\]{}\":,a-z ]{0,200}", payload in prop::collection::vec(any::<u8>(), 0..50)) {
        if let Some(schema) = Schema::parse(&text) {
            drop(schema.header(&payload));
        }
    }

    /// However the network cuts it, the same messages come out.
    #[test]
    fn messages_come_whole(sizes in prop::collection::vec(0i32..100, 1..6), cuts in prop::collection::vec(1usize..9, 1..200)) {
        let messages: Vec<FetchRequest> = sizes
            .iter()
            .map(|size| FetchRequest { num_requested: *size, topic_name: "x".repeat(*size as usize), ..FetchRequest::default() })
            .collect();
        let mut wire: Vec<u8> = messages.iter().flat_map(|message| framed(message).to_vec()).collect();
        let (mut buffer, mut read, mut cut) = (BytesMut::new(), Vec::new(), cuts.iter().cycle());
        while !wire.is_empty() {
            let rest = wire.split_off((*cut.next().expect("it goes round")).min(wire.len()));
            buffer.extend_from_slice(&wire);
            wire = rest;
            while let Some(message) = take_message(&mut buffer).expect("sound") {
                read.push(FetchRequest::decode(message).expect("sound"));
            }
        }
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn no_message_brings_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(take_message(&mut BytesMut::from(&bytes[..])));
        drop(FetchResponse::decode(Bytes::from(bytes)));
    }
}

/// What a message announces of its size is judged before a byte of it is kept.
#[test]
fn too_large_and_compressed_messages_are_refused() {
    let mut large = BytesMut::from(&[0, 0xff, 0xff, 0xff, 0xff][..]);
    assert_eq!(take_message(&mut large).unwrap_err().kind, ErrorKind::Protocol);
    let mut compressed = BytesMut::from(&[1, 0, 0, 0, 0][..]);
    assert_eq!(take_message(&mut compressed).unwrap_err().kind, ErrorKind::Protocol);
    let largest = u32::try_from(MESSAGE_BYTES_MAX).unwrap().to_be_bytes();
    let mut waiting = BytesMut::from(&[&[0][..], &largest].concat()[..]);
    assert_eq!(take_message(&mut waiting), Ok(None));
}

/// A schema that lies in itself, and lists of nothing that would take for ever, come to an end.
#[test]
fn endless_shapes_end() {
    let endless = r#"{"type":"record","name":"E","fields":[
        {"name":"again","type":["null","E"]},
        {"name":"ChangeEventHeader","type":{"type":"record","name":"H","fields":[{"name":"entityName","type":"string"}]}}]}"#;
    let schema = Schema::parse(endless).expect("it may name itself");
    assert_eq!(schema.header(&[2; 5_000]), None);
    let nothings = r#"{"type":"record","name":"E","fields":[
        {"name":"many","type":{"type":"array","items":"null"}},
        {"name":"ChangeEventHeader","type":{"type":"record","name":"H","fields":[{"name":"entityName","type":"string"}]}}]}"#;
    let schema = Schema::parse(nothings).expect("it is sound");
    assert_eq!(schema.header(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), None);
    let deep = "[".repeat(5_000);
    assert_eq!(Schema::parse(&deep), None);
    let nested = format!("{}\"null\"{}", "{\"type\":\"array\",\"items\":".repeat(60), "}".repeat(60));
    assert_eq!(Schema::parse(&nested), None);
    // The same schema, sound but for its length.
    let long = format!("{}{}", contact_schema(), " ".repeat(1024 * 1024));
    assert_eq!(Schema::parse(&long), None);
}
