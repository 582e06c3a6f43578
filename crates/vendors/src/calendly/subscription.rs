//! The webhook subscription that should be there. Calendly disables one whose deliveries failed for 24 hours, and it
//! never comes back by itself: a disabled subscription looks like a time without bookings.

use syncline_connect::{Answered, BoxFuture, Cx, Ensured, Error, Hook, Subscriptions};

use super::{
    Calendly,
    api::{Api, Made, Owner, Subscription, events},
};

impl Subscriptions for Calendly {
    fn ensure<'a>(&'a self, cx: &'a Cx<'a>, hook: &'a Hook) -> BoxFuture<'a, Result<Answered<Ensured>, Error>> {
        Box::pin(async move {
            let mut api = Api::new(cx, "webhook");
            let owner = api.owner(cx).await?;
            let value = ensured(&mut api, &owner, hook).await?;
            Ok(Answered { value, calls: api.calls(), usage: None })
        })
    }
}

async fn ensured(api: &mut Api<'_>, owner: &Owner, hook: &Hook) -> Result<Ensured, Error> {
    let url = hook.url.as_str();
    let found = api.subscription_to(owner, url).await?;
    let Some(found) = found else {
        return match api.make_subscription(owner, hook).await? {
            Made::Made => Ok(Ensured::Created),
            // Somebody else made it meanwhile, another process of ours for one.
            Made::Exists => Ok(Ensured::Active),
        };
    };
    if let Some(why) = defect(&found, owner) {
        // A subscription cannot be changed, only be made anew.
        api.drop_subscription(found.uri.raw()).await?;
        api.make_subscription(owner, hook).await?;
        return Ok(Ensured::Mended { why: why.to_owned() });
    }
    Ok(found.retry_started_at.0.map_or(Ensured::Active, |since| Ensured::Failing { since }))
}

fn defect(found: &Subscription, owner: &Owner) -> Option<&'static str> {
    let lacks = |event: &&str| !found.events.0.iter().any(|known| known.raw() == *event);
    if found.state.raw() == "disabled" {
        Some("it was switched off, because its deliveries had failed for a day")
    } else if events(owner).iter().any(lacks) {
        Some("it did not tell of every change of a booking")
    } else {
        None
    }
}
