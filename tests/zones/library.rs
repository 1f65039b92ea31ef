//! The zones through the library: DNS as text, the checker, the judge.

use std::time::Duration;

use sendready::checker::{self, Limits};
use sendready::dns::zone_text::ZoneText;
use sendready::http::document::Document;
use sendready::verify::evidence::stored;
use sendready::verify::judge;
use serde_json::Value;

use crate::zones::{Fixture, fixtures, timeless};

/// The document of a zone; and judged again from what would be stored.
async fn documents(fixture: &Fixture) -> (Value, Value) {
    let resolver = fixture.zone.parse::<ZoneText>().unwrap_or_else(|fault| panic!("{}: {fault}", fixture.name));
    let expectation = fixture.expected().of(fixture.domain());
    let limits = Limits::within(Duration::from_secs(40));
    let checked = checker::check(&resolver, &limits, |evidence| judge::judge(&expectation, evidence)).await;
    let checked = checked.unwrap_or_else(|fault| panic!("{}: {fault}", fixture.name));
    let kept = stored::to_stored(&checked.evidence);
    let again = judge::judge_partly(&expectation, &stored::from_stored(&kept.body).expect("what is stored reads back"));
    let document = |report| timeless(serde_json::to_value(Document::of(report, None)).expect("JSON"));
    (document(&checked.judgement), document(&again))
}

#[tokio::test]
async fn every_zone_gives_its_report() {
    for fixture in fixtures() {
        let (report, again) = documents(&fixture).await;
        fixture.update(&report);
        assert_eq!(report, fixture.report(), "{}", fixture.name);
        assert_eq!(again, report, "{}: a stored check is judged alike", fixture.name);
    }
}
