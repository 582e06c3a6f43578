//! From the configuration to the integrations that bring meetings onto timelines.

use anyhow::{Context, bail};
use jiff::SignedDuration;
use syncline_connect::{Connector, calendar::CalendarId};
use syncline_core::{
    calendar::{look::Rules, meeting::DeleteSettings},
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::calendars::{CalendarFlow, CalendarSetup};

use super::{Installation, connector_of};
use crate::config::{CalendarPersonConfig, CalendarsConfig, Config};

impl Installation {
    /// The integrations that bring meetings onto timelines.
    pub(super) fn calendars(&self) -> anyhow::Result<Vec<CalendarFlow>> {
        let flow = |config: &CalendarsConfig| {
            calendar_flow(&self.config, self.workspace(), config)
                .with_context(|| format!("in integration `{}`", config.name))
        };
        self.config.calendars.iter().map(flow).collect()
    }
}

/// An integration as the engine takes it.
pub(super) fn calendar_flow(
    known: &Config,
    workspace: WorkspaceId,
    config: &CalendarsConfig,
) -> anyhow::Result<CalendarFlow> {
    let crm = connector_of(known, &config.crm)?;
    let calendars = config.people.iter().map(|person| calendar(known, person));
    Ok(CalendarFlow {
        workspace,
        id: IntegrationId::new(config.name.clone()),
        crm: ConnectionId::new(config.crm.clone()),
        calendars: calendars.collect::<anyhow::Result<_>>()?,
        rules: rules(crm, config)?,
        sweep_every: SignedDuration::from_hours(i64::from(config.sweep_hours)),
    })
}

/// What the operator chose.
fn rules(crm: &dyn Connector, config: &CalendarsConfig) -> anyhow::Result<Rules> {
    if crm.records().is_none() {
        bail!("{} keeps no meetings; name the connection of a CRM under `crm`", crm.manifest().display_name);
    }
    Ok(Rules {
        policy: config.policy()?,
        meeting: config.meeting_settings(),
        privacy: config.privacy(),
        deletes: DeleteSettings { delete_record: config.delete_cancelled, ..DeleteSettings::default() },
        back: config.back(),
        // What its meetings can hold is known once it is asked.
        ..Rules::default()
    })
}

/// One person's calendar.
fn calendar(known: &Config, person: &CalendarPersonConfig) -> anyhow::Result<CalendarSetup> {
    let connector = connector_of(known, &person.connection)?;
    let Some(calendars) = connector.calendars() else {
        bail!(
            "connection `{}` shows no calendars, being one to {}; name that of a calendar account for `{}`",
            person.connection,
            connector.manifest().display_name,
            person.owner
        );
    };
    let every = match person.every() {
        Some(every) => every,
        None => SignedDuration::try_from(calendars.every()).context("the vendor's own rhythm")?,
    };
    Ok(CalendarSetup {
        name: person.name().to_owned(),
        connection: ConnectionId::new(person.connection.clone()),
        calendar: person.calendar.clone().map(CalendarId),
        owner: person.address()?,
        blocked: person.blocked.clone(),
        every,
    })
}
