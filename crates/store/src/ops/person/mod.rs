//! All that is held about one person: shown, or erased. Both begin with the same search.

mod erase;
mod mention;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use syncline_core::{
    booking::matching::person_key,
    ids::{ChainId, SharedKey, WorkspaceId},
    record::Role,
};

pub(in crate::ops) use self::erase::REASON;
use self::{
    erase::{EraseBooking, EraseLines, EraseMeetings, EraseMessage, EraseRecords, EraseShared},
    read::{
        AsksFor, Bookings, CopiesOf, EntriesOf, Lines, MailsOf, MeetingsOf, Messages, Page, Pages, PairsOf, Shared,
    },
};
use crate::{Dossier, DossierRecord, Erased, JournalEntry, JournalKind, Store, db::Op, error::Result};

/// Pages of one table that are read at most: half a million rows.
const PAGES_MAX: usize = 1_000;

#[cfg(test)]
pub(super) fn statements() -> impl Iterator<Item = &'static (&'static str, &'static crate::db::Sql)> {
    [read::STATEMENTS, erase::STATEMENTS].into_iter().flatten()
}

impl Store {
    /// Everything that is held about whoever has this address, which is in its normal form. It reads whole tables.
    pub async fn dossier(&self, workspace: &WorkspaceId, address: &str) -> Result<Dossier> {
        let bookings = self.pages(workspace, address, || Bookings).await?;
        let key = self.data_key(workspace).await?;
        let messages = self.pages(workspace, address, || Messages(std::sync::Arc::clone(&key))).await?;
        let own: BTreeSet<ChainId> =
            bookings.iter().filter(|booking| booking.own).map(|booking| booking.chain.clone()).collect();
        let journal = self.pages(workspace, address, || Lines(own.clone())).await?;
        let links = self.run(Shared { workspace: workspace.clone(), keys: keys_of(address) }).await?;
        let records = self.records_of(workspace, address).await?;
        let events = self.pages(workspace, address, || CopiesOf).await?;
        let meetings = self.pages(workspace, address, || MeetingsOf).await?;
        let mails = self.pages(workspace, address, || MailsOf).await?;
        let asks = self.run(AsksFor { workspace: workspace.clone(), address: address.to_owned() }).await?;
        Ok(Dossier { bookings, messages, journal, links, records, events, meetings, mails, asks })
    }

    /// Erases whoever has this address, and says in the journal that somebody was erased. What it cannot do is done by
    /// calling it again. Nothing at the vendors is touched.
    pub async fn erase_person(&self, workspace: &WorkspaceId, address: &str, now: Timestamp) -> Result<Erased> {
        let bookings = self.pages(workspace, address, || Bookings).await?;
        let own: BTreeSet<ChainId> =
            bookings.iter().filter(|booking| booking.own).map(|booking| booking.chain.clone()).collect();
        let mut erased = Erased { bookings: own.len(), mentions: bookings.len() - own.len(), ..Erased::default() };
        erased.messages = bookings.iter().filter(|booking| booking.own).map(|booking| booking.inbox.len()).sum();
        let (workspace, address) = (workspace.clone(), address.to_owned());
        // Their lines before them: if this breaks off, nobody could tell afterwards which lines were theirs.
        erased.journal = self.erase_lines(&workspace, &address, &own).await?;
        for booking in bookings {
            self.run(EraseBooking { workspace: workspace.clone(), address: address.clone(), booking }).await?;
        }
        let key = self.data_key(&workspace).await?;
        let messages = self.pages(&workspace, &address, || Messages(std::sync::Arc::clone(&key))).await?;
        erased.messages += messages.len();
        for message in messages {
            self.run(EraseMessage { workspace: workspace.clone(), address: address.clone(), message }).await?;
        }
        // What was written until the bookings were gone.
        self.erase_lines(&workspace, &address, &own).await?;
        let links = self.run(Shared { workspace: workspace.clone(), keys: keys_of(&address) }).await?;
        erased.links = links.len();
        let links = links.into_iter().map(|link| (link.connection.to_string(), link.key)).collect();
        self.run(EraseShared { workspace: workspace.clone(), address: address.clone(), links }).await?;
        let mut by_integration: BTreeMap<String, Vec<DossierRecord>> = BTreeMap::new();
        for record in self.records_of(&workspace, &address).await? {
            erased.records += 1;
            by_integration.entry(record.integration.to_string()).or_default().push(record);
        }
        for (integration, records) in by_integration {
            self.run(EraseRecords { workspace: workspace.clone(), integration, records }).await?;
        }
        let events = self.pages(&workspace, &address, || CopiesOf).await?;
        let meetings = self.pages(&workspace, &address, || MeetingsOf).await?;
        erased.events = events.len() + meetings.len();
        let mails = self.pages(&workspace, &address, || MailsOf).await?;
        erased.mails = mails.len();
        let mails = mails.into_iter().map(|mail| mail.id).collect();
        self.run(EraseMeetings { workspace: workspace.clone(), address: address.clone(), events, meetings, mails })
            .await?;
        self.tell_of_erasure(&workspace, &address, &erased, now).await?;
        Ok(erased)
    }

    /// Erases lines about the person and about these bookings; says how many there were.
    async fn erase_lines(&self, workspace: &WorkspaceId, address: &str, own: &BTreeSet<ChainId>) -> Result<usize> {
        let lines = self.pages(workspace, address, || Lines(own.clone())).await?;
        let count = lines.len();
        self.run(EraseLines { workspace: workspace.clone(), lines }).await?;
        Ok(count)
    }

    async fn tell_of_erasure(
        &self,
        workspace: &WorkspaceId,
        address: &str,
        erased: &Erased,
        now: Timestamp,
    ) -> Result<()> {
        // Keyed, so that whoever has the journal alone cannot try addresses out.
        let key = self.data_key(workspace).await?;
        let mark = Sha256::new().chain_update(&key[..]).chain_update(b"erased").chain_update(address).finalize();
        let entry = JournalEntry {
            at: now,
            kind: JournalKind::Operator,
            text: "A person was erased".to_owned(),
            details: json!({
                "mark": hex::encode(&mark[..8]), "bookings": erased.bookings, "mentions": erased.mentions,
                "messages": erased.messages, "lines": erased.journal, "records": erased.records,
                "events": erased.events, "mails": erased.mails,
            }),
        };
        self.note(workspace, entry).await
    }

    async fn records_of(&self, workspace: &WorkspaceId, address: &str) -> Result<Vec<DossierRecord>> {
        let pairs = self.pages(workspace, address, || PairsOf).await?;
        let images: BTreeMap<i64, serde_json::Value> = pairs.into_iter().map(|pair| (pair.id, pair.images)).collect();
        let mut records = self.pages(workspace, address, || EntriesOf(images.clone())).await?;
        // The other half of a pair, where only one says the address.
        let others: BTreeMap<i64, serde_json::Value> = records
            .iter()
            .filter_map(|record| record.link)
            .filter(|link| !images.contains_key(link))
            .map(|link| (link, serde_json::Value::Null))
            .collect();
        if !others.is_empty() {
            let all = images.into_iter().chain(others).collect::<BTreeMap<_, _>>();
            records = self.pages(workspace, address, || EntriesOf(all.clone())).await?;
        }
        Ok(records)
    }

    async fn pages<K, T>(&self, workspace: &WorkspaceId, address: &str, kind: impl Fn() -> K) -> Result<Vec<T>>
    where
        Pages<K>: Op<Out = Page<T>>,
    {
        let (mut found, mut after) = (Vec::new(), 0);
        for _ in 0..PAGES_MAX {
            let (workspace, address) = (workspace.clone(), address.to_owned());
            let page = self.run(Pages { workspace, address, after, kind: kind() }).await?;
            found.extend(page.found);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        Ok(found)
    }
}

/// What the records of one person alone are known by; an account is one person's where the domain is nobody's own.
fn keys_of(address: &str) -> [String; 3] {
    let text = |key: SharedKey| key.as_str().to_owned();
    [text(person_key(Role::Contact, address)), text(person_key(Role::Lead, address)), format!("account:{address}")]
}
