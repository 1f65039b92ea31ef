//! The setup page (contract §3.6): for the person who owns a domain's DNS, who has nothing but its address.
//!
//! Its token is in the path, which no log holds and no other site is told. Whatever happens, the answer is a page that
//! says what to do next. Everything works without script; with it, the page follows `…/stream` and updates in place.

mod live;
mod view;
mod words;

use askama::Template;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::http::export;
use crate::http::problem::RETRY_AFTER_DEFAULT;
use crate::service::records::RecordsView;
use crate::service::setup_links::Door;
use crate::service::{Caller, Error, Service};
use crate::web::page::{HEADERS, Page};
use crate::web::setup::view::View;
use crate::web::setup::words::{Ended, Note};

/// The routes.
pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/setup/{token}", get(setup))
        .route("/setup/{token}/verify", post(verify))
        .route("/setup/{token}/stream", get(live::stream))
        .route("/setup/{token}/records.zone", get(zone_file))
        .route("/setup/{token}/records.csv", get(csv))
        .route("/setup/{token}/records.txt", get(text))
}

/// A page for a link.
#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    /// Where the page is, for its form, its stream and its downloads.
    base: String,
    view: View,
}

/// A page where there are no records to show.
#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    title: &'static str,
    paragraphs: Vec<String>,
}

/// Why a link shows no records: always a page.
enum Refusal {
    Ended(Ended),
    /// Nobody knows now. What it was goes to the log.
    Fault(Error),
}

impl From<Error> for Refusal {
    fn from(fault: Error) -> Refusal {
        match fault {
            Error::NoSuchDomain(_) => Refusal::Ended(Ended::DomainGone),
            Error::DomainMalformed(_) => Refusal::Ended(Ended::NameMalformed),
            fault => Refusal::Fault(fault),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Ended(ended) => {
                let (status, title, paragraphs) = ended.page();
                Page(status, Message { title, paragraphs }).into_response()
            }
            Refusal::Fault(fault) => {
                // The problem knows its status and brings its cause to the log; a person is shown a page instead.
                let problem = crate::http::problem::Problem::from(fault).into_response();
                let (title, paragraphs) = words::trouble();
                let mut response = Page(problem.status(), Message { title, paragraphs }).into_response();
                *response.extensions_mut() = problem.extensions().clone();
                let seconds = HeaderValue::from(RETRY_AFTER_DEFAULT.as_secs());
                response.headers_mut().insert(RETRY_AFTER, seconds);
                response
            }
        }
    }
}

/// Whoever came through a link.
struct Visitor {
    caller: Caller,
    domain_id: Uuid,
    token: String,
}

impl Visitor {
    async fn of(service: &Service, token: Result<Path<String>, PathRejection>) -> Result<Visitor, Refusal> {
        let Ok(Path(token)) = token else { return Err(Refusal::Ended(Ended::Unknown)) };
        match service.setup_link_open(&token).await? {
            Door::Open(caller) => {
                let domain_id = caller.domain_id.ok_or(Refusal::Ended(Ended::Unknown))?;
                Ok(Visitor { caller, domain_id, token })
            }
            Door::Expired(at) => Err(Refusal::Ended(Ended::Expired(at))),
            Door::Closed => Err(Refusal::Ended(Ended::Unknown)),
        }
    }

    /// Where the page is. The token is known, so it is one of ours: letters that need no escape.
    fn base(&self) -> String {
        format!("/setup/{}", self.token)
    }

    fn page(&self, records: &RecordsView, now: DateTime<Utc>, note: Option<Note>) -> SetupPage {
        SetupPage { base: self.base(), view: View::of(records, now, note) }
    }
}

type Token = Result<Path<String>, PathRejection>;

/// `GET /setup/{token}`: what to do, in order, and how far it is done.
async fn setup(State(service): State<Service>, token: Token) -> Response {
    let answer = async {
        let visitor = Visitor::of(&service, token).await?;
        let records = service.records(&visitor.caller, visitor.domain_id).await?;
        Ok::<_, Refusal>(Page(StatusCode::OK, visitor.page(&records, service.clock().now(), None)))
    };
    answer.await.into_response()
}

/// `POST /setup/{token}/verify`: asks for a check, and goes back to the page.
async fn verify(State(service): State<Service>, token: Token) -> Response {
    let answer = async {
        let visitor = Visitor::of(&service, token).await?;
        match service.verify(&visitor.caller, visitor.domain_id).await {
            Ok(_) => Ok((StatusCode::SEE_OTHER, HEADERS, [(LOCATION, visitor.base())]).into_response()),
            Err(Error::TooManyVerifications { retry_after }) => {
                let records = service.records_as_they_are(&visitor.caller, visitor.domain_id).await?;
                let seconds = retry_after.as_secs().max(1);
                let page = visitor.page(&records, service.clock().now(), Some(words::too_often(seconds)));
                let after = [(RETRY_AFTER, HeaderValue::from(seconds))];
                Ok((after, Page(StatusCode::TOO_MANY_REQUESTS, page)).into_response())
            }
            Err(fault) => Err(Refusal::from(fault)),
        }
    };
    answer.await.into_response()
}

/// `GET /setup/{token}/records.zone`: the records as a master file.
async fn zone_file(State(service): State<Service>, token: Token) -> Response {
    download(&service, token, "zone", "text/dns", export::bind).await
}

/// `GET /setup/{token}/records.csv`: the records as a table.
async fn csv(State(service): State<Service>, token: Token) -> Response {
    download(&service, token, "csv", "text/csv; charset=utf-8", export::csv).await
}

/// `GET /setup/{token}/records.txt`: the records as a letter.
async fn text(State(service): State<Service>, token: Token) -> Response {
    download(&service, token, "txt", "text/plain; charset=utf-8", export::text).await
}

async fn download(
    service: &Service,
    token: Token,
    ending: &str,
    media_type: &'static str,
    form: fn(&crate::verify::report::Report) -> String,
) -> Response {
    let answer = async {
        let visitor = Visitor::of(service, token).await?;
        let records = service.records_as_they_are(&visitor.caller, visitor.domain_id).await?;
        // A domain's name is letters, digits, hyphens, dots and underscores: nothing that ends a quoted text.
        let file = format!("attachment; filename=\"{}.{ending}\"", records.judged.report.domain);
        let body = form(&records.judged.report);
        Ok::<_, Refusal>((HEADERS, [(CONTENT_TYPE, media_type)], named(file), body))
    };
    answer.await.into_response()
}

fn named(file: String) -> [(HeaderName, String); 1] {
    [(CONTENT_DISPOSITION, file)]
}
