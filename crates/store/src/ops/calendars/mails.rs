//! Mails to guests: written down with the decision that they tell of, begun before a byte leaves, and settled once it is known
//! what became of them. What was begun is never begun again by itself: nobody is told twice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use syncline_core::{
    calendar::identity::MeetingKey,
    ids::{IntegrationId, WorkspaceId},
    person::normal_email,
};

use super::meetings::key_of;
use crate::{
    CalendarMail, GUEST_INVITED, GUEST_OFF, Held, JournalEntry, MailState, NewMail, Store,
    db::{Db, Op, P, Row, Scope, statements, to_json},
    error::{Error, Result},
    ops::{
        journal::{self, Line},
        leases::is_held,
    },
};

statements! {
    // What a guest was never told of an older revision is no longer true.
    MAIL_REPLACE = "delete from calendar_mail where workspace = ?1 and integration = ?2 and uid = ?3 and rid = ?4 \
        and email = ?5 and revision < ?6 and state = 'due' and word in ('invited', 'moved', 'off') returning word";
    MAIL_ADD = "insert into calendar_mail (workspace, integration, uid, rid, email, revision, word, state, at, due_at, tries, \
        letter) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'due', ?8, ?8, 0, ?9) \
        on conflict (workspace, integration, uid, rid, word, revision, email) do nothing";
    MAILS_OFF = "select email from calendar_mail where workspace = ?1 and integration = ?2 and uid = ?3 and rid = ?4 \
        and word = 'off'";
    MAILS_DUE = "select id, uid, rid, email, state, at, tries, letter from calendar_mail where workspace = ?1 \
        and integration = ?2 and state = 'due' and due_at <= ?3 order by due_at, id limit ?4";
    MAILS_BEGUN = "select id, uid, rid, email, state, at, tries, letter from calendar_mail where workspace = ?1 \
        and integration = ?2 and state = 'sending' order by due_at, id limit ?3";
    MAIL_BEGIN = "update calendar_mail set state = 'sending', tries = tries + 1 \
        where workspace = ?1 and id = ?2 and state = 'due'";
    MAIL_SET = "update calendar_mail set state = ?3, due_at = ?4, problem = ?5 where workspace = ?1 and id = ?2";
    MAIL_SENT = "update calendar_mail set state = 'sent', problem = null, letter = null where workspace = ?1 and id = ?2";
    MAILS_AGAIN = "update calendar_mail set state = 'due', due_at = ?3, at = ?3 where workspace = ?1 and integration = ?2 \
        and state in ('refused', 'unknown') and letter is not null";
    MAILS_DROP = "delete from calendar_mail where workspace = ?1 and at < ?2 and state not in ('due', 'sending')";
}

/// Writes mails down in the transaction of what they tell of. What is known already is passed over.
pub(super) async fn add<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    integration: &IntegrationId,
    mails: &[NewMail],
    now: Timestamp,
) -> Result<()> {
    let (ws, integration) = (P::Text(workspace.as_str()), P::Text(integration.as_str()));
    for mail in mails {
        let (rid, letter) = (mail.key.rid.to_string(), to_json(&mail.letter)?);
        let [uid, rid, email] = [mail.key.uid.as_str(), &rid, &mail.email].map(P::Text);
        let revision = P::Int(mail.revision.into());
        let unsent = db.rows(&MAIL_REPLACE, &[ws, integration, uid, rid, email, revision]).await?;
        let unsent: Vec<String> = unsent.into_iter().map(|mut row| row.text(0)).collect::<Result<_>>()?;
        // Who never heard of a meeting need not hear that it is off.
        if mail.word == GUEST_OFF && unsent.iter().any(|word| word == GUEST_INVITED) {
            continue;
        }
        let word = P::Text(&mail.word);
        let row = [ws, integration, uid, rid, email, revision, word, P::time(now), P::Blob(&letter)];
        db.run(&MAIL_ADD, &row).await?;
    }
    Ok(())
}

/// Has those sent again of which a person said so; how many.
pub(super) async fn again<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    integration: &IntegrationId,
    now: Timestamp,
) -> Result<u64> {
    let by = [P::Text(workspace.as_str()), P::Text(integration.as_str()), P::time(now)];
    db.run(&MAILS_AGAIN, &by).await
}

/// Drops what was settled before a time.
pub(in crate::ops) async fn drop_old<D: Db>(db: &mut D, workspace: &WorkspaceId, before: Timestamp) -> Result<u64> {
    db.run(&MAILS_DROP, &[P::Text(workspace.as_str()), P::time(before)]).await
}

fn mail_of(mut row: Row) -> Result<CalendarMail> {
    let (uid, rid, email, state) = (row.text(1)?, row.text(2)?, row.text(3)?, row.text(4)?);
    Ok(CalendarMail {
        id: row.int(0)?,
        key: key_of(&uid, &rid)?,
        email: normal_email(&email).ok_or_else(|| Error::corrupt("the address of a mail cannot be read"))?,
        begun: state == "sending",
        at: row.time(5)?,
        tries: u32::try_from(row.int(6)?).unwrap_or(u32::MAX),
        letter: row.opt_json(7)?.ok_or_else(|| Error::corrupt("a mail that is to be sent has no text"))?,
    })
}

struct Due {
    workspace: WorkspaceId,
    integration: IntegrationId,
    now: Timestamp,
    limit: usize,
}

impl Op for Due {
    type Out = Vec<CalendarMail>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let limit = P::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        let mut rows = db.rows(&MAILS_BEGUN, &[ws, integration, limit]).await?;
        rows.extend(db.rows(&MAILS_DUE, &[ws, integration, P::time(self.now), limit]).await?);
        rows.into_iter().map(mail_of).collect()
    }
}

struct ToldOff {
    workspace: WorkspaceId,
    integration: IntegrationId,
    key: MeetingKey,
}

impl Op for ToldOff {
    type Out = BTreeMap<String, u32>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rid = self.key.rid.to_string();
        let by = [self.workspace.as_str(), self.integration.as_str(), self.key.uid.as_str(), &rid].map(P::Text);
        let mut told = BTreeMap::new();
        for mut row in db.rows(&MAILS_OFF, &by).await? {
            *told.entry(row.text(0)?).or_default() += 1;
        }
        Ok(told)
    }
}

struct Begin {
    workspace: WorkspaceId,
    held: Held,
    now: Timestamp,
    id: i64,
}

impl Op for Begin {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        Ok(is_held(db, &self.workspace, &self.held, self.now).await?
            && db.run(&MAIL_BEGIN, &[P::Text(self.workspace.as_str()), P::Int(self.id)]).await? > 0)
    }
}

struct Settle {
    workspace: WorkspaceId,
    integration: IntegrationId,
    held: Held,
    now: Timestamp,
    id: i64,
    state: MailState,
    line: Option<JournalEntry>,
}

impl Op for Settle {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let (ws, id) = (P::Text(self.workspace.as_str()), P::Int(self.id));
        // That it was taken is true whoever has the lease by now; anything else is for its holder to say.
        if self.state != MailState::Sent && !is_held(db, &self.workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        let set = |state, at, problem| [ws, id, P::Text(state), P::time(at), P::Text(problem)];
        match &self.state {
            MailState::Sent => db.run(&MAIL_SENT, &[ws, id]).await?,
            MailState::Later { at, problem } => db.run(&MAIL_SET, &set("due", *at, problem)).await?,
            MailState::Refused { problem } => db.run(&MAIL_SET, &set("refused", self.now, problem)).await?,
            MailState::Unknown { problem } => db.run(&MAIL_SET, &set("unknown", self.now, problem)).await?,
        };
        let line = |line| Line::of_integration(&self.workspace, &self.integration, line);
        let lines: Vec<Line<'_>> = self.line.iter().map(line).collect();
        journal::write(db, &lines).await?;
        Ok(true)
    }
}

impl Store {
    /// Mails to guests that are to be sent, and those that somebody began to send and never settled: left by a process that
    /// died where whoever asks holds the lease under which they are sent.
    pub async fn calendar_mails(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<CalendarMail>> {
        self.run(Due { workspace: workspace.clone(), integration: integration.clone(), now, limit }).await
    }

    /// How often each guest was told, or is to be, that a meeting is off, by address. Nothing of what was dropped as old.
    pub async fn guests_told_off(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        key: &MeetingKey,
    ) -> Result<BTreeMap<String, u32>> {
        let (workspace, integration, key) = (workspace.clone(), integration.clone(), key.clone());
        self.run(ToldOff { workspace, integration, key }).await
    }

    /// Notes that a mail is about to leave. `false`, and nothing may leave, where the lease is another's by now or somebody
    /// else sent it.
    pub async fn begin_mail(&self, workspace: &WorkspaceId, held: &Held, now: Timestamp, id: i64) -> Result<bool> {
        self.run(Begin { workspace: workspace.clone(), held: held.clone(), now, id }).await
    }

    /// Notes what became of a mail, with a line of the activity log where people have to know.
    #[expect(clippy::too_many_arguments, reason = "one mail, and by whose leave it is settled")]
    pub async fn settle_mail(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        held: &Held,
        now: Timestamp,
        id: i64,
        state: MailState,
        line: Option<JournalEntry>,
    ) -> Result<bool> {
        let (workspace, integration, held) = (workspace.clone(), integration.clone(), held.clone());
        self.run(Settle { workspace, integration, held, now, id, state, line }).await
    }
}
