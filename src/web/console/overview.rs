//! The fleet at a glance: how many of what, what is wrong, what is about to happen, and the last day as a picture.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use crate::http::health::{AuthoritativeState, BreakerState, CheckerState, Health, ResolverState};
use crate::service::overview::{HOURS, Hour, Overview, SUSPENDED_SOON_MAX};
use crate::verify::purpose::Purpose;
use crate::verify::standing::Status;
use crate::web::console::chart::{self, Bar};
use crate::web::console::refusal::Refusal;
use crate::web::console::session::SignedIn;
use crate::web::console::words::{self, Mark, grouped};
use crate::web::console::{Console, Frame, Part};
use crate::web::page::Page;
use crate::web::shown::{Moment, plain};

/// The most letters of a domain's name in a list.
const NAME_CHARACTERS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "console/overview.html")]
struct OverviewPage {
    frame: Frame,
    tiles: Vec<Tile>,
    failing: Vec<Tile>,
    mailboxes: Vec<Tile>,
    health: Vec<Fares>,
    breaker: Option<String>,
    breaker_since: Option<Moment>,
    plots: Vec<Plot>,
    hours: Vec<HourRow>,
    axis: Vec<Moment>,
    urgent: Vec<Urgent>,
    is_urgent_cut: bool,
    lately: Vec<Lately>,
    now: Moment,
}

/// A number, and where to look closer.
#[derive(Debug)]
struct Tile {
    label: &'static str,
    count: String,
    tone: &'static str,
    href: String,
}

/// How a part of the service fares.
#[derive(Debug)]
struct Fares {
    label: &'static str,
    mark: Mark,
    about: &'static str,
}

/// A picture of the last day.
#[derive(Debug)]
struct Plot {
    id: &'static str,
    title: &'static str,
    /// In words, for whoever does not see it.
    description: String,
    total: String,
    most: String,
    bars: Vec<Bar>,
    legend: Vec<(&'static str, &'static str, String)>,
}

#[derive(Debug)]
struct HourRow {
    from: Moment,
    checks: String,
    changes: String,
    fallen: [String; 4],
}

#[derive(Debug)]
struct Urgent {
    href: String,
    domain: String,
    at: Moment,
}

#[derive(Debug)]
struct Lately {
    at: Moment,
    kind: String,
    href: String,
    domain: String,
}

/// `GET /`.
pub(super) async fn overview(
    State(console): State<Console>,
    SignedIn(session): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let overview = console.service.overview(&session.caller).await?;
    let frame = Frame::of(&session, Part::Overview).with_done(query.as_deref());
    let page = OverviewPage::of(frame, &overview, &console.health, console.service.clock().now());
    Ok(Page(StatusCode::OK, page).into_response())
}

impl OverviewPage {
    fn of(frame: Frame, overview: &Overview, health: &Health, now: DateTime<Utc>) -> OverviewPage {
        let moment = |at| Moment::of(at, now);
        let most = usize::try_from(SUSPENDED_SOON_MAX).unwrap_or(usize::MAX);
        let urgent = overview.suspended_soon.iter().take(most).map(|soon| Urgent {
            href: format!("/domains/{}", soon.id),
            domain: plain(&soon.domain, NAME_CHARACTERS_MAX),
            at: moment(soon.suspends_at),
        });
        let lately = overview.lately.iter().map(|event| Lately {
            at: moment(event.at),
            kind: event.kind.clone(),
            href: format!("/domains/{}", event.domain_id),
            domain: plain(&event.domain, NAME_CHARACTERS_MAX),
        });
        let said = health.said();
        let breaker = match said.breaker {
            BreakerState::Open(reason) => Some(reason),
            BreakerState::Closed => overview.breaker_open_since.map(|_| "Many domains turned bad at once.".to_owned()),
        };
        OverviewPage {
            frame,
            tiles: tiles(overview),
            failing: overview.failing.iter().map(failing).collect(),
            mailboxes: overview
                .mailboxes
                .iter()
                .map(|(status, count)| tile(status.as_str(), *count, "wait", ""))
                .collect(),
            health: parts(health, breaker.is_some()),
            breaker: breaker.filter(|_| overview.breaker_open_since.is_some()),
            breaker_since: overview.breaker_open_since.map(moment),
            plots: plots(&overview.hours),
            hours: overview.hours.iter().rev().map(|hour| HourRow::of(hour, now)).collect(),
            axis: overview.hours.iter().step_by(HOURS / 4).map(|hour| moment(hour.from)).collect(),
            urgent: urgent.collect(),
            is_urgent_cut: overview.suspended_soon.len() > most,
            lately: lately.collect(),
            now: moment(now),
        }
    }
}

fn tile(label: &'static str, count: u64, tone: &'static str, href: &str) -> Tile {
    Tile { label, count: grouped(count), tone: if count == 0 { "wait" } else { tone }, href: href.to_owned() }
}

fn tiles(overview: &Overview) -> Vec<Tile> {
    let mut tiles: Vec<Tile> = overview
        .domains
        .iter()
        .map(|(status, count)| {
            let Mark { word, tone } = words::status(*status);
            tile(word, *count, tone, &format!("/domains?status={}", status.as_str()))
        })
        .collect();
    // The order of urgency, not of the alphabet of states.
    tiles.sort_by_key(|tile| {
        [Status::Active, Status::Pending].iter().position(|s| s.as_str() == tile.label).unwrap_or(9)
    });
    tiles.push(tile("checks due", overview.due, "wait", ""));
    tiles
}

fn failing((purpose, count): &(Purpose, u64)) -> Tile {
    tile(words::purpose(*purpose), *count, "bad", &format!("/domains?failing={}", purpose.as_str()))
}

fn parts(health: &Health, is_breaker_open: bool) -> Vec<Fares> {
    let said = health.said();
    let ok = |word| Mark { word, tone: "ok" };
    let bad = |word| Mark { word, tone: "bad" };
    let resolver = match said.resolver {
        ResolverState::Ok => (ok("answers"), "DNS is asked through it."),
        ResolverState::Failing => {
            (bad("failing"), "It has not answered lately. Look at dns.resolvers and the network.")
        }
    };
    let authoritative = match said.authoritative {
        AuthoritativeState::Ok => (ok("answer"), "What the domains' own servers say is heard."),
        AuthoritativeState::Unknown => (Mark { word: "not asked yet", tone: "wait" }, "Too few were asked to tell."),
        AuthoritativeState::Unreachable => {
            (bad("unreachable"), "No server answers: allow UDP and TCP to port 53 everywhere.")
        }
    };
    let checker = match said.checker {
        CheckerState::Ok => (ok("works"), "What is due is checked."),
        CheckerState::Stalled => (bad("stalled"), "Checks are due and nothing happens. Look at the log."),
    };
    let breaker = match is_breaker_open {
        false => (ok("closed"), "Domains are judged as usual."),
        true => (Mark { word: "open", tone: "warn" }, "Nobody is demoted while it is open."),
    };
    let part = |label, (mark, about)| Fares { label, mark, about };
    vec![
        part("Resolver", resolver),
        part("Name servers", authoritative),
        part("Checker", checker),
        part("Fleet breaker", breaker),
    ]
}

/// Each purpose's colour in the picture.
const FALLEN: [&str; 4] = ["is-spf", "is-dkim", "is-dmarc", "is-mx"];

fn plots(hours: &[Hour]) -> Vec<Plot> {
    let single =
        |count: fn(&Hour) -> u64, class| hours.iter().map(|hour| vec![(count(hour), class)]).collect::<Vec<_>>();
    let fallen: Vec<Vec<_>> = hours.iter().map(|hour| hour.fallen.into_iter().zip(FALLEN).collect()).collect();
    let mut plots = vec![
        plot("checks", "Checks", &single(|hour| hour.checks, "is-accent")),
        plot("changes", "Changes", &single(|hour| hour.changes, "is-accent")),
        plot("fallen", "Flags that fell", &fallen),
    ];
    if let Some(plot) = plots.last_mut() {
        let sum = |index: usize| hours.iter().filter_map(|hour| hour.fallen.get(index)).sum();
        let entries = (0..).zip(Purpose::ALL).zip(FALLEN);
        plot.legend =
            entries.map(|((index, purpose), class)| (words::purpose(purpose), class, grouped(sum(index)))).collect();
    }
    plots
}

fn plot(id: &'static str, title: &'static str, columns: &[Vec<(u64, &'static str)>]) -> Plot {
    let sums: Vec<u64> = columns.iter().map(|parts| parts.iter().map(|(count, _)| count).sum()).collect();
    let (total, most) = (sums.iter().sum(), sums.iter().copied().max().unwrap_or(0));
    let (total, most) = (grouped(total), grouped(most));
    Plot {
        id,
        title,
        description: format!("Bars for the last {HOURS} hours: {total} in all, at most {most} in an hour."),
        total,
        most,
        bars: chart::columns(columns),
        legend: Vec::new(),
    }
}

impl HourRow {
    fn of(hour: &Hour, now: DateTime<Utc>) -> HourRow {
        HourRow {
            from: Moment::of(hour.from, now),
            checks: grouped(hour.checks),
            changes: grouped(hour.changes),
            fallen: hour.fallen.map(grouped),
        }
    }
}
