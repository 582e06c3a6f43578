//! The calls of the Pub/Sub API: `GetTopic`, `GetSchema` and `Subscribe`.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use prost::Message;

use super::{
    bus::{Bus, Event},
    wire::{
        ConsumerEvent, FetchRequest, FetchResponse, ProducerEvent, SchemaInfo, SchemaRequest, Status, TopicInfo,
        TopicRequest, framed, unframed,
    },
};
use crate::{
    salesforce::{FaultKind, SalesforceOrg},
    talk::{Say, Talk},
};

/// Events that may be asked for at once.
const REQUESTED_MAX: i32 = 100;

const SERVICE: &str = "/eventbus.v1.PubSub/";
const RPC_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Whether a path is one of the service's.
pub fn is_method(path: &str) -> bool {
    path.starts_with(SERVICE)
}

/// Whoever called is gone.
struct Left;

enum End {
    Status(Status),
    Left,
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Left> for End {
    fn from(Left: Left) -> Self {
        Self::Left
    }
}

/// One call.
struct Rpc {
    org: Arc<SalesforceOrg>,
    token: String,
    talk: Talk,
    buffer: BytesMut,
}

impl SalesforceOrg {
    /// Answers one call of the Pub/Sub API from its first byte to its trailers.
    pub async fn pub_sub(self: Arc<Self>, head: Parts, talk: Talk) {
        let method = head.uri.path().trim_start_matches(SERVICE).to_owned();
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (token, instance, tenant) = (text("accesstoken"), text("instanceurl"), text("tenantid"));
        let strikes = self.faults().strike("POST", head.uri.path());
        let mut rpc = Rpc { org: self.clone(), token: token.to_owned(), talk, buffer: BytesMut::new() };
        let end = if strikes.iter().any(|rule| rule.kind == FaultKind::ExpiredToken) {
            Err(End::Status(unauthenticated()))
        } else if !strikes.is_empty() {
            Err(End::Status(Status::new(14, "service.unavailable", "The service is unavailable.")))
        } else if instance.is_empty() || !self.org_id.as_str().starts_with(tenant) || tenant.len() < 15 {
            Err(End::Status(unauthenticated()))
        } else {
            rpc.run(&method).await
        };
        let status = match end {
            Ok(()) => Status::new(0, "", ""),
            Err(End::Status(status)) => status,
            Err(End::Left) => return,
        };
        // Whoever has left does not hear it.
        drop(rpc.talk.say.send(Say::Trailers(status.trailers())).await);
    }
}

fn unauthenticated() -> Status {
    Status::new(16, "service.auth.error", "An authentication exception occurred. Provide valid authentication.")
}

impl Rpc {
    async fn run(&mut self, method: &str) -> Result<(), End> {
        self.check_session()?;
        match method {
            "GetTopic" => self.topic().await,
            "GetSchema" => self.schema().await,
            "Subscribe" => self.subscribe().await,
            other => Err(Status::new(12, "", format!("{other} is not imitated")).into()),
        }
    }

    fn check_session(&self) -> Result<(), Status> {
        let now = self.org.clock.now().as_second();
        let known = self.org.state().tokens.user_of(&self.token, now).is_some();
        if known { Ok(()) } else { Err(unauthenticated()) }
    }

    fn bus(&self, topic: &str) -> Result<(Arc<Bus>, Vec<String>), Status> {
        let found = self.org.bus.as_ref().and_then(|bus| Some((bus.clone(), bus.objects_of(topic)?)));
        found.ok_or_else(|| {
            let org = self.org.org_id.as_str();
            let message = format!(
                "The topic information for org {org} and topic {topic} not found. Ensure the topic name is correct and that the topic exists. rpcId: {RPC_ID}"
            );
            Status::new(5, "topic.not.found", message)
        })
    }

    async fn topic(&mut self) -> Result<(), End> {
        let asked: TopicRequest = self.asked().await?;
        let (bus, objects) = self.bus(&asked.topic_name)?;
        // A channel of several objects has no schema of its own.
        let schema = match objects.as_slice() {
            [one] => bus.schema_of(&self.org.schema(), one).map(|schema| schema.id.clone()),
            _ => None,
        };
        self.say(&TopicInfo {
            topic_name: asked.topic_name,
            tenant_guid: format!("CORE/prod/{}", self.org.org_id.as_str()),
            can_publish: false,
            can_subscribe: true,
            schema_id: schema.unwrap_or_default(),
            rpc_id: RPC_ID.to_owned(),
        })
        .await?;
        Ok(())
    }

    async fn schema(&mut self) -> Result<(), End> {
        let asked: SchemaRequest = self.asked().await?;
        if asked.schema_id.is_empty() {
            return Err(Status::new(3, "schema.validation.failed", "The schema ID can't be blank.").into());
        }
        let schema = self.org.bus.as_ref().and_then(|bus| bus.schema(&asked.schema_id));
        let schema = schema.ok_or_else(|| Status::new(5, "schema.not.found", "The schema was not found."))?;
        let answer =
            SchemaInfo { schema_json: schema.json.clone(), schema_id: asked.schema_id, rpc_id: RPC_ID.to_owned() };
        self.say(&answer).await?;
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), End> {
        let first: FetchRequest = self.asked().await?;
        let (bus, objects) = self.bus(&first.topic_name)?;
        let mut at = self.start(&bus, &first)?;
        let mut wanted = requested(&first)?;
        let mut signal = bus.signal();
        let mut known = *signal.borrow_and_update();
        let silence = Duration::from_secs(self.org.config.event_keep_alive_seconds.max(1));
        let mut talking = true;
        loop {
            while wanted > 0 {
                let (events, seen) = bus.after(at, &objects, wanted.unsigned_abs() as usize);
                at = seen;
                if events.is_empty() {
                    break;
                }
                self.check_session()?;
                wanted -= i32::try_from(events.len()).unwrap_or(i32::MAX);
                self.deliver(&bus, &events, at, wanted).await?;
            }
            tokio::select! {
                more = self.talk.said.recv(), if talking => match more {
                    Some(bytes) => {
                        self.buffer.extend_from_slice(&bytes);
                        while let Some(message) = unframed(&mut self.buffer)? {
                            wanted += self.more(&first, &message)?;
                        }
                    }
                    // Nothing more is asked for; what was asked for is still delivered.
                    None => talking = false,
                },
                _ = signal.changed() => {
                    let now = *signal.borrow_and_update();
                    if now.broken != known.broken {
                        return Err(End::Left);
                    }
                    if now.alive != known.alive {
                        self.check_session()?;
                        self.deliver(&bus, &[], at, wanted).await?;
                    }
                    known = now;
                }
                () = tokio::time::sleep(silence) => {
                    self.check_session()?;
                    self.deliver(&bus, &[], at, wanted).await?;
                }
                () = self.talk.say.closed() => return Err(End::Left),
            }
            if !talking && wanted <= 0 {
                return Ok(());
            }
        }
    }

    fn start(&self, bus: &Bus, first: &FetchRequest) -> Result<u64, Status> {
        match first.replay_preset {
            0 => Ok(bus.latest()),
            1 => Ok(bus.earliest(self.org.clock.now().as_second())),
            2 => {
                let refused = |error| {
                    let message =
                        format!("The Replay ID validation failed. Ensure the Replay ID is valid. rpcId: {RPC_ID}");
                    Status::new(3, error, message)
                };
                let number = bus.number_of(&first.replay_id);
                let number = number.ok_or_else(|| refused("subscription.fetch.replayid.corrupted"))?;
                let kept = bus.earliest(self.org.clock.now().as_second())..=bus.latest();
                if !kept.contains(&number) {
                    return Err(refused("subscription.fetch.replayid.validation.failed"));
                }
                Ok(number)
            }
            other => Err(Status::new(3, "", format!("there is no replay preset {other}"))),
        }
    }

    fn more(&self, first: &FetchRequest, message: &Bytes) -> Result<i32, Status> {
        let asked = decoded::<FetchRequest>(message)?;
        if !asked.topic_name.is_empty() && asked.topic_name != first.topic_name {
            return Err(Status::new(3, "", "The topic name must be that of the first request."));
        }
        requested(&asked)
    }

    async fn deliver(&mut self, bus: &Bus, events: &[Event], at: u64, pending: i32) -> Result<(), Left> {
        let events: Vec<ConsumerEvent> = events
            .iter()
            .map(|event| ConsumerEvent {
                event: Some(ProducerEvent {
                    id: format!("{:08x}-0000-4000-8000-000000000000", event.number),
                    schema_id: event.schema_id.clone(),
                    payload: event.payload.to_vec(),
                }),
                replay_id: bus.replay_id(event.number),
            })
            .collect();
        let latest_replay_id = bus.replay_id(at);
        let rpc_id = RPC_ID.to_owned();
        self.say(&FetchResponse { events, latest_replay_id, rpc_id, pending_num_requested: pending }).await
    }

    async fn say(&mut self, message: &impl Message) -> Result<(), Left> {
        self.talk.say.send(Say::Bytes(framed(message))).await.map_err(|_| Left)
    }

    /// The first message that the client sends.
    async fn asked<M: Message + Default>(&mut self) -> Result<M, End> {
        loop {
            if let Some(message) = unframed(&mut self.buffer)? {
                return Ok(decoded(&message)?);
            }
            let bytes = self.talk.said.recv().await.ok_or(End::Left)?;
            self.buffer.extend_from_slice(&bytes);
        }
    }
}

fn decoded<M: Message + Default>(message: &Bytes) -> Result<M, Status> {
    M::decode(message.clone()).map_err(|_| Status::new(3, "", "the message cannot be read"))
}

fn requested(asked: &FetchRequest) -> Result<i32, Status> {
    if (1..=REQUESTED_MAX).contains(&asked.num_requested) {
        return Ok(asked.num_requested);
    }
    let message = format!("The number of requested events must be between 1 and {REQUESTED_MAX}.");
    Err(Status::new(3, "subscription.fetch.requested.events.invalid", message))
}
