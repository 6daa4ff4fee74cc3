//! From events to deliveries. What is taken is durable before anybody is told so; an event that comes again finds its
//! deliveries there.

use std::sync::Arc;

use async_trait::async_trait;
use events::{CloudEvent, Handler, Malformed, Receipt};
use service_kit::crash_point;
use service_kit::db::{self, Db};

use super::delivery::{Channel, Draft, NOTICE_MS};
use super::{notice, store};

/// Which deliveries are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether there is somebody to send notices.
    pub(crate) notices: bool,
    /// How long an event is offered to the data platform; none where there is no platform.
    pub(crate) platform_ms: Option<i64>,
    /// Types of events that the platform does not get.
    pub(crate) except: Vec<String>,
}

/// Takes events of all services.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    pub(crate) db: Db,
    pub(crate) wanted: Wanted,
}

#[async_trait]
impl Handler for Intake {
    fn name(&self) -> &'static str {
        "deliveries"
    }

    fn wants(&self, kind: &str) -> bool {
        let is_for_platform = self.wanted.platform_ms.is_some() && !self.wanted.except.iter().any(|not| not == kind);
        self.wanted.notices || is_for_platform
    }

    async fn handle(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        let drafts: Vec<_> = events.iter().map(|event| self.wanted.drafts(event)).collect();
        let stored = receipt(self.store(drafts.iter().flatten().flatten().cloned().collect()).await);
        let of_each = |made: Result<Vec<Draft>, Malformed>| match made {
            Ok(drafts) if drafts.is_empty() => Receipt::Taken,
            Ok(_) => stored.clone(),
            Err(malformed) => Receipt::Refused(malformed.to_string()),
        };
        drafts.into_iter().map(of_each).collect()
    }
}

impl Intake {
    /// Makes them durable, in short transactions: those of one event may come to lie in two, and if only the first is
    /// written, the event comes again and finds it there.
    async fn store(&self, drafts: Vec<Draft>) -> Result<(), db::Error> {
        for some in drafts.chunks(store::AT_ONCE) {
            let some: Arc<[Draft]> = some.into();
            crash_point!("delivery.before_intake");
            self.db.write(async move |tx| store::insert(tx, &some).await).await?;
            crash_point!("delivery.after_intake");
        }
        Ok(())
    }
}

fn receipt(written: Result<(), db::Error>) -> Receipt {
    match written {
        Ok(()) => Receipt::Taken,
        Err(error @ db::Error::Unavailable(_)) => Receipt::Unavailable(error.to_string()),
        Err(error) => Receipt::Failed(error.to_string()),
    }
}

impl Wanted {
    /// The deliveries of one event.
    pub(crate) fn drafts(&self, event: &CloudEvent) -> Result<Vec<Draft>, Malformed> {
        if [&event.source, &event.kind].iter().any(|text| text.contains('\0')) {
            return Err(Malformed("source and type have no NUL in them".into()));
        }
        let draft = |channel, expire_time, payload| Draft {
            event_source: event.source.clone(),
            event_id: event.id,
            event_type: event.kind.clone(),
            channel,
            saga: event.correlation,
            customer: None,
            payload,
            expire_time,
        };
        let mut drafts = Vec::new();
        if self.notices
            && let Some((customer, notice)) = notice::of(event)?
        {
            let expire_time = event.expiry_time_ms.unwrap_or_else(|| event.time_ms.saturating_add(NOTICE_MS));
            let payload = serde_json::to_vec(&notice).map_err(|error| Malformed(error.to_string()))?;
            drafts.push(Draft { customer: Some(customer), ..draft(Channel::Alimtalk, expire_time, payload) });
        }
        if let Some(platform_ms) = self.platform_ms
            && !self.except.contains(&event.kind)
        {
            let expire_time = event.time_ms.saturating_add(platform_ms);
            drafts.push(draft(Channel::Platform, expire_time, events::json::encode(event)));
        }
        Ok(drafts)
    }
}
