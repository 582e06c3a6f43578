//! What HubSpot fills in by itself: where a record came from, and what follows from other values.

use super::{
    super::{
        schema::{COMPANY, CONTACT, DEAL, ObjectType, PropNo, TICKET, TypeNo},
        time::{parse, stamp},
    },
    pipelines::{default_pipeline, is_closed, probability},
    record::{HubSpotWho, Record},
};

/// Characters of a body that its preview shows.
const PREVIEW_CHARS: usize = 1000;

/// A record while it is being written.
pub(super) struct Draft<'a> {
    pub(super) object: &'a ObjectType,
    pub(super) no: TypeNo,
    pub(super) record: &'a mut Record,
    pub(super) at: i64,
    pub(super) changed: Vec<PropNo>,
}

impl Draft<'_> {
    pub(super) fn set(&mut self, prop: PropNo, value: &str, by: HubSpotWho) {
        if self.record.set(prop, value, self.at, by) && !self.changed.contains(&prop) {
            self.changed.push(prop);
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.record.get(self.object.find(name)?)
    }

    /// Sets what this object has of the name.
    pub(super) fn fill(&mut self, name: &str, value: &str) {
        if let Some(prop) = self.object.find(name) {
            self.set(prop, value, HubSpotWho::Vendor);
        }
    }

    fn fill_blank(&mut self, name: &str, value: &str) {
        if self.value(name).is_none() {
            self.fill(name, value);
        }
    }

    fn touched(&self, name: &str) -> bool {
        self.object.find(name).is_some_and(|prop| self.changed.contains(&prop))
    }

    fn owned(&self, name: &str) -> String {
        self.value(name).unwrap_or_default().to_owned()
    }

    /// What a new record has from the beginning.
    pub(super) fn begin(&mut self, by: HubSpotWho) {
        let id = self.record.id.to_string();
        let now = stamp(self.at);
        let (source, source_id) = match by {
            HubSpotWho::App(app) => ("INTEGRATION", app.to_string()),
            HubSpotWho::Person(user) => ("CRM_UI", format!("userId:{user}")),
            HubSpotWho::Vendor => ("INTERNAL_PROCESSING", String::new()),
        };
        self.fill("hs_object_id", &id);
        self.fill_blank(self.object.created_name, &now);
        self.fill("hs_object_source", source);
        self.fill("hs_object_source_id", &source_id);
        self.fill("hs_object_source_label", source);
        self.fill("num_notes", "0");
        match self.no {
            CONTACT => {
                self.fill("hs_all_contact_vids", &id);
                self.fill("hs_is_contact", "true");
                self.fill("hs_is_unworked", "true");
                self.fill("hs_pipeline", "contacts-lifecycle-pipeline");
                self.fill_blank("lifecyclestage", "lead");
            }
            COMPANY => {
                self.fill("hs_annual_revenue_currency_code", "USD");
                self.fill("hs_num_open_deals", "0");
                self.fill("hs_num_child_companies", "0");
                self.fill("num_associated_contacts", "0");
                self.fill("hs_pipeline", "companies-lifecycle-pipeline");
                self.fill_blank("lifecyclestage", "lead");
                let domain = self.owned("domain");
                self.fill_blank("website", &domain);
            }
            TICKET => {
                self.fill("hs_ticket_id", &id);
                self.fill("hs_num_associated_companies", "0");
                self.fill("hs_num_times_contacted", "0");
            }
            _ => {
                self.fill_blank("hs_task_status", "NOT_STARTED");
                self.fill_blank("hs_task_priority", "NONE");
                self.fill_blank("hs_task_type", "TODO");
                let coordinates = format!("{}-{id}", self.object.id);
                self.fill("hs_obj_coords", &coordinates);
            }
        }
        if let (Some(pipeline), Some((prop, _))) = (default_pipeline(self.no), self.object.pipeline)
            && self.record.get(prop).is_none()
        {
            self.set(prop, pipeline, HubSpotWho::Vendor);
        }
    }

    /// What follows from what was just written.
    pub(super) fn follow(&mut self) {
        if self.touched("hubspot_owner_id") {
            let owner = self.owned("hubspot_owner_id");
            let at = if owner.is_empty() { String::new() } else { stamp(self.at) };
            self.fill("hubspot_owner_assigneddate", &at);
            self.fill("hs_all_owner_ids", &owner);
            self.fill("hs_user_ids_of_all_owners", &owner);
        }
        match self.no {
            CONTACT => self.follow_contact(),
            COMPANY if self.touched("name") => {
                let name = self.owned("name");
                self.fill("hs_task_label", &name);
            }
            DEAL => self.follow_deal(),
            TICKET if self.touched("hs_pipeline_stage") => {
                let closed = is_closed(TICKET, &self.owned("hs_pipeline_stage")).to_string();
                self.fill("hs_is_closed", &closed);
            }
            _ => {}
        }
        for body in ["hs_note_body", "hs_meeting_body", "hs_task_body"] {
            if self.touched(body) {
                self.preview(body);
            }
        }
    }

    fn follow_contact(&mut self) {
        if self.touched("email") {
            let domain =
                self.value("email").and_then(|email| email.split_once('@')).map(|(_, domain)| domain.to_owned());
            self.fill("hs_email_domain", &domain.unwrap_or_default());
        }
        if ["firstname", "lastname", "email"].iter().any(|name| self.touched(name)) {
            let names: Vec<&str> = ["firstname", "lastname"].iter().filter_map(|name| self.value(name)).collect();
            let whole = if names.is_empty() { self.owned("email") } else { names.join(" ") };
            self.fill("hs_full_name_or_email", &whole);
        }
        if self.touched("phone") {
            let digits: String = self.owned("phone").chars().filter(char::is_ascii_digit).collect();
            self.fill("hs_searchable_calculated_phone_number", &digits);
        }
        // Written in milliseconds where other times are written in full (recorded 2026-03).
        for stage in ["lead", "customer"] {
            if self.touched("lifecyclestage") && self.value("lifecyclestage") == Some(stage) {
                let (name, at) = (format!("hs_lifecyclestage_{stage}_date"), self.at.to_string());
                self.fill_blank(&name, &at);
            }
        }
    }

    fn follow_deal(&mut self) {
        if self.touched("amount") {
            let amount = self.owned("amount");
            self.fill("amount_in_home_currency", &amount);
        }
        if self.touched("dealstage") {
            let stage = self.owned("dealstage");
            self.fill("hs_is_closed", &is_closed(DEAL, &stage).to_string());
            self.fill("hs_is_closed_won", &(stage == "closedwon").to_string());
            self.fill("hs_deal_stage_probability", probability(&stage).unwrap_or_default());
        }
    }

    fn preview(&mut self, body: &str) {
        let whole = self.owned(body);
        let mut inside = false;
        let plain: String = whole
            .chars()
            .filter(|one| {
                match one {
                    '<' => inside = true,
                    '>' if inside => {
                        inside = false;
                        return false;
                    }
                    _ => {}
                }
                !inside
            })
            .collect();
        let preview: String = plain.chars().take(PREVIEW_CHARS).collect();
        self.fill("hs_body_preview_is_truncated", &(preview.len() < plain.len()).to_string());
        self.fill("hs_body_preview_html", &format!("<html>\n<head></head>\n<body>\n{preview}\n</body>\n</html>"));
        self.fill("hs_body_preview", &preview);
    }

    /// The time of the change; whether anything did change.
    pub(super) fn end(&mut self) -> bool {
        if self.changed.is_empty() {
            return false;
        }
        // A time that was set by hand (a deal's) is the record's own.
        if let Some(made) = self.value(self.object.created_name).and_then(parse) {
            self.record.created = made;
        }
        self.record.updated = self.at;
        if let Some(prop) = self.object.find(self.object.modified_name) {
            self.record.overwrite(prop, &stamp(self.at), self.at);
        }
        true
    }
}
