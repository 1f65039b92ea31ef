//! Us against other implementations: what they answered to the published cases when they were recorded.
//!
//! Where two of them agree and we say otherwise, the case stands in a table with the reason, or the test fails. The
//! answers are recorded (field `oracles`), for running the others would bring five languages and a second TLS stack in.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{dkim, dmarc, lines_of, spf};

/// Both sides have libraries on them; the suite decides.
const SPF_SUITE: &str = "the suite of RFC 7208 says as we do, and so do two or three of the five libraries";
/// `valid` of ours means that a reader of RFC 9989 gets a policy.
const DMARC_POLICY: &str =
    "RFC 9989 §4.7, §4.10.1: a bad `p` or `sp` without `rua` leaves no policy; the two do not look at the value";
const DMARC_REPORTS: &str = "RFC 9989 §4.10.1: with a bad `sp` beside `rua` the record counts as `p=none`, and is used";
const DMARC_NO_POLICY: &str =
    "there is no `p` and no `rua`, so there is nothing to apply (RFC 9989 §4.10.1); RFC 7489 §6.3 requires `p`, too";
const DMARC_DEFAULT: &str =
    "RFC 9989 §4.8: a bad value falls to its default, and what is no tag is discarded; the policy stands";
const DMARC_TWICE: &str = "RFC 6376 §3.2 by RFC 9989 §4.8: a tag that stands twice makes the list invalid; three libraries take one of the two";
const DMARC_VALUE: &str =
    "the value is not one that the tag has (RFC 9989 §4.7, RFC 7489 §6.3); the libraries that agree do not look at it";
const SHORT_KEY: &str =
    "the key has 512 bits, which RFC 8301 §3.2 forbids; the libraries leave the size to their callers";
const WRONG_KEY: &str =
    "what stands in `p=` is no key of the kind that `k=` says (RFC 8463 §4); the two libraries do not decode it";

/// Cases where two others agree and we differ, and why. A line that is no longer needed fails the test.
const OTHERWISE: &[(&str, &str)] = &[
    ("rfc7208/003-emptylabel", SPF_SUITE),
    ("rfc7208/008-non-ascii-policy", SPF_SUITE),
    (
        "rfc7208/030-multispf1",
        "RFC 7208 §4.5: two records are a permerror, equal ones too; the suite lets both results stand",
    ),
    ("rfc7208/035-modifier-charset-good", SPF_SUITE),
    ("rfc7208/039-redirect-after-mechanisms2", SPF_SUITE),
    ("rfc7208/042-invalid-domain", SPF_SUITE),
    (
        "rfc7208/044-invalid-domain-long",
        "RFC 7208 §4.8: a name that cannot be asked about does not match; it is no failure of DNS",
    ),
    (
        "rfc7208/045-invalid-domain-long-via-macro",
        "RFC 7208 §4.8: a name that cannot be asked about does not match; it is no failure of DNS",
    ),
    ("rfc7208/079-a-numeric", SPF_SUITE),
    ("rfc7208/080-a-numeric-toplabel", SPF_SUITE),
    ("rfc7208/083-a-only-toplabel", SPF_SUITE),
    ("rfc7208/084-a-only-toplabel-trailing-dot", SPF_SUITE),
    ("rfc7208/111-mx-numeric-top-label", SPF_SUITE),
    ("rfc7208/128-cidr4-032", SPF_SUITE),
    ("rfc7208/135-cidr6-0-ip4", "RFC 7208 §5: an IPv4 client never matches `ip6`; two libraries let `/0` match it"),
    ("rfc7208/136-cidr6-ip4", "RFC 7208 §5: an IPv4 client never matches `ip6`, also where it comes mapped into IPv6"),
    (
        "rfc7208/156-exp-syntax-error",
        "RFC 7208 §4.6: a term that breaks the grammar spoils the record, `exp` too; the suite says so",
    ),
    ("rfc7208/157-exp-twice", "RFC 7208 §6: `exp` twice is a permerror; the suite says so"),
    (
        "rfc7208/169-exp-only-macro-char",
        "RFC 7208 §7.2: `%{r}` belongs into the text of an explanation only; the suite says so",
    ),
    ("rfc7208/173-macro-mania-in-domain", SPF_SUITE),
    (
        "rfc7208/194-ptr-limit",
        "RFC 7208 §4.6.4 looks at ten names of eleven and does not say which; the suite lets both results stand",
    ),
    ("rfc7208/201-void-over-limit", SPF_SUITE),
    ("dkim/mox-parse/06", WRONG_KEY),
    ("dkim/mail-dkim/badkey1-ed25519", WRONG_KEY),
    ("dkim/mail-dkim/goodkey-1", SHORT_KEY),
    ("dkim/mail-dkim/goodkey-3", SHORT_KEY),
    ("dkim/mail-dkim/badkey-7", SHORT_KEY),
    ("dkim/mail-dkim/badkey-12", SHORT_KEY),
    ("dmarc/mox-parse-bad/12", DMARC_NO_POLICY),
    ("dmarc/mox-parse-bad/17", DMARC_NO_POLICY),
    ("dmarc/mox-parse-bad/19", DMARC_NO_POLICY),
    ("dmarc/mox-parse-bad/23", DMARC_NO_POLICY),
    ("dmarc/mox-parse-bad/24", DMARC_NO_POLICY),
    ("dmarc/mox-parse-bad/28", DMARC_NO_POLICY),
    ("dmarc/mox-parse-valid/02", DMARC_REPORTS),
    ("dmarc/mox-lookup/05", DMARC_DEFAULT),
    ("dmarc/mail-dmarc-bad/np-rejection", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/psd-no", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/adkim-strict", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/aspf-relaxed", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/fo-11", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/fo-ss", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/ri-4294967296", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/pct-1", DMARC_VALUE),
    ("dmarc/mail-dmarc-bad/pct-101", DMARC_VALUE),
    ("dmarc/mail-dmarc-wild-unhandled/02", "RFC 9989 §4.7: `DMARC1` to the letter; here it is `dmarc1`"),
    ("dmarc/mail-dmarc-is-valid/02", "RFC 9989 §4.7: `DMARC1` to the letter; here it is `DMARC1\\`"),
    ("dmarc/mailcheck-adkim/12-adkimwithinvalidvalue", DMARC_DEFAULT),
    ("dmarc/mailcheck-adkim/13-adkimshouldonlyappearonce", DMARC_TWICE),
    ("dmarc/mailcheck-failureoption/13-failureoptionwithinvalidvalue", DMARC_DEFAULT),
    ("dmarc/mailcheck-failureoption/19-failureoptionshouldonlyappearo", DMARC_TWICE),
    ("dmarc/mailcheck-reportformat/09-reportformatshouldonlyappearon", DMARC_TWICE),
    ("dmarc/mailcheck-rua/11-ruashouldonlyappearonce", DMARC_TWICE),
    ("dmarc/mailcheck-ruf/11-rufshouldonlyappearonce", DMARC_TWICE),
    ("dmarc/mailcheck-subdomainpolicy/13-subdomainpolicywithinvalidvalu", DMARC_POLICY),
    ("dmarc/mailcheck-subdomainpolicy/16-subdomainpolicywithinvalidvalu", DMARC_POLICY),
    ("dmarc/checkdmarc-dmarc/dmarcsyntaxerror-1", DMARC_DEFAULT),
    ("dmarc/checkdmarc-dmarc/dmarcduplicatetags-1", DMARC_TWICE),
    ("dmarc/checkdmarc-dmarc/dmarcinvalidspvalue-1", DMARC_POLICY),
    (
        "dmarc/mailauth-9989/04-discards-the-record-set-when-multiple-dmarc-record",
        "RFC 9989 §4.10: several records are none",
    ),
    ("dmarc/trailofbits-parse/09-1", DMARC_DEFAULT),
    ("dmarc/authheaders/02-dmarc-bad", DMARC_DEFAULT),
    ("dmarc/authheaders/09-dmarc-no-p", DMARC_NO_POLICY),
];

#[test]
fn spf_results() {
    let word = |answer: &Value| {
        let words = ["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"];
        answer.as_str().filter(|word| words.contains(word)).map(str::to_owned)
    };
    compare("rfc7208_cases.jsonl", |case| Some(spf::outcome(case)?.result.to_string()), |_, answer| word(answer));
}

#[test]
fn dkim_keys() {
    // `cryptography` reads keys, not records.
    let valid = |who: &str, answer: &Value| answer["valid"].as_bool().filter(|_| who != "cryptography");
    compare("dkim_cases.jsonl", dkim::is_valid, valid);
}

#[test]
fn dmarc_records() {
    let found = |_: &str, answer: &Value| {
        // One library gives a text with the record in it, or `None`.
        let record = answer["record"].as_str().map(|record| !record.starts_with("(None"));
        answer["found"].as_bool().or_else(|| answer["valid"].as_bool()).or(record)
    };
    compare("dmarc_cases.jsonl", dmarc::is_valid, found);
}

/// Compares what we say of each case of a file with what at least two others say.
fn compare<T: Ord + std::fmt::Debug>(
    file: &str,
    ours: impl Fn(&Value) -> Option<T>,
    theirs: impl Fn(&str, &Value) -> Option<T>,
) {
    let Some(cases) = lines_of(file) else { return };
    let mut otherwise: BTreeMap<&str, &str> = OTHERWISE.iter().copied().collect();
    let prefix = file.trim_end_matches("_cases.jsonl");
    otherwise.retain(|id, _| id.starts_with(prefix));
    let (mut wrong, mut compared, mut differ) = (Vec::new(), 0, 0);
    for case in &cases {
        let id = case["id"].as_str().expect("every case has an id");
        let Some(ours) = ours(case) else { continue };
        let mut votes: BTreeMap<T, Vec<&str>> = BTreeMap::new();
        for (who, answer) in case["oracles"].as_object().into_iter().flatten() {
            if let Some(said) = theirs(who, answer) {
                votes.entry(said).or_default().push(who);
            }
        }
        compared += 1;
        let against: Vec<_> = votes.iter().filter(|(said, who)| **said != ours && who.len() >= 2).collect();
        differ += usize::from(!against.is_empty());
        match (against.is_empty(), otherwise.remove(id)) {
            (false, None) => {
                wrong.push(format!("{id}: we say {ours:?}, others {against:?}, the source {}", case["expected"]));
            }
            (true, Some(_)) => wrong.push(format!("{id}: no two differ; take it off the list")),
            _ => {}
        }
    }
    wrong.extend(otherwise.keys().map(|id| format!("{id}: no such case")));
    eprintln!("{prefix}: {compared} cases compared, {differ} where two others agree against us");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
