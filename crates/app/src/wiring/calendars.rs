//! From the configuration to the integrations that bring meetings onto timelines.

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
        let flow = |config: &CalendarsConfig| {
            self.calendar_flow(config).with_context(|| format!("in integration `{}`", config.name))
        };
        self.config.calendars.iter().map(flow).collect()
    }

    /// An integration as the engine takes it.
    fn calendar_flow(&self, config: &CalendarsConfig) -> anyhow::Result<CalendarFlow> {
        let crm = connector_of(&self.config, &config.crm)?;
        let calendars = config.people.iter().map(|person| {
            let hook = self.calendar_hook(config, person)?;
            calendar(&self.config, person, hook)
        });
        Ok(CalendarFlow {
            workspace: self.workspace(),
            id: IntegrationId::new(config.name.clone()),
            crm: ConnectionId::new(config.crm.clone()),
            calendars: calendars.collect::<anyhow::Result<_>>()?,
            rules: rules(crm, config)?,
            sweep_every: SignedDuration::from_hours(i64::from(config.sweep_hours)),
        })
    }

    /// Where a calendar's vendor may tell of changes. An address that only this machine knows is of no use to it.
    fn calendar_hook(&self, config: &CalendarsConfig, person: &CalendarPersonConfig) -> anyhow::Result<Option<Url>> {
        let public = self.config.server.public_url.as_ref();
        if config.push == Some(true) && public.is_none() {
            bail!("`push` needs `[server] public_url`, the address at which vendors reach this server");
        }
        let tells = connector_of(&self.config, &person.connection)?.watches().is_some();
        let public = public.filter(|public| tells && config.is_told_at(public));
        let url = public.map(|public| Url::parse(&self.webhook_url(public, &person.connection)));
        url.transpose().context("the webhook address")
    }
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
