//! The messages of the Pub/Sub API that are used, and of those the fields that are, by the numbers that the vendor gives.

use bytes::Bytes;

/// `/package.Service/`
pub const SERVICE: &str = "/eventbus.v1.PubSub/";

/// `FetchRequest`: how many events we are ready for; the first one also says what to listen to, and from where on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FetchRequest {
    #[prost(string, tag = "1")]
    pub topic_name: String,
    #[prost(enumeration = "ReplayPreset", tag = "2")]
    pub replay_preset: i32,
    #[prost(bytes = "bytes", tag = "3")]
    pub replay_id: Bytes,
    #[prost(int32, tag = "4")]
    pub num_requested: i32,
}

/// `ReplayPreset`: where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ReplayPreset {
    /// With what is announced from now on.
    Latest = 0,
    Earliest = 1,
    /// Behind the replay id.
    Custom = 2,
}

/// `FetchResponse`. Its events stay in bytes until each is looked at, so that many empty ones cost next to nothing.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FetchResponse {
    /// Of [`ConsumerEvent`].
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub events: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "2")]
    pub latest_replay_id: Bytes,
    #[prost(int32, tag = "4")]
    pub pending_num_requested: i32,
}

/// `ConsumerEvent`
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConsumerEvent {
    #[prost(message, optional, tag = "1")]
    pub event: Option<ProducerEvent>,
    #[prost(bytes = "bytes", tag = "2")]
    pub replay_id: Bytes,
}

/// `ProducerEvent`
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProducerEvent {
    #[prost(string, tag = "2")]
    pub schema_id: String,
    /// In Avro, by that schema.
    #[prost(bytes = "bytes", tag = "3")]
    pub payload: Bytes,
}

/// `SchemaRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub struct SchemaRequest {
    #[prost(string, tag = "1")]
    pub schema_id: String,
}

/// `SchemaInfo`
#[derive(Clone, PartialEq, prost::Message)]
pub struct SchemaInfo {
    #[prost(string, tag = "1")]
    pub schema_json: String,
}

/// `TopicRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub struct TopicRequest {
    #[prost(string, tag = "1")]
    pub topic_name: String,
}

/// `TopicInfo`
#[derive(Clone, PartialEq, prost::Message)]
pub struct TopicInfo {
    #[prost(bool, tag = "4")]
    pub can_subscribe: bool,
}
