//! The headers of pages and of what they load.

use sendready::web::assets::{HTMX, ICON, STYLE};
use sendready::web::page::POLICY;

use crate::api::house::House;

#[tokio::test]
async fn assets_are_kept_for_ever_and_named_by_their_content() {
    let house = House::new().await;
    for (asset, media_type) in
        [(&STYLE, "text/css; charset=utf-8"), (&ICON, "image/svg+xml"), (&HTMX, "text/javascript; charset=utf-8")]
    {
        let answer = house.call("GET", asset.path(), None, None).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, media_type));
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.text.len(), asset.octets());
        assert_eq!(house.call("HEAD", asset.path(), None, None).await.text, "");
    }
    let stale = house.call("GET", "/static/0000000000000000-style.css", None, None).await;
    assert_eq!((stale.status.as_u16(), stale.problem().as_str()), (404, "not-found"));
}

#[test]
fn the_policy_allows_nothing_inline_and_nobody_else() {
    assert!(POLICY.starts_with("default-src 'none'; "));
    for refused in ["unsafe", "http", "*", "  "] {
        assert!(!POLICY.contains(refused), "{refused} in {POLICY}");
    }
    for wanted in ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'"] {
        assert!(POLICY.contains(wanted), "{wanted} is not in {POLICY}");
    }
}
