//! Who is a guest and who is not.

use super::desk::{ADA, Desk, ROSA};

/// A colleague who uses the CRM and whose calendar is not read.
const OLA: &str = "ola@host.example";

/// A colleague who uses the CRM is no guest, whatever the address: neither one at another domain nor, where no domain is named as
/// one's own, anybody of the house. A meeting with a guest costs as many calls as before.
///
/// proves: C5
#[tokio::test]
async fn users_of_the_crm_are_no_guests() {
    let desk = Desk::with(|flow| {
        flow.calendars.truncate(1);
        flow.rules.policy.own_domains = Vec::new();
    });
    let desk = desk.await.active().await;
    desk.contact(OLA);
    desk.meet(ROSA, "Team", 25, &[OLA]);
    desk.calm().await;
    assert_eq!(desk.verdicts().await["Team"], "internal_only", "{:?}", desk.told().await);
    assert_eq!(desk.titles(), Vec::<String>::new());
    desk.meet(ROSA, "Demo", 26, &[OLA, ADA]);
    desk.calm().await;
    assert_eq!(desk.people(&desk.records()[0]), [ADA.to_owned()].into());
}
