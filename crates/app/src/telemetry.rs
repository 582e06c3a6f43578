//! Logs to standard error, metrics for Prometheus. Bodies, tokens and addresses of people are never logged.

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::TelemetryConfig;

/// Bounds of the duration histograms, in seconds.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// Starts logging as configured; `RUST_LOG` overrides.
pub fn start_logs(config: &TelemetryConfig) -> anyhow::Result<()> {
    let wanted = std::env::var("RUST_LOG").ok().or_else(|| config.log.clone()).unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted).with_context(|| format!("`{wanted}` is no log level; use error, warn, info, debug or trace"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if config.json { builder.json().init() } else { builder.with_target(false).init() }
    Ok(())
}

/// Starts counting; the handle renders what `/metrics` answers.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("starting metrics")
}
