//! From the configuration to the integrations that bring meetings onto timelines.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use jiff::SignedDuration;
use syncline_connect::{Connector, calendar::CalendarId};
use syncline_core::{
    calendar::look::Rules,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::calendars::{CalendarFlow, CalendarSetup};
use url::Url;

use super::{Installation, connector_of};
use crate::config::{CalendarPersonConfig, CalendarsConfig, Config};

impl Installation {
    /// The integrations that bring meetings onto timelines.
    pub(super) fn calendars(&self) -> anyhow::Result<Vec<CalendarFlow>> {
        let told_at = self.told_at()?;
        let flow = |config: &CalendarsConfig| {
            calendar_flow(&self.config, self.workspace(), config, &told_at)
                .with_context(|| format!("in integration `{}`", config.name))
        };
        self.config.calendars.iter().map(flow).collect()
    }

    /// Where vendors may tell of changes in the calendars of a connection, by the connection's name; nowhere without an address
    /// of this server.
    pub(super) fn told_at(&self) -> anyhow::Result<BTreeMap<String, Url>> {
        let mut told_at = BTreeMap::new();
        let Some(public) = &self.config.server.public_url else { return Ok(told_at) };
        for connection in &self.config.connections {
            if connector_of(&self.config, &connection.name)?.watches().is_some() {
                let url = Url::parse(&self.webhook_url(public, &connection.name)).context("the webhook address")?;
                told_at.insert(connection.name.clone(), url);
            }
        }
        Ok(told_at)
    }
}

/// An integration as the engine takes it.
pub(super) fn calendar_flow(
    known: &Config,
    workspace: WorkspaceId,
    config: &CalendarsConfig,
    told_at: &BTreeMap<String, Url>,
) -> anyhow::Result<CalendarFlow> {
    let crm = connector_of(known, &config.crm)?;
    let public = known.server.public_url.as_ref();
    if config.push == Some(true) && public.is_none() {
        bail!("`push` needs `[server] public_url`, the address at which vendors reach this server");
    }
    // An address that only this machine knows is of no use to a vendor.
    let is_told = public.is_some_and(|public| config.is_told_at(public));
    let calendars = config.people.iter().map(|person| {
        let hook = told_at.get(&person.connection).filter(|_| is_told).cloned();
        calendar(known, person, hook)
    });
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
        deletes: config.deletes(),
        back: config.back(),
        // What its meetings can hold is known once it is asked.
        ..Rules::default()
    })
}

/// One person's calendar.
fn calendar(known: &Config, person: &CalendarPersonConfig, hook: Option<Url>) -> anyhow::Result<CalendarSetup> {
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
        hook,
    })
}
