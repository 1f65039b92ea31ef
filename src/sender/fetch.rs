//! Getting a document from a stranger's URL, with the same care as posting to one.
//!
//! Redirects are followed here, for RDAP servers pass questions on (RFC 7480 §5.2): at most [`REDIRECTS_MAX`], each to a
//! place that could have been asked in the first place, and never from HTTPS back to HTTP.

use reqwest::Response;
use reqwest::header::{ACCEPT, LOCATION, RETRY_AFTER};
use thiserror::Error;
use tokio::time::timeout;

use crate::sender::target::{Target, TargetFault};
use crate::sender::{RETRY_AFTER_OCTETS_MAX, Sender, Unanswered, unanswered};

/// The most redirects that are followed.
pub const REDIRECTS_MAX: usize = 3;

/// What was got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The host that answered in the end.
    pub host: String,
    /// The status code.
    pub code: u16,
    /// The whole body; empty unless the code is 200.
    pub body: Vec<u8>,
    /// The text of `Retry-After`.
    pub retry_after: Option<String>,
}

/// Why nothing was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FetchFault {
    /// Nobody answered.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The answer is larger than we read.
    #[error("the answer is too large")]
    TooLarge,
    /// It was redirected again and again.
    #[error("there were more than {REDIRECTS_MAX} redirects")]
    Redirects,
    /// A redirect leads nowhere that may be asked.
    #[error("a redirect leads to a URL that {0}")]
    BadRedirect(TargetFault),
    /// A redirect leads nowhere, or from HTTPS back to HTTP.
    #[error("a redirect leads nowhere, or from HTTPS back to HTTP")]
    NoRedirect,
}

impl Sender {
    /// Gets a document of at most `octets_max`, redirects followed.
    ///
    /// # Errors
    ///
    /// [`FetchFault`], within the time that an attempt may take, redirects and body included.
    pub async fn fetch(&self, target: &Target, accept: &str, octets_max: usize) -> Result<Fetched, FetchFault> {
        let fetched = timeout(self.settings.time_max, self.follow(target.clone(), accept, octets_max)).await;
        fetched.unwrap_or(Err(FetchFault::Unanswered(Unanswered::Timeout)))
    }

    async fn follow(&self, mut target: Target, accept: &str, octets_max: usize) -> Result<Fetched, FetchFault> {
        for _ in 0..=REDIRECTS_MAX {
            let request = self.client.get(target.url().clone()).header(ACCEPT, accept);
            let response = request.send().await.map_err(|fault| unanswered(&fault))?;
            if !response.status().is_redirection() {
                return read(&target, response, octets_max).await;
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|text| target.url().join(text).ok()).ok_or(FetchFault::NoRedirect)?;
            if target.url().scheme() == "https" && next.scheme() != "https" {
                return Err(FetchFault::NoRedirect);
            }
            target = Target::parse(next.as_str(), self.settings.allow_private).map_err(FetchFault::BadRedirect)?;
        }
        Err(FetchFault::Redirects)
    }
}

async fn read(target: &Target, mut response: Response, octets_max: usize) -> Result<Fetched, FetchFault> {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.filter(|text| text.len() <= RETRY_AFTER_OCTETS_MAX).map(str::to_owned);
    let code = response.status().as_u16();
    let mut body = Vec::new();
    if code == 200 {
        while let Some(chunk) = response.chunk().await.map_err(|fault| unanswered(&fault))? {
            if body.len() + chunk.len() > octets_max {
                return Err(FetchFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
    }
    Ok(Fetched { host: target.host().to_owned(), code, body, retry_after })
}
