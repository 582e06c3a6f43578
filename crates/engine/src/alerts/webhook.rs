//! Alerts by webhook: one JSON object, signed as Standard Webhooks says, through the client that refuses closed addresses.

use bytes::Bytes;
use serde_json::json;
use syncline_connect::{Secret, signature::standard_signature};
use syncline_core::ids::WorkspaceId;
use syncline_store::AlertRow;
use url::Url;

use super::subject;
use crate::engine::World;

/// Where alerts are posted, and what they are signed with.
#[derive(Clone)]
pub struct AlertHook {
    pub url: Url,
    pub secret: Secret,
}

impl AlertHook {
    /// Posts an alert; the error says in words why it was not taken. The id is the same each time, so that the receiver
    /// can tell a repetition.
    pub(super) async fn send(&self, world: &World, workspace: &WorkspaceId, row: &AlertRow) -> Result<(), String> {
        let alert = &row.alert;
        let id = format!("alert_{workspace}_{}", row.id);
        let body = json!({
            "id": id, "kind": alert.kind.as_str(), "at": row.at, "workspace": workspace,
            "integration": alert.integration, "connection": alert.connection,
            "subject": subject(alert), "reason": alert.reason, "fix": alert.fix,
        });
        let body = Bytes::from(body.to_string());
        let now = world.clock.now();
        let signature = standard_signature(&self.secret, &id, now, &body).ok_or("the webhook's secret is no key")?;
        let request = http::Request::post(self.url.as_str())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", signature)
            .body(body)
            .map_err(|error| format!("the webhook's address cannot be called: {error}"))?;
        let answer =
            world.http.send(request).await.map_err(|error| format!("the webhook was not delivered: {error}"))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("the webhook's receiver answered {status}")),
        }
    }
}
