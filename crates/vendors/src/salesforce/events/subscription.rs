//! The exchange that stays open: events are asked for as they are used up, each is read by its schema, and the place
//! behind the last one is told with what they mean.

use std::collections::{BTreeSet, HashMap, VecDeque};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use futures::{StreamExt, channel::mpsc, stream};
use http::HeaderMap;
use prost::Message;
use syncline_connect::{Announcements, BoxFuture, Cx, Error, ErrorKind, Heard, Hint, Mirror, Opening};

use super::{
    OP, avro,
    channel::Channel,
    configuration,
    grpc::{Exchange, framed},
    header::Listener,
    protocol,
    wire::{
        ConsumerEvent, FetchRequest, FetchResponse, ReplayPreset, SchemaInfo, SchemaRequest, TopicInfo, TopicRequest,
    },
};
use crate::salesforce::{Salesforce, settings::Org};

/// Events that are asked for at once, the most that the API gives.
/// <https://developer.salesforce.com/docs/platform/pub-sub-api/guide/allocations.html>, read 2026-11.
const EVENTS_AT_ONCE: i32 = 100;

/// From so few that are still to come on, more are asked for.
const EVENTS_LEFT: i32 = 50;

/// Schemas that are kept: a few kinds, each of which changes now and then.
const SCHEMAS_MAX: usize = 64;

/// Longest replay id that is taken for one: they are opaque, and a dozen bytes long.
const REPLAY_ID_BYTES_MAX: usize = 256;

/// Requests for more that may wait to be sent; there is one to an answer.
const ASKING_MAX: usize = 8;

pub struct Subscription {
    channel: Channel,
    authority: HeaderMap,
    exchange: Exchange,
    ask: mpsc::Sender<Bytes>,
    listener: Listener,
    schemas: HashMap<String, Option<avro::Schema>>,
    /// Of the answer at hand: what is yet to be read, and what was.
    waiting: VecDeque<Bytes>,
    hints: BTreeSet<Hint>,
    place: Option<String>,
    /// Whether there is still to be said that anything may have changed: once at the beginning, and once more with the
    /// first sign of life, before which nobody knows from when on events come.
    unsaid: Unsaid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsaid {
    AtOnce,
    WithFirstSign,
    Nothing,
}

impl Subscription {
    pub async fn open(cx: &Cx<'_>, from: Opening<'_>) -> Result<Self, Error> {
        let channel = Channel::read(cx.settings)?;
        let org = Org::read(cx.settings, OP)?;
        let authority = channel.authority(cx, from.account)?;
        let place = from.place.map(|place| behind(place, &channel.topic)).transpose()?;
        // Says in words what a subscription would only refuse.
        let about = TopicRequest { topic_name: channel.topic.clone() };
        let topic: TopicInfo = Exchange::ask(cx, &channel, &authority, "GetTopic", &about).await?;
        if !topic.can_subscribe {
            return Err(configuration("the user may not subscribe to the channel of change events"));
        }
        let (ask, asked) = mpsc::channel(ASKING_MAX);
        let first = FetchRequest {
            topic_name: channel.topic.clone(),
            replay_preset: if place.is_some() { ReplayPreset::Custom } else { ReplayPreset::Latest }.into(),
            replay_id: place.clone().unwrap_or_default(),
            num_requested: EVENTS_AT_ONCE,
        };
        let say = Box::pin(stream::iter([framed(&first)]).chain(asked));
        let exchange = Exchange::open(cx, &channel, &authority, "Subscribe", say).await?;
        Ok(Self {
            channel,
            authority,
            exchange,
            ask,
            listener: Listener { kinds: from.kinds.clone(), specs: Salesforce.kinds(), user: org.user },
            schemas: HashMap::new(),
            waiting: VecDeque::new(),
            hints: BTreeSet::new(),
            place: None,
            unsaid: if place.is_some() { Unsaid::Nothing } else { Unsaid::AtOnce },
        })
    }

    async fn hear(&mut self, cx: &Cx<'_>) -> Result<Heard, Error> {
        if self.unsaid == Unsaid::AtOnce {
            self.unsaid = Unsaid::WithFirstSign;
            return Ok(Heard { hints: vec![Hint::Everything], place: None });
        }
        loop {
            while let Some(event) = self.waiting.front().cloned() {
                let event = ConsumerEvent::decode(event).map_err(|_| protocol("an event cannot be read"))?;
                self.read(cx, &event).await?;
                // Only now: whoever gives up in between finds it again.
                self.waiting.pop_front();
                self.place = Some(self.place_of(&event.replay_id)?);
            }
            if let Some(place) = self.place.take() {
                let hints = std::mem::take(&mut self.hints).into_iter().collect();
                return Ok(Heard { hints, place: Some(place) });
            }
            let answer: FetchResponse = self.exchange.next().await?;
            self.take(answer)?;
        }
    }

    fn take(&mut self, answer: FetchResponse) -> Result<(), Error> {
        if answer.events.len() > EVENTS_AT_ONCE as usize {
            return Err(protocol("there came more events than were asked for"));
        }
        if answer.pending_num_requested <= EVENTS_LEFT {
            let more = EVENTS_AT_ONCE - answer.pending_num_requested.clamp(0, EVENTS_LEFT);
            let asking = FetchRequest { num_requested: more, ..FetchRequest::default() };
            // Full means that nobody sends any more: the next look at the exchange tells why.
            drop(self.ask.try_send(framed(&asking)));
        }
        if self.unsaid == Unsaid::WithFirstSign {
            self.unsaid = Unsaid::Nothing;
            self.hints.insert(Hint::Everything);
        }
        if answer.events.is_empty() {
            self.place = Some(self.place_of(&answer.latest_replay_id)?);
        }
        self.waiting.extend(answer.events);
        Ok(())
    }

    /// Reads what an event is about. One that cannot be read is no reason to stop: something changed.
    async fn read(&mut self, cx: &Cx<'_>, event: &ConsumerEvent) -> Result<(), Error> {
        let Some(body) = &event.event else { return Ok(()) };
        if !self.schemas.contains_key(&body.schema_id) {
            let schema = schema_of(cx, &self.channel, &self.authority, &body.schema_id).await?;
            if self.schemas.len() >= SCHEMAS_MAX {
                self.schemas.clear();
            }
            self.schemas.insert(body.schema_id.clone(), schema);
        }
        let schema = self.schemas.get(&body.schema_id).and_then(Option::as_ref);
        let hints = match schema.and_then(|schema| schema.header(&body.payload)) {
            Some(header) => self.listener.hints(&header),
            None => vec![Hint::Everything],
        };
        self.hints.extend(hints);
        Ok(())
    }

    /// The place behind an event, with the channel that it belongs to.
    fn place_of(&self, replay_id: &Bytes) -> Result<String, Error> {
        if replay_id.is_empty() || replay_id.len() > REPLAY_ID_BYTES_MAX {
            return Err(protocol("an answer does not say where it stands"));
        }
        Ok(format!("{} {}", self.channel.topic, BASE64.encode(replay_id)))
    }
}

/// The schema of this id; nothing where there is none that could be read.
async fn schema_of(
    cx: &Cx<'_>,
    channel: &Channel,
    authority: &HeaderMap,
    id: &str,
) -> Result<Option<avro::Schema>, Error> {
    let asked = SchemaRequest { schema_id: id.to_owned() };
    match Exchange::ask::<SchemaInfo>(cx, channel, authority, "GetSchema", &asked).await {
        Ok(info) => Ok(avro::Schema::parse(&info.schema_json)),
        Err(error) if matches!(error.kind, ErrorKind::Configuration | ErrorKind::Protocol) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The replay id of a place in this channel.
fn behind(place: &str, topic: &str) -> Result<Bytes, Error> {
    let gone = || super::grpc::refused(3, ".replayid.");
    let (of, id) = place.split_once(' ').ok_or_else(gone)?;
    let id = BASE64.decode(id).map_err(|_| gone())?;
    if of == topic { Ok(id.into()) } else { Err(gone()) }
}

impl Announcements for Subscription {
    fn next<'a>(&'a mut self, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Heard, Error>> {
        Box::pin(self.hear(cx))
    }
}
