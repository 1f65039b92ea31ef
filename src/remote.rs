//! A running service, asked from outside: its URL, a key, and what its answers mean.
//!
//! Owns how the command line speaks to the HTTP API: the key goes to the given URL and nowhere else (no redirect is
//! followed, no proxy is asked), every answer is bounded and ends in time, and every failure says what to do next.
//! Bodies are JSON as they came; what is shown of them is `cli`'s, which must make the texts in them harmless.
//!
//! # Left out
//!
//! Certificates are checked against the roots of Mozilla, which are built in; a private authority is not known here.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::Value;
use thiserror::Error;

use crate::sender;

/// How long connecting may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a request may take in all. Longer than the longest wait that the API offers (30 s).
const ANSWER_TIME_MAX: Duration = Duration::from_secs(45);

/// The largest answer that is read, in octets. A page of 200 domains has a fifth of a mebibyte.
const BODY_OCTETS_MAX: usize = 16 << 20;

/// The longest `Retry-After` that is waited for; one that is longer is told.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(30);

/// How often a request that came too often is made again.
const RETRIES_MAX: u32 = 1;

/// The longest text of a stranger in a message, in characters.
const SHOWN_CHARACTERS: usize = 300;

/// Who we say we are.
const USER_AGENT: &str = concat!("sendready/", env!("CARGO_PKG_VERSION"));

/// Why a service could not be asked, or did not do what it was asked.
#[derive(Debug, Error)]
pub enum Failure {
    /// The URL is none of a service.
    #[error("--url {url}: {problem}; give the service's address, such as http://127.0.0.1:8080")]
    BadUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The key cannot be one.
    #[error("the key holds spaces, line ends or other characters that no key holds; keys look like sr_ and 43 letters")]
    BadKey,
    /// This build cannot speak HTTP.
    #[error("HTTP could not be set up: {0}")]
    Setup(String),
    /// Nobody took the connection.
    #[error("{url}: nobody answers there ({cause}); is `sendready serve` running, and is --url (SENDREADY_URL) right?")]
    NoConnection {
        /// Where.
        url: String,
        /// What the system says.
        cause: String,
    },
    /// The connection could not be made safe.
    #[error(
        "{url}: no TLS connection could be made ({cause}); the certificate must be for this name and of a public authority"
    )]
    Tls {
        /// Where.
        url: String,
        /// What is wrong.
        cause: String,
    },
    /// It took too long.
    #[error("{url}: no answer in time; see what `sendready health` says on its machine, or try again")]
    Timeout {
        /// Where.
        url: String,
    },
    /// The connection ended before the answer did.
    #[error("{url}: the connection broke off ({cause}); try again, and look into the service's log")]
    Broken {
        /// Where.
        url: String,
        /// What is wrong.
        cause: String,
    },
    /// A redirect, which is not followed: the key was meant for this address only.
    #[error("{url}: is somewhere else, it says ({to}); if you trust that, give it as --url")]
    Redirected {
        /// Where we asked.
        url: String,
        /// Where we are sent.
        to: String,
    },
    /// No problem document, or no JSON where there should be some.
    #[error("{url}: what answers there (status {status}) is no sendready; give the service's own address as --url")]
    Stranger {
        /// Where.
        url: String,
        /// Its status code.
        status: u16,
    },
    /// The key is not known.
    #[error(
        "the service does not know the key, or it is revoked or expired; `sendready key create --role operator` on its \
         machine makes one, and SENDREADY_KEY hands it over"
    )]
    Unauthorized,
    /// Too often, and the wait is too long for us.
    #[error("asked too often; come again in {seconds} s: {detail}")]
    TooOften {
        /// When to come again.
        seconds: u64,
        /// What the service says.
        detail: String,
    },
    /// A fault of the service.
    #[error("the service failed (status {status}, request {request}); its log says why under this id")]
    Failed {
        /// Its status code.
        status: u16,
        /// The request's id.
        request: String,
    },
    /// The service cannot serve now.
    #[error("the service cannot serve now{}; `sendready health` on its machine and /readyz say why", come_again(*seconds))]
    Unavailable {
        /// When to come again, where that was said.
        seconds: Option<u64>,
    },
    /// Refused for what was asked.
    #[error("{0}")]
    Refused(Refusal),
}

/// What a problem document says (RFC 9457), as far as people need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// The kind, such as `no-such-domain`.
    pub kind: String,
    /// What is wrong this time; a stranger's text.
    pub detail: String,
    /// Which fields are wrong: pointer and reason; strangers' texts.
    pub errors: Vec<(String, String)>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.detail)?;
        for (pointer, detail) in &self.errors {
            write!(f, "; {pointer}: {detail}")?;
        }
        write!(f, " ({})", self.kind)
    }
}

fn come_again(seconds: Option<u64>) -> String {
    seconds.map(|seconds| format!(", come again in {seconds} s")).unwrap_or_default()
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; null where there is none.
    pub body: Value,
}

/// One request: the method, the parts of the path, the query, and a body.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    method: Method,
    path: &'r [&'r str],
    query: Vec<(&'r str, String)>,
    body: Option<Value>,
}

impl<'r> Request<'r> {
    /// `GET` of a path, by its parts: each is encoded, so none leads elsewhere.
    pub fn get(path: &'r [&'r str]) -> Request<'r> {
        Request { method: Method::GET, path, query: Vec::new(), body: None }
    }

    /// `POST`.
    pub fn post(path: &'r [&'r str]) -> Request<'r> {
        Request { method: Method::POST, ..Request::get(path) }
    }

    /// `PATCH`.
    pub fn patch(path: &'r [&'r str]) -> Request<'r> {
        Request { method: Method::PATCH, ..Request::get(path) }
    }

    /// With a parameter of the query, where there is one.
    #[must_use]
    pub fn with(mut self, name: &'r str, value: Option<impl ToString>) -> Request<'r> {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// With a body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Request<'r> {
        self.body = Some(body);
        self
    }
}

/// A service to ask. Does not print its key.
pub struct Remote {
    client: Client,
    base: Url,
    authorization: Option<HeaderValue>,
}

impl Remote {
    /// The service at `url`, asked with `key`, if there is one. Asks nothing yet.
    ///
    /// # Errors
    ///
    /// [`Failure::BadUrl`], [`Failure::BadKey`] or [`Failure::Setup`].
    pub fn new(url: &str, key: Option<&str>) -> Result<Remote, Failure> {
        let base = base(url)?;
        let authorization = key.map(authorization).transpose()?;
        let tls = sender::tls().map_err(|fault| Failure::Setup(fault.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .http1_only()
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(ANSWER_TIME_MAX)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|fault| Failure::Setup(fault.to_string()))?;
        Ok(Remote { client, base, authorization })
    }

    /// Asks, and once more when it was too often and the wait is short; `told` is called before that wait.
    ///
    /// # Errors
    ///
    /// Every [`Failure`] but those of [`Remote::new`].
    pub async fn ask(&self, request: &Request<'_>, told: impl Fn(Duration)) -> Result<Answer, Failure> {
        let mut retries = 0;
        loop {
            let response = self.send(request).await?;
            let wait = seconds_to_wait(&response);
            let short = wait.map(Duration::from_secs).filter(|wait| *wait <= RETRY_WAIT_MAX);
            match short {
                Some(wait) if response.status().as_u16() == 429 && retries < RETRIES_MAX => {
                    retries += 1;
                    told(wait);
                    tokio::time::sleep(wait).await;
                }
                _ => return self.judge(response).await,
            }
        }
    }

    /// Asks, and takes the answer with whatever status, as long as it is JSON. For `/readyz`, whose 503 has a body.
    ///
    /// # Errors
    ///
    /// Those of the connection, and [`Failure::Stranger`].
    pub async fn ask_whatever_the_status(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        let response = self.send(request).await?;
        let status = response.status().as_u16();
        let octets = self.body(response).await?;
        let body = serde_json::from_slice(&octets).map_err(|_| self.stranger(status))?;
        Ok(Answer { status, body })
    }

    fn url(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    fn request(&self, request: &Request<'_>) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(request.path);
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut built = self.client.request(request.method.clone(), url).header(ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            built = built.header(reqwest::header::AUTHORIZATION, authorization);
        }
        match &request.body {
            Some(body) => built.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => built,
        }
    }

    async fn send(&self, request: &Request<'_>) -> Result<Response, Failure> {
        self.request(request).send().await.map_err(|fault| self.unanswered(&fault))
    }

    async fn judge(&self, response: Response) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        if response.status().is_redirection() {
            return Err(Failure::Redirected { url: self.url(), to: header(&response, &LOCATION) });
        }
        let wait = seconds_to_wait(&response);
        let request = header(&response, &reqwest::header::HeaderName::from_static("x-request-id"));
        let octets = self.body(response).await?;
        if octets.is_empty() && (200..300).contains(&status) {
            return Ok(Answer { status, body: Value::Null });
        }
        let body: Value = serde_json::from_slice(&octets).map_err(|_| self.stranger(status))?;
        if (200..300).contains(&status) {
            return Ok(Answer { status, body });
        }
        let refusal = refusal(status, &body).ok_or_else(|| self.stranger(status))?;
        Err(match status {
            401 => Failure::Unauthorized,
            429 => Failure::TooOften { seconds: wait.unwrap_or(1), detail: refusal.detail },
            503 => Failure::Unavailable { seconds: wait },
            500.. => Failure::Failed { status, request },
            _ => Failure::Refused(refusal),
        })
    }

    /// The whole body, if it is not too large.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut octets = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|fault| self.unanswered(&fault))? {
            octets.extend_from_slice(&chunk);
            if octets.len() > BODY_OCTETS_MAX {
                return Err(self.stranger(response.status().as_u16()));
            }
        }
        Ok(octets)
    }

    fn stranger(&self, status: u16) -> Failure {
        Failure::Stranger { url: self.url(), status }
    }

    fn unanswered(&self, fault: &reqwest::Error) -> Failure {
        let (url, cause) = (self.url(), innermost(fault));
        if fault.is_timeout() {
            Failure::Timeout { url }
        } else if sender::is_tls_fault(fault) {
            Failure::Tls { url, cause }
        } else if fault.is_connect() {
            Failure::NoConnection { url, cause }
        } else {
            Failure::Broken { url, cause }
        }
    }
}

/// The URL under which the API's paths are. It may have a path of its own, behind a proxy.
fn base(text: &str) -> Result<Url, Failure> {
    // What stands before an `@` is a password, and is not repeated.
    let shown = text.rsplit_once('@').map_or(text, |(_, behind)| behind);
    let bad = |problem| Failure::BadUrl { url: cut(shown), problem };
    let url = Url::parse(text).map_err(|_| bad("is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("begins neither with http:// nor with https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("holds a user or a password, which the service does not know"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("holds a query or a fragment"));
    }
    Ok(url)
}

fn authorization(key: &str) -> Result<HeaderValue, Failure> {
    if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(Failure::BadKey);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| Failure::BadKey)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a problem document says; nothing where it is none of ours.
fn refusal(status: u16, body: &Value) -> Option<Refusal> {
    let kind = body.get("type")?.as_str()?.strip_prefix("/problems/")?;
    let title = body.get("title").and_then(Value::as_str).unwrap_or_default();
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or(title);
    let word = |error: &Value, name: &str| cut(error.get(name).and_then(Value::as_str).unwrap_or_default());
    let errors = body.get("errors").and_then(Value::as_array);
    let errors = errors.into_iter().flatten().map(|error| (word(error, "pointer"), word(error, "detail")));
    Some(Refusal { status, kind: cut(kind), detail: cut(detail), errors: errors.collect() })
}

fn seconds_to_wait(response: &Response) -> Option<u64> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

fn header(response: &Response, name: &reqwest::header::HeaderName) -> String {
    let text = response.headers().get(name).and_then(|value| value.to_str().ok());
    cut(text.unwrap_or("unknown"))
}

/// The last cause in a chain: what the system said.
fn innermost(fault: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = fault;
    while let Some(next) = last.source() {
        last = next;
    }
    cut(&last.to_string())
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn bad_url(url: &str, expected: &str) {
        let told = base(url).unwrap_err().to_string();
        assert!(told.contains(expected), "{url}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn a_url_is_checked_before_anything_is_sent() {
        bad_url("127.0.0.1:8080", "is no URL");
        bad_url("localhost:8080", "neither with http");
        bad_url("ftp://a.example", "neither with http");
        bad_url("http://user:secret@a.example", "password");
        bad_url("http://a.example/?key=1", "query");
        assert!(base("https://a.example/under/").is_ok());
    }

    #[test]
    fn a_part_of_a_path_leads_nowhere_else() {
        let remote = Remote::new("https://a.example/under/", Some("sr_x")).unwrap();
        let request = Request::get(&["v1", "domains", "../../x?y#z"]).with("q", Some("a&b")).with("limit", None::<u8>);
        let built = remote.request(&request).build().unwrap();
        assert_eq!(built.url().as_str(), "https://a.example/under/v1/domains/..%2F..%2Fx%3Fy%23z?q=a%26b");
        assert!(!format!("{built:?}").contains("sr_x"));
    }

    #[test]
    fn a_key_of_two_lines_is_none_and_is_not_repeated() {
        let told = authorization("sr_secret\nx").unwrap_err().to_string();
        assert!(told.contains("the key holds spaces") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn a_problem_is_told_with_its_fields() {
        let body = json!({"type": "/problems/invalid", "title": "Fields are wrong", "status": 422,
            "detail": "one field is wrong", "errors": [{"pointer": "/tier", "detail": "is needed"}]});
        let told = refusal(422, &body).unwrap().to_string();
        assert_eq!(told, "one field is wrong; /tier: is needed (invalid)");
        assert_eq!(refusal(404, &json!({"error": "nothing"})), None);
        assert_eq!(refusal(404, &json!({"type": "about:blank"})), None);
    }
}
