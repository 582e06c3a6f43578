//! Spans to an OpenTelemetry collector, as OTLP over HTTP in protobuf, by the same HTTP client as everything else: one
//! TLS stack, no redirects, and no origin but the one that is configured beside the public ones.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use syncline_connect::{BoxFuture, Http};
use tokio::runtime::Handle;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use url::Url;

use crate::http::{Client, Origin};

/// Where the protocol puts traces below a collector's base address:
/// <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>, read 2026-11.
const TRACES_PATH: &str = "/v1/traces";

/// Spans that wait to be sent; the next ones are dropped, never the work that they tell of. The specification's
/// default (`OTEL_BSP_MAX_QUEUE_SIZE`).
const QUEUE_MAX: usize = 2048;

/// Spans of one request; the specification's default.
const BATCH_MAX: usize = 512;

/// How long spans are gathered before they are sent; the specification's default.
const SEND_EVERY: Duration = Duration::from_secs(5);

/// How long one request to the collector may take; the protocol's default.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// How long the end of the process waits for the last spans.
const FLUSH_DEADLINE: Duration = Duration::from_secs(3);

/// A running export. Dropping it sends what is left, which needs a runtime with more than one thread.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts to send to the collector at this base address.
    pub fn to(base: &Url) -> anyhow::Result<Self> {
        let client = Client::new(vec![Origin::parse(base.as_str())?], SEND_DEADLINE)?;
        let runtime = Handle::try_current().context("traces need a runtime")?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Collector { client: Arc::new(client), runtime })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{TRACES_PATH}", base.as_str().trim_end_matches('/')))
            .with_timeout(SEND_DEADLINE)
            .build()
            .context("preparing to send traces")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let about = Resource::builder()
            .with_service_name("syncline")
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_resource(about)
            .build();
        Ok(Self(provider))
    }

    /// The layer that turns spans of the code into spans of the trace.
    pub fn layer(&self) -> OpenTelemetryLayer<Registry, opentelemetry_sdk::trace::SdkTracer> {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("syncline")).with_location(false).with_threads(false)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_DEADLINE) {
            tracing::warn!(%error, "Could not send the last traces");
        }
    }
}

/// The collector, reached from the exporter's own thread by a task of the runtime.
struct Collector {
    client: Arc<Client>,
    runtime: Handle,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(&'a self, request: http::Request<Bytes>) -> BoxFuture<'b, Result<http::Response<Bytes>, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = Arc::clone(&self.client);
        let sending = self.runtime.spawn(async move { client.send(request).await });
        Box::pin(async move { Ok(sending.await??) })
    }
}
