//! What pages load: built into the binary, named by a hash of its content, and kept by browsers for ever.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::problem::{Kind, Problem};

/// The one script of a page: what all pages do with moments, then its own.
macro_rules! script {
    ($own:literal) => {
        concat!(include_str!("../../assets/moments.js"), include_str!($own)).as_bytes()
    };
}

/// The style sheet of every page.
pub static STYLE: Asset = Asset::new("style.css", "text/css; charset=utf-8", include_bytes!("../../assets/style.css"));

/// The icon of every page.
pub static ICON: Asset = Asset::new("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg"));

/// htmx 2, with neither `eval` nor inline style: a page that loads it has the `<meta name="htmx-config">` of
/// `templates/htmx.html`.
pub static HTMX: Asset = Asset::new("htmx.js", JAVASCRIPT, include_bytes!("../../assets/htmx.min.js"));

/// What the setup page does with script.
pub static SETUP: Asset = Asset::new("setup.js", JAVASCRIPT, script!("../../assets/setup.js"));

/// What the console does with script.
pub static CONSOLE: Asset = Asset::new("console.js", JAVASCRIPT, script!("../../assets/console.js"));

/// RFC 9239 §6.
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Every asset.
static ALL: [&Asset; 5] = [&STYLE, &ICON, &HTMX, &SETUP, &CONSOLE];

/// How many hexadecimal digits of its hash a name carries: 64 bits, for names that differ, not for secrets.
const HASH_DIGITS: usize = 16;

/// A file that pages load.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    media_type: &'static str,
    body: &'static [u8],
    path: OnceLock<String>,
}

impl Asset {
    const fn new(name: &'static str, media_type: &'static str, body: &'static [u8]) -> Asset {
        Asset { name, media_type, body, path: OnceLock::new() }
    }

    /// Where it is served: another place for each content.
    pub fn path(&self) -> &str {
        self.path.get_or_init(|| {
            let hash = Sha256::digest(self.body).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
            let hash: String = hash.chars().take(HASH_DIGITS).collect();
            format!("/static/{hash}-{}", self.name)
        })
    }

    /// How many octets a browser loads that has nothing of it.
    pub fn octets(&self) -> usize {
        self.body.len()
    }
}

/// `GET /static/{file}`.
///
/// # Errors
///
/// `not-found`: another release may have had it.
pub(super) async fn asset(Path(file): Path<String>) -> Result<Response, Problem> {
    let found = ALL.iter().find(|asset| asset.path().strip_prefix("/static/") == Some(file.as_str()));
    let asset = found.ok_or_else(|| Problem::because(Kind::NotFound, "no page loads this; load the page again"))?;
    let headers = [
        (CONTENT_TYPE, asset.media_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, asset.body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_has_another_path() {
        let path = |body| Asset::new("a.css", "text/css", body).path().to_owned();
        assert_eq!(path(b"a"), "/static/ca978112ca1bbdca-a.css");
        assert_ne!(path(b"a"), path(b"b"));
    }

    #[test]
    fn every_asset_is_served_under_its_own_path() {
        let mut paths: Vec<&str> = ALL.iter().map(|asset| asset.path()).collect();
        paths.dedup();
        assert_eq!(paths.len(), ALL.len());
    }
}
