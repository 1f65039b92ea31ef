//! One domain: how it stands and why, what is to be published, what was found over time, and what to do about it.

pub(super) mod history;

mod mailboxes;
mod records;
mod timeline;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::service::console::Session;
use crate::service::domains::DomainView;
use crate::service::readiness::ReadinessView;
use crate::service::records::RecordsView;
use crate::service::{Caller, Error, Service};
use crate::verify::standing::Status;
use crate::web::console::domain::history::{CheckLine, DeliveryLine, EventLine, LinkLine};
use crate::web::console::domain::mailboxes::MailboxCard;
use crate::web::console::domain::records::RecordLine;
use crate::web::console::domain::timeline::Timeline;
use crate::web::console::evidence::{self, Asked};
use crate::web::console::refusal::{At, Refusal, sentence};
use crate::web::console::session::SignedIn;
use crate::web::console::words::{self, Flag, Mark};
use crate::web::console::{Console, Frame, Part};
use crate::web::page::Page;
use crate::web::shown::{Moment, Piece, plain, sentence as pieces};

/// How many checks the picture over time goes back.
const TIMELINE_CHECKS: u32 = 200;

/// How many checks and events are listed.
const LISTED: usize = 20;

/// How many mailboxes are shown with their warm-up.
const MAILBOXES: u32 = 24;

/// How many setup links are listed.
const LINKS: u32 = 50;

/// The most replies of the latest check that the page shows; all of them have a page of their own.
const REPLIES_MAX: usize = 40;

/// The most letters of a reason.
const REASON_CHARACTERS_MAX: usize = 400;

/// The most letters of a name.
const NAME_CHARACTERS_MAX: usize = 253;

#[derive(Template)]
#[template(path = "console/domain.html")]
struct DomainPage {
    frame: Frame,
    id: Uuid,
    domain: String,
    ascii: Option<String>,
    mark: Mark,
    flags: [Flag; 4],
    client: String,
    client_href: String,
    provider: String,
    facts: Vec<(&'static str, Moment)>,
    notes: Vec<Note>,
    is_living: bool,
    is_suspended: bool,
    is_checking: bool,
    readiness: Ready,
    records: Vec<RecordLine>,
    timeline: Option<Timeline>,
    mailboxes: Vec<MailboxCard>,
    has_more_mailboxes: bool,
    checks: Vec<CheckLine>,
    events: Vec<EventLine>,
    deliveries: Vec<DeliveryLine>,
    links: Vec<LinkLine>,
    evidence: Option<(Vec<Asked>, bool)>,
    evidence_href: String,
    /// A link that was just made.
    new_link: Option<String>,
}

/// Something to know about the domain.
#[derive(Debug)]
struct Note {
    tone: &'static str,
    title: &'static str,
    text: String,
    at: Option<Moment>,
}

/// What may be done today, and why not more.
#[derive(Debug)]
struct Ready {
    may_send: bool,
    may_warm_up: bool,
    used: u32,
    limit: u32,
    /// Each with its code, what is so, and what would lift it.
    reasons: Vec<(&'static str, Vec<Piece>, Vec<Piece>)>,
}

/// `GET /domains/{id}`.
pub(super) async fn domain(
    State(console): State<Console>,
    SignedIn(session): SignedIn,
    At(id): At<Uuid>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    show(&console, &session, id, query.as_deref(), None).await
}

/// The page of a domain, with what was just done or made.
pub(super) async fn show(
    console: &Console,
    session: &Session,
    id: Uuid,
    query: Option<&str>,
    new_link: Option<String>,
) -> Result<Response, Refusal> {
    let (service, caller) = (&console.service, &session.caller);
    let now = service.clock().now();
    let known = Known::of(service, caller, id).await?;
    let row = &known.view.row;
    let mailboxes = service.mailbox_list(caller, id, None, MAILBOXES).await?;
    let mut cards = Vec::with_capacity(mailboxes.items.len());
    for mailbox in &mailboxes.items {
        cards.push(MailboxCard::of(service, caller, mailbox, now).await?);
    }
    let checks = service.checks(caller, id, None, TIMELINE_CHECKS).await?.items;
    let events = service.events(caller, id, None, u32::try_from(LISTED).unwrap_or(1)).await?.items;
    let evidence = match checks.first() {
        Some(check) => evidence::of_stored(&service.check(caller, id, check.id).await?.evidence, REPLIES_MAX),
        None => None,
    };
    let deliveries = service.domain_deliveries(caller, id).await?;
    let page = DomainPage {
        frame: Frame::of(session, Part::Domains).with_done(query),
        id,
        domain: plain(known.view.domain_unicode.as_deref().unwrap_or(&row.domain), NAME_CHARACTERS_MAX),
        ascii: known.view.domain_unicode.as_ref().map(|_| plain(&row.domain, NAME_CHARACTERS_MAX)),
        mark: words::standing(&known.view),
        flags: words::flags(&known.view),
        client: known.client.clone(),
        client_href: format!("/domains?client={}", row.client_id),
        provider: plain(&row.provider, NAME_CHARACTERS_MAX),
        facts: known.facts(now),
        notes: known.notes(now),
        is_living: row.status != Status::Deleted,
        is_suspended: row.status == Status::Suspended,
        is_checking: row.is_checking(now),
        readiness: Ready::of(&known.readiness),
        records: known.records.as_ref().map(|records| records::lines(records, now)).unwrap_or_default(),
        timeline: Timeline::of(row.standing().flags, &checks, now),
        mailboxes: cards,
        has_more_mailboxes: mailboxes.next.is_some(),
        evidence_href: checks.first().map(|check| format!("/domains/{id}/checks/{}", check.id)).unwrap_or_default(),
        checks: checks.iter().take(LISTED).map(|check| CheckLine::of(check, now)).collect(),
        events: events.iter().map(|event| EventLine::of(event, now)).collect(),
        deliveries: deliveries.iter().map(|delivery| DeliveryLine::of(delivery, now)).collect(),
        links: known.links(service, caller, now).await?,
        evidence,
        new_link,
    };
    Ok(Page(StatusCode::OK, page).into_response())
}

/// What is known of a domain, whatever state it is in.
struct Known {
    view: DomainView,
    client: String,
    /// Nothing of a domain that is deleted, or whose name is none.
    records: Option<RecordsView>,
    readiness: ReadinessView,
}

impl Known {
    async fn of(service: &Service, caller: &Caller, id: Uuid) -> Result<Known, Error> {
        let view = service.domain_get(caller, id).await?;
        let records = match service.records_as_they_are(caller, id).await {
            Ok(records) => Some(records),
            Err(Error::NoSuchDomain(_) | Error::DomainMalformed(_)) => None,
            Err(fault) => return Err(fault),
        };
        let client = match service.client_get(caller, view.row.client_id).await {
            Ok(client) => words::client(&client),
            Err(Error::NoSuchClient(id)) => id.to_string(),
            Err(fault) => return Err(fault),
        };
        let readiness = service.domain_readiness(caller, id).await?;
        Ok(Known { view, client, records, readiness })
    }

    fn facts(&self, now: DateTime<Utc>) -> Vec<(&'static str, Moment)> {
        let row = &self.view.row;
        let facts = [
            ("Registered", row.created_at),
            ("First all valid", row.verified_at),
            ("Last all valid", row.last_success_at),
            ("Last checked", row.last_checked_at),
            ("Next check", row.next_check_at.filter(|_| row.status != Status::Deleted)),
            ("Failing since", row.degraded_since),
            ("Deleted", row.deleted_at),
        ];
        facts.into_iter().filter_map(|(label, at)| Some((label, Moment::of(at?, now)))).collect()
    }

    fn notes(&self, now: DateTime<Utc>) -> Vec<Note> {
        let row = &self.view.row;
        let note = |tone, title, text: &str, at: Option<DateTime<Utc>>| Note {
            tone,
            title,
            text: text.to_owned(),
            at: at.map(|at| Moment::of(at, now)),
        };
        let mut notes = Vec::new();
        if let Some(why) = &self.view.malformed {
            let text =
                format!("{} It is never checked; mend it in the platform's database.", sentence(&plain(why, 300)));
            notes.push(note("bad", "Its name is no normal domain name", &text, None));
        }
        if let Some(reason) = row.suspended_reason {
            notes.push(note("bad", "It is suspended", words::suspended(reason), None));
        }
        if row.status == Status::Active && row.suspends_at.is_some() {
            let text = "Its records are wrong. Unless they are mended, it is suspended at";
            notes.push(note("warn", "It is at risk", text, row.suspends_at));
        }
        if row.stale_since.is_some() {
            let text = "DNS gave no definite word. No flag moves on that; nobody has been able to tell since";
            notes.push(note("warn", "Nobody can tell at the moment", text, row.stale_since));
        }
        if self.records.as_ref().is_some_and(|records| records.breaker_open) {
            let text = "Many domains turned bad at once, so nobody is demoted. The overview says more.";
            notes.push(note("warn", "The fleet breaker is open", text, None));
        }
        if let Some(proof) = self.view.ownership.as_ref().filter(|proof| !proof.verified) {
            let text = format!(
                "Its client has not shown yet that the name is its own: {} is to hold {}.",
                proof.name, proof.value
            );
            notes.push(note("wait", "Whose it is is not proven", &text, None));
        }
        if row.status == Status::Deleted {
            notes.push(note(
                "wait",
                "It is deleted",
                "Its history stays. It can be registered again by its client.",
                None,
            ));
        }
        notes
    }

    async fn links(&self, service: &Service, caller: &Caller, now: DateTime<Utc>) -> Result<Vec<LinkLine>, Error> {
        if self.view.row.status == Status::Deleted {
            return Ok(Vec::new());
        }
        let links = service.setup_link_list(caller, self.view.row.id, None, LINKS).await?.items;
        Ok(links.iter().rev().map(|link| LinkLine::of(link, now)).collect())
    }
}

impl Ready {
    fn of(view: &ReadinessView) -> Ready {
        let readiness = &view.readiness;
        let reasons = readiness.reasons.iter().map(|reason| {
            (
                reason.code(),
                pieces(&reason.message(), REASON_CHARACTERS_MAX),
                pieces(reason.fix(), REASON_CHARACTERS_MAX),
            )
        });
        Ready {
            may_send: readiness.may_send,
            may_warm_up: readiness.may_warm_up,
            used: readiness.used_today,
            limit: readiness.daily_limit,
            reasons: reasons.collect(),
        }
    }
}
