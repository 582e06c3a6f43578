//! Logs to standard error, metrics for Prometheus, traces to a collector where one is named. Bodies, tokens and
//! addresses of people are in none of them.

#[cfg(test)]
mod tests;
mod traces;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::TelemetryConfig;
use traces::Traces;

/// What is logged unless configured otherwise: the database driver's notices are none of an operator's business.
const DEFAULT_LOG: &str = "info,tokio_postgres=warn";

/// Bounds of the duration histograms, in seconds.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// Keeps what was started going; dropping it sends the spans that are still waiting.
#[must_use = "dropped at once, it would end the traces at once"]
pub struct Telemetry {
    /// Held for the sake of its end.
    _traces: Option<Traces>,
}

/// Starts logging for a command at a terminal, which prints what matters itself: warnings only, unless configured.
pub fn start_quiet(config: &TelemetryConfig) -> anyhow::Result<Telemetry> {
    start_logs(&TelemetryConfig { log: config.log.clone().or_else(|| Some("warn".to_owned())), ..config.clone() })
}

/// Starts logging as configured; `RUST_LOG` overrides. Where traces are wanted, this needs a runtime around it.
pub fn start_logs(config: &TelemetryConfig) -> anyhow::Result<Telemetry> {
    let wanted =
        std::env::var("RUST_LOG").ok().or_else(|| config.log.clone()).unwrap_or_else(|| DEFAULT_LOG.to_owned());
    let (subscriber, telemetry) = subscriber(config, &wanted)?;
    subscriber.init();
    Ok(telemetry)
}

/// Logs take events alone and traces spans alone: without a collector no layer asks for a span, and then a span costs
/// as little as a log line of a level that is off.
fn subscriber(
    config: &TelemetryConfig,
    wanted: &str,
) -> anyhow::Result<(impl Subscriber + Send + Sync + use<>, Telemetry)> {
    let level = || {
        EnvFilter::try_new(wanted)
            .with_context(|| format!("`{wanted}` is no log level; use error, warn, info, debug or trace"))
    };
    let events = level()?.and(filter_fn(|line: &Metadata<'_>| line.is_event()).with_max_level_hint(LevelFilter::TRACE));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if config.json {
        lines.json().with_filter(events).boxed()
    } else {
        lines.with_target(false).with_filter(events).boxed()
    };
    let mut layers = vec![lines];
    let traces = config.otlp.as_ref().map(Traces::to).transpose().context("in [telemetry] otlp")?;
    if let Some(traces) = &traces {
        let at_info = filter_fn(|span| *span.level() <= tracing::Level::INFO);
        let ours = filter_fn(|span| span.is_span() && span.target().starts_with("syncline"));
        layers.push(traces.layer().with_filter(ours.and(at_info.or(level()?))).boxed());
    }
    Ok((tracing_subscriber::registry().with(layers), Telemetry { _traces: traces }))
}

/// Starts counting; the handle renders what `/metrics` answers.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("starting metrics")
}
