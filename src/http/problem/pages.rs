//! The pages that problems point to: `docs/problems/*.md`, built in and served as plain HTML.

use axum::extract::Path;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

use crate::http::markup::{escape, marked};
use crate::http::problem::{Kind, Problem};

/// The page of one kind, as Markdown.
pub fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::BadJson => include_str!("../../../docs/problems/bad-json.md"),
        Kind::BadQuery => include_str!("../../../docs/problems/bad-query.md"),
        Kind::BadHeader => include_str!("../../../docs/problems/bad-header.md"),
        Kind::BadRequest => include_str!("../../../docs/problems/bad-request.md"),
        Kind::Unauthorized => include_str!("../../../docs/problems/unauthorized.md"),
        Kind::Forbidden => include_str!("../../../docs/problems/forbidden.md"),
        Kind::NotFound => include_str!("../../../docs/problems/not-found.md"),
        Kind::NoSuchClient => include_str!("../../../docs/problems/no-such-client.md"),
        Kind::NoSuchDomain => include_str!("../../../docs/problems/no-such-domain.md"),
        Kind::NoSuchCheck => include_str!("../../../docs/problems/no-such-check.md"),
        Kind::NoSuchKey => include_str!("../../../docs/problems/no-such-key.md"),
        Kind::NoSuchMailbox => include_str!("../../../docs/problems/no-such-mailbox.md"),
        Kind::NoSuchSetupLink => include_str!("../../../docs/problems/no-such-setup-link.md"),
        Kind::NoSuchWebhookEndpoint => include_str!("../../../docs/problems/no-such-webhook-endpoint.md"),
        Kind::NoSuchDelivery => include_str!("../../../docs/problems/no-such-delivery.md"),
        Kind::MethodNotAllowed => include_str!("../../../docs/problems/method-not-allowed.md"),
        Kind::RequestTimeout => include_str!("../../../docs/problems/request-timeout.md"),
        Kind::DomainTaken => include_str!("../../../docs/problems/domain-taken.md"),
        Kind::AllocationExceeded => include_str!("../../../docs/problems/allocation-exceeded.md"),
        Kind::TooManyWebhookEndpoints => include_str!("../../../docs/problems/too-many-webhook-endpoints.md"),
        Kind::ClientsManagedElsewhere => include_str!("../../../docs/problems/clients-managed-elsewhere.md"),
        Kind::DomainMalformed => include_str!("../../../docs/problems/domain-malformed.md"),
        Kind::MailboxTaken => include_str!("../../../docs/problems/mailbox-taken.md"),
        Kind::MailboxUnhealthy => include_str!("../../../docs/problems/mailbox-unhealthy.md"),
        Kind::NotReady => include_str!("../../../docs/problems/not-ready.md"),
        Kind::DailyLimitReached => include_str!("../../../docs/problems/daily-limit-reached.md"),
        Kind::IdempotencyKeyRunning => include_str!("../../../docs/problems/idempotency-key-running.md"),
        Kind::BodyTooLarge => include_str!("../../../docs/problems/body-too-large.md"),
        Kind::UnsupportedMediaType => include_str!("../../../docs/problems/unsupported-media-type.md"),
        Kind::Invalid => include_str!("../../../docs/problems/invalid.md"),
        Kind::IdempotencyKeyReused => include_str!("../../../docs/problems/idempotency-key-reused.md"),
        Kind::TooManyVerifications => include_str!("../../../docs/problems/too-many-verifications.md"),
        Kind::TooManyRequests => include_str!("../../../docs/problems/too-many-requests.md"),
        Kind::HeadTooLarge => include_str!("../../../docs/problems/head-too-large.md"),
        Kind::Internal => include_str!("../../../docs/problems/internal.md"),
        Kind::Unavailable => include_str!("../../../docs/problems/unavailable.md"),
    }
}

/// `GET /problems/{kind}`: what a problem means, why it happens and what to do next.
///
/// # Errors
///
/// `not-found` for a word that is no kind.
pub async fn page(Path(word): Path<String>) -> Result<Response, Problem> {
    let kind = Kind::parse(&word).ok_or_else(|| {
        Problem::because(
            Kind::NotFound,
            "there is no problem of this kind; `type` of a refusal names one that there is",
        )
    })?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, html(text(kind))).into_response())
}

/// A page as HTML. Knows what our pages use: headings, paragraphs, lists and `code`.
fn html(markdown: &str) -> String {
    let title = markdown.lines().next().unwrap_or_default().trim_start_matches("# ");
    let mut body = String::new();
    for block in markdown.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        if let Some(heading) = block.strip_prefix("## ") {
            body.push_str(&format!("<h2>{}</h2>\n", marked(heading)));
        } else if let Some(heading) = block.strip_prefix("# ") {
            body.push_str(&format!("<h1>{}</h1>\n", marked(heading)));
        } else if block.starts_with("* ") {
            let items: Vec<String> =
                block.trim_start_matches("* ").split("\n* ").map(|item| format!("<li>{}</li>", marked(item))).collect();
            body.push_str(&format!("<ul>{}</ul>\n", items.concat()));
        } else {
            body.push_str(&format!("<p>{}</p>\n", marked(block)));
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{}</title><style>body{{max-width:40rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark}}\
         code{{font-family:ui-monospace,monospace}}</style></head>\n<body><main>\n{body}</main></body></html>\n",
        escape(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_escaped_html() {
        let page = html("# A <b>\n\nSee `x<y`.\n\n* one\n* two & three\n\n## Next\n");
        assert!(page.contains("<h1>A &lt;b&gt;</h1>"), "{page}");
        assert!(page.contains("<p>See <code>x&lt;y</code>.</p>"), "{page}");
        assert!(page.contains("<ul><li>one</li><li>two &amp; three</li></ul>"), "{page}");
        assert!(page.contains("<h2>Next</h2>"), "{page}");
    }
}
