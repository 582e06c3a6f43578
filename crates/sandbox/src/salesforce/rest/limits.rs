//! Limits, and how many calls have been used of the day's allowance.

use serde_json::{Map, Value, json};

use super::{Answer, Call};
use crate::salesforce::{SalesforceOrg, State};

/// Length of the window that calls are counted in, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// Calls in the present 24 hours.
#[derive(Debug, Default, Clone, Copy)]
pub struct Usage {
    since: i64,
    pub used: u64,
}

impl Usage {
    /// Counts a call and answers how many there have been.
    pub fn count(&mut self, now: i64) -> u64 {
        if now - self.since >= DAY || self.since == 0 {
            *self = Self { since: now, used: 0 };
        }
        self.used += 1;
        self.used
    }
}

/// Permission sets that an org may make itself, told within their allowance.
const CUSTOM_SETS: u64 = 1_000;

/// Allowances of a developer org that nothing here uses up ("Limits" resource, read 2026-11-21).
const OTHERS: [(&str, u64); 70] = [
    ("AnalyticsExternalDataSizeMB", 40_960),
    ("CdpAiInferenceApiMonthlyLimit", 500_000_000),
    ("ConcurrentAsyncGetReportInstances", 200),
    ("ConcurrentEinsteinDataInsightsStoryCreation", 5),
    ("ConcurrentEinsteinDiscoveryStoryCreation", 2),
    ("ConcurrentSyncReportRuns", 20),
    ("ContentDistBandwidthLimitMB", 51_200),
    ("ContentDistViewLimit", 50_000),
    ("ContentPublicationLimit", 2_500),
    ("DailyAnalyticsDataflowJobExecutions", 60),
    ("DailyAnalyticsUploadedFilesSizeMB", 51_200),
    ("DailyApexCursorLimit", 10_000),
    ("DailyApexCursorRowsLimit", 100_000_000),
    ("DailyApexPCursorLimit", 200_000),
    ("DailyAsyncApexExecutions", 250_000),
    ("DailyAsyncApexTests", 500),
    ("DailyBulkApiBatches", 15_000),
    ("DailyBulkV2QueryFileStorageMB", 976_562),
    ("DailyBulkV2QueryJobs", 10_000),
    ("DailyDeliveredPlatformEvents", 10_000),
    ("DailyDurableGenericStreamingApiEvents", 10_000),
    ("DailyDurableStreamingApiEvents", 10_000),
    ("DailyEinsteinDataInsightsStoryCreation", 1_000),
    ("DailyEinsteinDiscoveryOptimizationJobRuns", 25),
    ("DailyEinsteinDiscoveryPredictAPICalls", 50_000),
    ("DailyEinsteinDiscoveryPredictionsByCDC", 500_000),
    ("DailyEinsteinDiscoveryStoryCreation", 100),
    ("DailyFunctionsApiCallLimit", 50_000),
    ("DailyGenericStreamingApiEvents", 10_000),
    ("DailyMetadataRetrievesWithDependencies", 25),
    ("DailyServiceEmailAgentforceCalls", 5_000),
    ("DailyStandardVolumePlatformEvents", 10_000),
    ("DailyStreamingApiEvents", 10_000),
    ("DailyWorkflowEmails", 8_040),
    ("DataStorageMB", 5),
    ("DurableStreamingApiConcurrentClients", 20),
    ("ExternalServicesActiveObjects", 3_000),
    ("ExternalServicesActiveOperations", 3_000),
    ("ExternalServicesObjectProperties", 400_000),
    ("ExternalServicesObjects", 10_000),
    ("ExternalServicesOperations", 10_000),
    ("ExternalServicesRegistrations", 700),
    ("FileStorageMB", 20),
    ("HourlyAsyncReportRuns", 1_200),
    ("HourlyDashboardRefreshes", 200),
    ("HourlyDashboardResults", 5_000),
    ("HourlyDashboardStatuses", 999_999_999),
    ("HourlyElevateAsyncReportRuns", 1_200),
    ("HourlyElevateSyncReportRuns", 500),
    ("HourlyLongTermIdMapping", 100_000),
    ("HourlyManagedContentPublicRequests", 50_000),
    ("HourlyODataCallout", 1_000),
    ("HourlyPublishedPlatformEvents", 50_000),
    ("HourlyPublishedStandardVolumePlatformEvents", 1_000),
    ("HourlyShortTermIdMapping", 100_000),
    ("HourlySyncReportRuns", 500),
    ("HourlyTimeBasedWorkflow", 1_000),
    ("MassEmail", 10),
    ("MaxContentDocumentsLimit", 30_000_000),
    ("MonthlyEinsteinDiscoveryStoryCreation", 500),
    ("Package2VersionCreates", 6),
    ("Package2VersionCreatesWithoutValidation", 500),
    ("PermissionSets", 1_500),
    ("PlatformEventTriggersWithParallelProcessing", 5),
    ("PrivateConnectOutboundCalloutHourlyLimitMB", 0),
    ("PublishCallbackUsageInApex", 5_242_880),
    ("ScheduledFlowRunLimit", 250_000),
    ("ScheduledPathRunLimit", 250_000),
    ("SingleEmail", 15),
    ("StreamingApiConcurrentClients", 20),
];

impl SalesforceOrg {
    pub(super) fn limits(&self, state: &State) -> Answer {
        let mut out = Map::new();
        let left = self.config.daily_call_limit.saturating_sub(state.usage.used);
        out.insert("DailyApiRequests".into(), json!({"Max": self.config.daily_call_limit, "Remaining": left}));
        for (name, max) in OTHERS {
            out.insert(name.into(), json!({"Max": max, "Remaining": max}));
        }
        out["PermissionSets"]["CreateCustom"] = json!({"Max": CUSTOM_SETS, "Remaining": CUSTOM_SETS});
        Answer::ok(Value::Object(out))
    }

    /// Objects without records are left out, as the real resource leaves them out.
    pub(super) fn record_count(&self, state: &State, call: &Call<'_>) -> Answer {
        let asked: Option<Vec<&str>> = call.param("sObjects").map(|names| names.split(',').map(str::trim).collect());
        let schema = self.schema();
        let counts = schema.objects.iter().enumerate().filter_map(|(no, def)| {
            let wanted =
                asked.as_ref().is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(&def.name)));
            let count = state.world.table(no).live();
            (wanted && count > 0).then(|| json!({"count": count, "name": def.name}))
        });
        Answer::ok(json!({"sObjects": counts.collect::<Vec<_>>()}))
    }

    /// `api-usage=18/15000`
    pub(in crate::salesforce) fn limit_info(&self, state: &State) -> String {
        let used = state.usage.used;
        let mut text = format!("api-usage={used}/{}", self.config.daily_call_limit);
        if let Some(limit) = self.config.per_app_call_limit {
            text.push_str(&format!("; per-app-api-usage={used}/{limit}(appName={})", self.config.app.name));
        }
        text
    }
}
