//! What is counted, under which name, in which unit: [`METRICS`] is the one list of it.
//!
//! Others count through the functions here, so that every label comes from an enum or from the text of
//! the program, never from a stranger. Names follow Prometheus: `_total` for counts, the unit last.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram, Unit, counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::telemetry::TelemetryError;
use crate::verify::evidence::{Answer, Vantage};
use crate::verify::purpose::{Purpose, Verdict};
use crate::verify::standing::Status;

/// One thing that is measured.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// In what it is counted, where that is not the thing itself.
    pub unit: Option<Unit>,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// Many values, by size.
    Histogram,
}

macro_rules! metrics_list {
    ($($id:ident = $name:literal, $kind:ident, $unit:expr, $labels:expr, $help:literal;)*) => {
        $(static $id: Metric = Metric {
            name: $name, kind: MetricKind::$kind, unit: $unit, labels: &$labels, help: $help,
        };)*
        /// Everything that is measured.
        pub static METRICS: &[&Metric] = &[$(&$id),*];
    };
}

metrics_list! {
    BUILD_INFO = "sendready_build_info", Gauge, None, ["version"], "Always 1; the version is in the label.";
    HTTP_REQUESTS = "sendready_http_requests_total", Counter, None, ["method", "route", "status"],
        "Requests answered, by route and class of status.";
    HTTP_REQUEST_SECONDS = "sendready_http_request_seconds", Histogram, Some(Unit::Seconds), ["route"],
        "How long requests took.";
    HTTP_REFUSED = "sendready_http_refused_total", Counter, None, ["class"],
        "Requests refused by a limit, by whose they were.";
    CHECKS = "sendready_checks_total", Counter, None, ["reason", "result"],
        "Checks ended, by what they were for and how they ended.";
    CHECK_SECONDS = "sendready_check_seconds", Histogram, Some(Unit::Seconds), [],
        "How long checks took.";
    CHECKS_RUNNING = "sendready_checks_running", Gauge, None, [], "Checks that run now.";
    CHECKS_DUE = "sendready_checks_due", Gauge, None, [], "Domains that are due and not yet checked.";
    VERDICTS = "sendready_verdicts_total", Counter, None, ["purpose", "verdict"], "Verdicts given.";
    DNS_ANSWERS = "sendready_dns_answers_total", Counter, None, ["vantage", "outcome"],
        "What questions to DNS servers gave.";
    DNS_SECONDS = "sendready_dns_seconds", Histogram, Some(Unit::Seconds), ["vantage"],
        "How long DNS servers took.";
    DNS_IN_FLIGHT = "sendready_dns_in_flight", Gauge, None, [], "Questions that are open now.";
    DOMAINS = "sendready_domains", Gauge, None, ["status"], "Domains, by status.";
    WEBHOOK_ATTEMPTS = "sendready_webhook_attempts_total", Counter, None, ["result"],
        "Attempts to deliver an event, by what came of them.";
    WEBHOOK_SECONDS = "sendready_webhook_seconds", Histogram, Some(Unit::Seconds), [],
        "How long receivers of events took.";
    WEBHOOK_ATTEMPTS_RUNNING = "sendready_webhook_attempts_running", Gauge, None, [],
        "Attempts to deliver an event that run now.";
    BREAKER_OPEN = "sendready_breaker_open", Gauge, None, [], "1 while the fleet breaker is open.";
    AUTHORITATIVE_UNREACHABLE = "sendready_dns_authoritative_unreachable", Gauge, None, [], "1 while no authoritative server anywhere answers.";
}

/// Bounds of the histograms, in seconds: a question takes milliseconds, a check may take a minute.
const SECONDS_BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// How often samples are folded into the histograms. Between two foldings each sample is kept by itself,
/// so this bounds memory: at a thousand a second, some 40 kB.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The recorder of this process. The facade is one for the process by design, and so is this.
static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// The recorder that the counting functions of this module write to.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Installs the recorder, or gives the one that an earlier call installed.
    ///
    /// # Errors
    ///
    /// [`TelemetryError::Twice`] when something else has installed a recorder.
    pub fn install() -> Result<Metrics, TelemetryError> {
        if let Some(handle) = HANDLE.get() {
            return Ok(Metrics { handle: handle.clone() });
        }
        let recorder = builder().map_err(|_| TelemetryError::Twice)?.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            // Another thread may have been quicker with the same.
            return HANDLE.get().cloned().map(|handle| Metrics { handle }).ok_or(TelemetryError::Twice);
        }
        let handle = HANDLE.get_or_init(|| handle).clone();
        describe();
        gauge!(BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Metrics { handle })
    }

    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds samples into the histograms, for ever. Spawn it beside the server; stop it by dropping it.
    pub async fn upkeep(self) {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.handle.run_upkeep();
        }
    }
}

/// With bounds, or histograms would keep quantile sketches, which are larger.
fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&SECONDS_BOUNDS)
}

fn describe() {
    for metric in METRICS {
        let unit = metric.unit.unwrap_or(Unit::Count);
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

/// The class of a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusClass {
    /// 1xx and 2xx.
    Success,
    /// 3xx.
    Redirection,
    /// 4xx.
    Client,
    /// 5xx and what is none.
    Server,
}

impl StatusClass {
    /// All of them, in their order.
    pub const ALL: [StatusClass; 4] =
        [StatusClass::Success, StatusClass::Redirection, StatusClass::Client, StatusClass::Server];

    /// The class of `status`.
    pub fn of(status: u16) -> StatusClass {
        match status {
            100..=299 => StatusClass::Success,
            300..=399 => StatusClass::Redirection,
            400..=499 => StatusClass::Client,
            _ => StatusClass::Server,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            StatusClass::Success => "2xx",
            StatusClass::Redirection => "3xx",
            StatusClass::Client => "4xx",
            StatusClass::Server => "5xx",
        }
    }
}

/// Counts a request that a limit refused. `class` is the word of the limit's class.
pub fn request_refused(class: &'static str) {
    counter!(HTTP_REFUSED.name, "class" => class).increment(1);
}

/// What is counted of requests that were answered. Cheap to clone.
///
/// What belongs to a route is taken out of the recorder once: looking it up by its labels for every request costs more
/// than counting.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    routes: Arc<RwLock<HashMap<String, Arc<Route>>>>,
}

/// The words for a request's method; a stranger may invent others, which are one.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER_METHOD];

/// The word for every method that is none of ours.
const OTHER_METHOD: &str = "other";

/// What is counted of one route.
#[derive(Debug)]
struct Route {
    seconds: Histogram,
    /// By method and class of status.
    answered: [[OnceLock<Counter>; StatusClass::ALL.len()]; METHODS.len()],
}

impl Requests {
    /// Counts a request that was answered. `route` is the router's template (`/v1/domains/{id}`), never the path.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let counts = self.of(route);
        counts.seconds.record(took);
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let class = StatusClass::of(status);
        if let (Some(counters), Some(label)) = (counts.answered.get(method), METHODS.get(method))
            && let Some(counter) = counters.get(class as usize)
        {
            let labels = || counter!(HTTP_REQUESTS.name, "method" => *label, "route" => route.to_owned(), "status" => class.as_str());
            counter.get_or_init(labels).increment(1);
        }
    }

    fn of(&self, route: &str) -> Arc<Route> {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route).cloned();
        known.unwrap_or_else(|| {
            let seconds = histogram!(HTTP_REQUEST_SECONDS.name, "route" => route.to_owned());
            let new = Arc::new(Route { seconds, answered: Default::default() });
            let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(routes.entry(route.to_owned()).or_insert(new))
        })
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// All four flags are valid.
    Valid,
    /// Something is definitely not.
    Failing,
    /// Nothing is wrong, but something is unknown.
    Unknown,
    /// The lease was lost, or nothing could be stored; nothing was changed.
    Dropped,
}

impl CheckResult {
    fn as_str(self) -> &'static str {
        match self {
            CheckResult::Valid => "valid",
            CheckResult::Failing => "failing",
            CheckResult::Unknown => "unknown",
            CheckResult::Dropped => "dropped",
        }
    }
}

/// Counts a check that ended. `reason` is the contract's word for why it ran.
pub fn check_ended(reason: &'static str, result: CheckResult, took: Duration) {
    counter!(CHECKS.name, "reason" => reason, "result" => result.as_str()).increment(1);
    histogram!(CHECK_SECONDS.name).record(took);
}

/// Counts a verdict.
pub fn verdict_given(purpose: Purpose, verdict: Verdict) {
    counter!(VERDICTS.name, "purpose" => purpose.as_str(), "verdict" => verdict.as_str()).increment(1);
}

/// Counts what a question to one server gave.
pub fn dns_answered(vantage: Vantage, answer: &Answer, took: Duration) {
    let vantage = match vantage {
        Vantage::Recursive => "recursive",
        Vantage::Authoritative => "authoritative",
    };
    counter!(DNS_ANSWERS.name, "vantage" => vantage, "outcome" => answer.outcome()).increment(1);
    histogram!(DNS_SECONDS.name, "vantage" => vantage).record(took);
}

/// Counts an attempt to deliver an event. `result` is a word of the program for what came of it.
pub fn webhook_attempted(result: &'static str, took: Duration) {
    counter!(WEBHOOK_ATTEMPTS.name, "result" => result).increment(1);
    histogram!(WEBHOOK_SECONDS.name).record(took);
}

/// Something that is under way while this lives.
#[must_use = "it counts for as long as it lives"]
#[derive(Debug)]
pub struct UnderWay {
    metric: &'static Metric,
}

impl UnderWay {
    fn new(metric: &'static Metric) -> UnderWay {
        gauge!(metric.name).increment(1.0);
        UnderWay { metric }
    }

    /// A check.
    pub fn check() -> UnderWay {
        UnderWay::new(&CHECKS_RUNNING)
    }

    /// An attempt to deliver an event.
    pub fn webhook_attempt() -> UnderWay {
        UnderWay::new(&WEBHOOK_ATTEMPTS_RUNNING)
    }

    /// A question to a DNS server.
    pub fn dns_question() -> UnderWay {
        UnderWay::new(&DNS_IN_FLIGHT)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        gauge!(self.metric.name).decrement(1.0);
    }
}

/// Says how many domains have a status.
pub fn domains(status: Status, count: u32) {
    gauge!(DOMAINS.name, "status" => status.as_str()).set(f64::from(count));
}

/// Says how many domains are due.
pub fn checks_due(count: u32) {
    gauge!(CHECKS_DUE.name).set(f64::from(count));
}

/// Says that the fleet breaker opened.
pub fn breaker_opened() {
    gauge!(BREAKER_OPEN.name).set(1.0);
}

/// Says that the fleet breaker closed.
pub fn breaker_closed() {
    gauge!(BREAKER_OPEN.name).set(0.0);
}

/// Says whether authoritative servers are all out of reach.
pub fn authoritative_unreachable(is_so: bool) {
    gauge!(AUTHORITATIVE_UNREACHABLE.name).set(f64::from(u8::from(is_so)));
}

#[cfg(test)]
mod tests {
    use crate::verify::evidence::Failure;

    use super::*;

    /// What is rendered after `count`.
    fn rendered(count: impl FnOnce()) -> String {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            count();
        });
        recorder.handle().render()
    }

    #[track_caller]
    fn check(count: impl FnOnce(), expected: &str) {
        let text = rendered(count);
        assert!(text.lines().any(|line| line == expected), "{expected}\nis not in\n{text}");
    }

    #[test]
    fn each_function_counts_under_its_name() {
        let second = Duration::from_secs(1);
        check(
            || Requests::default().answered("GET", "/v1/domains/{id}", 404, second),
            r#"sendready_http_requests_total{method="GET",route="/v1/domains/{id}",status="4xx"} 1"#,
        );
        check(
            || Requests::default().answered("BREW", "/", 200, second),
            r#"sendready_http_requests_total{method="other",route="/",status="2xx"} 1"#,
        );
        let twice = || {
            let requests = Requests::default();
            requests.clone().answered("GET", "/", 200, second);
            requests.answered("GET", "/", 204, second);
            requests.answered("PUT", "/", 304, second);
        };
        check(twice, r#"sendready_http_requests_total{method="GET",route="/",status="2xx"} 2"#);
        check(twice, r#"sendready_http_requests_total{method="PUT",route="/",status="3xx"} 1"#);
        check(twice, r#"sendready_http_request_seconds_count{route="/"} 3"#);
        check(
            || Requests::default().answered("GET", "/", 503, second),
            r#"sendready_http_request_seconds_bucket{route="/",le="1"} 1"#,
        );
        check(
            || check_ended("verify", CheckResult::Valid, second),
            r#"sendready_checks_total{reason="verify",result="valid"} 1"#,
        );
        check(|| check_ended("poll", CheckResult::Dropped, second), "sendready_check_seconds_sum 1");
        check(
            || verdict_given(Purpose::Spf, Verdict::Missing),
            r#"sendready_verdicts_total{purpose="spf",verdict="missing"} 1"#,
        );
        check(
            || dns_answered(Vantage::Recursive, &Answer::Unknown(Failure::Servfail), second),
            r#"sendready_dns_answers_total{vantage="recursive",outcome="servfail"} 1"#,
        );
        check(|| webhook_attempted("timeout", second), r#"sendready_webhook_attempts_total{result="timeout"} 1"#);
        check(|| webhook_attempted("taken", second), "sendready_webhook_seconds_sum 1");
        check(|| std::mem::forget(UnderWay::webhook_attempt()), "sendready_webhook_attempts_running 1");
        check(|| domains(Status::Active, 3), r#"sendready_domains{status="active"} 3"#);
        check(|| checks_due(7), "sendready_checks_due 7");
        check(breaker_opened, "sendready_breaker_open 1");
        check(breaker_closed, "sendready_breaker_open 0");
        check(|| authoritative_unreachable(true), "sendready_dns_authoritative_unreachable 1");
        check(|| authoritative_unreachable(false), "sendready_dns_authoritative_unreachable 0");
    }

    #[test]
    fn what_is_under_way_counts_for_as_long_as_it_lives() {
        check(|| std::mem::forget((UnderWay::check(), UnderWay::check())), "sendready_checks_running 2");
        check(|| drop(UnderWay::dns_question()), "sendready_dns_in_flight 0");
    }

    #[test]
    fn help_and_kind_stand_before_the_values() {
        check(|| checks_due(1), "# HELP sendready_checks_due Domains that are due and not yet checked.");
        check(|| checks_due(1), "# TYPE sendready_checks_due gauge");
        check(|| check_ended("poll", CheckResult::Valid, Duration::ZERO), "# TYPE sendready_check_seconds histogram");
    }

    #[test]
    fn every_name_is_ours_and_says_its_unit() {
        for metric in METRICS {
            assert!(metric.name.starts_with("sendready_"), "{metric:?}");
            assert_eq!(metric.name.ends_with("_total"), metric.kind == MetricKind::Counter, "{metric:?}");
            assert_eq!(metric.name.ends_with("_seconds"), metric.unit == Some(Unit::Seconds), "{metric:?}");
            assert!(metric.help.ends_with('.') && metric.labels.len() <= 3, "{metric:?}");
        }
    }

    #[test]
    fn the_recorder_is_installed_once_and_given_again() {
        let first = Metrics::install().unwrap();
        breaker_opened();
        let again = Metrics::install().unwrap();
        assert!(again.render().contains("sendready_breaker_open 1"));
        assert!(first.render().contains("sendready_build_info{version="));
    }
}
