//! What binds and what is shown, on a DNS made of text.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::checker::{Limits, check as gather};
use crate::dns::zone_text::ZoneText;
use crate::protocol::dkim::PublicKey;
use crate::protocol::dmarc::Policy;
use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::verify::expectation::{DkimExpectation, DkimKey, MxExpectation};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn key(letter: &str) -> PublicKey {
    PublicKey::ed25519([letter.as_bytes()[0]; 32])
}

/// `inc:a ip:1 dkim:s1=k dkim:s2 p=reject rua:x mx:10:mx1`; the names are of one provider.
fn required(words: &str) -> Expectation {
    let mut required = Expectation::soundness_of(Domain::parse("example.test").unwrap());
    for word in words.split_whitespace() {
        if let Some(include) = word.strip_prefix("inc:") {
            required.spf.includes.push(name(&format!("{include}.provider.test")));
        } else if let Some(last) = word.strip_prefix("ip:") {
            required.spf.addresses.push(format!("192.0.2.{last}").parse().unwrap());
        } else if let Some(selector) = word.strip_prefix("dkim:") {
            let (selector, key) = match selector.split_once('=') {
                Some((selector, letter)) => (selector, DkimKey::Key(key(letter))),
                None => (selector, DkimKey::Any),
            };
            required.dkim.push(DkimExpectation { selector: name(selector), key });
        } else if let Some(policy) = word.strip_prefix("p=") {
            required.dmarc.policy = Policy::parse(policy);
        } else if let Some(box_) = word.strip_prefix("rua:") {
            required.dmarc.rua.push(format!("mailto:{box_}@example.test"));
        } else if let Some((preference, host)) = word.strip_prefix("mx:").and_then(|mx| mx.split_once(':')) {
            let host = name(&format!("{host}.provider.test"));
            required.mx.push(MxExpectation { host, preference: preference.parse().unwrap() });
        } else {
            panic!("{word}");
        }
    }
    required
}

/// What binds, in the words of [`required`].
fn words(required: &Expectation) -> String {
    let first = |name: &Name| name.to_string().split('.').next().unwrap().to_owned();
    let mut words: Vec<String> =
        required.spf.includes.iter().map(|include| format!("inc:{}", first(include))).collect();
    words.extend(required.spf.addresses.iter().map(|ip| format!("ip:{}", ip.to_string().rsplit_once('.').unwrap().1)));
    words.extend(required.dkim.iter().map(|selector| match &selector.key {
        DkimKey::Key(found) => {
            let letter = ["k", "n"].into_iter().find(|letter| key(letter) == *found).unwrap();
            format!("dkim:{}={letter}", selector.selector)
        }
        _ => format!("dkim:{}", selector.selector),
    }));
    words.extend(required.dmarc.policy.map(|policy| format!("p={}", policy.as_str())));
    words.extend(required.dmarc.rua.iter().map(|uri| format!("rua:{}", &uri[7..uri.find('@').unwrap()])));
    words.extend(required.mx.iter().map(|mx| format!("mx:{}:{}", mx.preference, first(&mx.host))));
    words.join(" ")
}

/// A zone of the words that [`required`] has, each published; `p=` always, `?` makes a purpose's question fail.
fn zone(published: &str) -> ZoneText {
    let mut spf = "v=spf1".to_owned();
    let mut dmarc = "v=DMARC1".to_owned();
    let mut lines = Vec::new();
    for word in published.split_whitespace() {
        if let Some(include) = word.strip_prefix("inc:") {
            spf += &format!(" include:{include}.provider.test");
        } else if let Some(last) = word.strip_prefix("ip:") {
            spf += &format!(" ip4:192.0.2.{last}");
        } else if let Some((selector, letter)) = word.strip_prefix("dkim:").and_then(|one| one.split_once('=')) {
            lines.push(format!("{selector}._domainkey TXT \"{}\"", key(letter).to_record_value()));
        } else if let Some(policy) = word.strip_prefix("p=") {
            dmarc += &format!("; p={policy}");
        } else if let Some(box_) = word.strip_prefix("rua:") {
            dmarc += &format!("; rua=mailto:{box_}@example.test");
        } else if let Some((preference, host)) = word.strip_prefix("mx:").and_then(|mx| mx.split_once(':')) {
            lines.push(format!("@ MX {preference} {host}.provider.test."));
        } else if let Some(question) = word.strip_prefix('?') {
            lines.push(format!(";@ servfail {question} *"));
        } else {
            panic!("{word}");
        }
    }
    let (lines, provider) =
        (lines.join("\n"), "a TXT \"v=spf1 ip4:198.51.100.1 -all\"\nb TXT \"v=spf1 ip4:198.51.100.2 -all\"");
    let text = format!(
        "$ORIGIN example.test.\n$TTL 300\n@ SOA ns1 h 1 1 1 1 60\n@ NS ns1\nns1 A 192.0.2.53\n\
         @ TXT \"{spf} -all\"\n_dmarc TXT \"{dmarc}\"\n{lines}\n\
         $ORIGIN provider.test.\n@ SOA ns1.example.test. h 1 1 1 1 60\n@ NS ns1.example.test.\n{provider}\n\
         mx1 A 8.8.8.8\nmx2 A 8.8.4.4\n"
    );
    let zone: ZoneText = text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"));
    zone.clone().with_server("192.0.2.53".parse().unwrap(), zone)
}

/// Judges a domain on a DNS; and, the answers being kept, once more.
fn judged(staging: &Staging, dns: &ZoneText) -> Judged {
    let limits = Limits::within(Duration::from_secs(40));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let checked = runtime.block_on(gather(dns, &limits, |evidence| judge(staging, evidence))).unwrap();
    let judged = checked.judgement;
    let settled = Staging::of(judged.binding.clone(), staging.wanted.clone());
    assert_eq!(judge_partly(&settled, &checked.evidence), judged.report, "shown as it was judged");
    judged
}

/// `purpose verdict` of every record, `+` before what is staged; then what binds.
fn shown(judged: &Judged) -> String {
    let each = judged.report.records.iter().map(|record| {
        let staged = if record.staged { "+" } else { "" };
        let label = match record.purpose {
            Purpose::Dkim => record.name.to_string().split('.').next().unwrap().to_owned(),
            Purpose::Mx => record.value.as_ref().map_or("mx", |host| host.split('.').next().unwrap()).to_owned(),
            purpose => purpose.to_string(),
        };
        format!("{staged}{label}:{}", record.verdict)
    });
    each.collect::<Vec<_>>().join(" ")
}

/// A domain of which all of `before` binds is required to do `after`, and checked on what is `published`.
#[track_caller]
fn check(why: &str, before: &str, after: &str, published: &str, binds: &str, expected: &str) {
    let staging = Staging::bound(required(before)).changed(required(after));
    let judged = judged(&staging, &zone(published));
    assert_eq!(words(&judged.binding), binds, "{why}: what binds");
    let interesting: Vec<String> = shown(&judged)
        .split(' ')
        .filter(|word| !["spf:valid", "dmarc:valid"].contains(word))
        .map(str::to_owned)
        .collect();
    assert_eq!(interesting.join(" "), expected, "{why}");
}

const REST: &str = "p=none mx:10:mx1";

#[test]
fn a_rotation() {
    let check = |why, before, after, published: &str, binds, expected| {
        check(why, before, after, &format!("{published} {REST}"), binds, expected);
    };
    let (old, both) = ("dkim:s1=k", "dkim:s1=k dkim:s2=n");
    check("s2 is staged", old, both, old, old, "s1:valid +s2:missing mx:valid");
    check("it binds when it is there", old, both, both, both, "s1:valid s2:valid mx:valid");
    check("unknown is not there", old, both, "dkim:s1=k ?s2._domainkey", old, "s1:valid +s2:unknown mx:valid");
    check("s1 is let go at once", both, "dkim:s2=n", both, "dkim:s2=n", "s2:valid mx:valid");
    check("even when it is gone", both, "dkim:s2=n", "dkim:s2=n", "dkim:s2=n", "s2:valid mx:valid");
    check("in one step", old, "dkim:s2=n", old, old, "s1:valid +s2:missing mx:valid");
    check("and done", old, "dkim:s2=n", both, "dkim:s2=n", "s2:valid mx:valid");
    check("the old one is still looked at", old, "dkim:s2=n", "", old, "s1:missing +s2:missing mx:valid");
    check("another key", old, "dkim:s1=n", old, old, "s1:valid +s1:mismatch mx:valid");
    check("published in its place", old, "dkim:s1=n", "dkim:s1=n", "dkim:s1=n", "s1:valid mx:valid");
    check(
        "each by itself",
        old,
        "dkim:s2=n dkim:s3=n",
        both,
        "dkim:s1=k dkim:s2=n",
        "s1:valid s2:valid +s3:missing mx:valid",
    );
    check("nothing is asked any more", old, "", old, "", "_domainkey:unchecked mx:valid");
}

#[test]
fn one_record_for_many() {
    let rest = "dkim:s1=k p=none mx:10:mx1";
    let check = |why, before: &str, after: &str, published: &str, binds: &str, expected: &str| {
        let with = |words: &str| format!("{words} dkim:s1=k").trim().to_owned();
        check(why, &with(before), &with(after), &format!("{published} {rest}"), &with(binds), expected);
    };
    let here = "s1:valid mx:valid";
    check("an include is staged", "inc:a", "inc:a inc:b", "inc:a", "inc:a", &format!("+spf:mismatch {here}"));
    check("and binds", "inc:a", "inc:a inc:b", "inc:a inc:b", "inc:a inc:b", here);
    check("one of two", "inc:a", "inc:a inc:b ip:9", "inc:a inc:b", "inc:a inc:b", &format!("+spf:mismatch {here}"));
    check("another one", "inc:a", "inc:b", "inc:a", "inc:a", &format!("+spf:mismatch {here}"));
    check("swapped", "inc:a", "inc:b", "inc:b", "inc:b", here);
    check("less at once", "inc:a inc:b", "inc:a", "inc:a", "inc:a", here);
    check("nothing any more", "inc:a", "", "ip:7", "", here);
    check(
        "nobody could tell",
        "inc:a",
        "inc:a inc:b",
        "inc:a ?@",
        "inc:a",
        "spf:unknown +spf:unknown s1:valid mx:unknown",
    );
}

#[test]
fn a_policy() {
    let rest = "dkim:s1=k mx:10:mx1";
    let check = |why, before: &str, after: &str, published: &str, binds: &str, expected: &str| {
        let with = |words: &str| format!("dkim:s1=k {words}").trim().to_owned();
        check(why, &with(before), &with(after), &format!("{published} {rest}"), &with(binds), expected);
    };
    check("a stronger one is staged", "p=none", "p=reject", "p=none", "p=none", "s1:valid +dmarc:mismatch mx:valid");
    check("and binds", "p=none", "p=reject", "p=reject", "p=reject", "s1:valid mx:valid");
    check("a weaker one binds at once", "p=reject", "p=none", "p=none", "p=none", "s1:valid mx:valid");
    check(
        "unless nobody can tell",
        "",
        "p=none",
        "p=none ?_dmarc",
        "",
        "s1:valid dmarc:unknown +dmarc:unknown mx:valid",
    );
    check("reports", "", "rua:x", "p=none", "", "s1:valid +dmarc:mismatch mx:valid");
    check("reports come", "", "rua:x", "p=none rua:x", "rua:x", "s1:valid mx:valid");
}

#[test]
fn exchanges() {
    let check = |why, before: &str, after: &str, published: &str, binds: &str, expected: &str| {
        let with = |words: &str| format!("dkim:s1=k {words}").trim().to_owned();
        check(why, &with(before), &with(after), &format!("{published} dkim:s1=k p=none"), &with(binds), expected);
    };
    let (one, other, both) = ("mx:10:mx1", "mx:20:mx2", "mx:10:mx1 mx:20:mx2");
    check("another is staged", one, both, one, one, "s1:valid mx1:valid +mx2:missing");
    check("and binds", one, both, both, both, "s1:valid mx1:valid mx2:valid");
    check("one where any did", "", one, other, "", "s1:valid mx:valid +mx1:missing");
    check(
        "a host that is no longer required would be a foreign one, and preferred",
        both,
        other,
        both,
        both,
        "s1:valid mx1:valid mx2:valid +mx2:mismatch",
    );
    check("until it is gone", both, other, other, other, "s1:valid mx2:valid");
    check("the last goes with it", both, one, both, one, "s1:valid mx1:valid");
}

/// Whoever mends what binds must not be told to publish a second record at the same name.
#[test]
fn one_name_one_value() {
    let staging =
        Staging::bound(required("inc:a dkim:s1=k p=quarantine")).changed(required("inc:b dkim:s1=n p=reject"));
    let broken = judged(&staging, &zone("p=none mx:10:mx1"));
    let values = |judged: &Judged, staged: bool| -> Vec<(Option<String>, &'static str)> {
        let records = judged.report.records.iter().filter(|record| record.staged == staged);
        let records = records.filter(|record| record.purpose != Purpose::Mx);
        records.map(|record| (record.value.clone(), record.action.as_str())).collect()
    };
    assert_eq!(values(&broken, false), values(&broken, true));
    assert!(values(&broken, true)[0].0.as_ref().unwrap().contains("include:b.provider.test"), "{broken:?}");
    let sound = judged(&staging, &zone("inc:a dkim:s1=k p=quarantine mx:10:mx1"));
    assert!(values(&sound, false).iter().all(|(_, action)| *action == "keep"), "{sound:?}");
    assert_eq!(
        values(&sound, true)[0],
        (Some("v=spf1 include:b.provider.test include:a.provider.test -all".to_owned()), "replace")
    );
    assert_eq!(sound.report.spf.as_ref().unwrap().suggested_record, values(&sound, true)[0].0);
}

#[test]
fn what_bound_is_told_once() {
    let staging = Staging::bound(required("inc:a dkim:s1=k")).changed(required("inc:a inc:b dkim:s1=k dkim:s2=n"));
    let dns = zone("inc:a inc:b dkim:s1=k dkim:s2=n p=none mx:10:mx1");
    let first = judged(&staging, &dns);
    let told: Vec<String> = first.bound.iter().map(|record| format!("{} {}", record.purpose, record.name)).collect();
    assert_eq!(told, ["spf example.test", "dkim s2._domainkey.example.test"]);
    let next = Staging::of(first.binding, staging.wanted.clone());
    assert!(!next.is_open());
    assert_eq!(judged(&next, &dns).bound, []);
}

/// The text to publish where there is none is judged by nothing, and the order of a list is nothing.
#[test]
fn what_is_the_same() {
    let mut wanted = required("inc:a inc:b dkim:s1=k dkim:s2=n rua:x rua:y mx:10:mx1 mx:20:mx2");
    let binding = required("inc:b inc:a dkim:s2=n dkim:s1=k rua:y rua:x mx:20:mx2 mx:10:mx1");
    wanted.dmarc.record = Some(Default::default());
    wanted.ttl_seconds = 60;
    assert!(!Staging::of(binding, wanted.clone()).is_open());
    assert!(Staging::of(required("inc:a"), wanted).is_open());
}

const WORDS: [&str; 15] = [
    "inc:a",
    "inc:b",
    "ip:1",
    "ip:2",
    "dkim:s1=k",
    "dkim:s1=n",
    "dkim:s2=n",
    "dkim:s3=k",
    "p=none",
    "p=reject",
    "rua:x",
    "mx:10:mx1",
    "mx:20:mx1",
    "mx:10:mx2",
    "mx:20:mx2",
];

/// Some words, no two of one selector, policy or host.
fn some_words() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<bool>(), WORDS.len()).prop_map(|chosen| {
        let mut seen = Vec::new();
        let words = WORDS.iter().zip(chosen).filter(|(word, is_chosen)| {
            let key = match word.split_once('=') {
                Some((key, _)) => key,
                None if word.starts_with("mx:") => &word[6..],
                None => word,
            };
            *is_chosen && !seen.contains(&key) && {
                seen.push(key);
                true
            }
        });
        words.map(|(word, _)| *word).collect::<Vec<_>>().join(" ")
    })
}

fn broken() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 1 => Just("?@"), 1 => Just("?_dmarc"), 1 => Just("?s1._domainkey"), 1 => Just("?s2._domainkey")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Truth rule 8: on the same DNS, no change of requirements makes a verdict fail that did not fail before it.
    #[test]
    fn no_change_of_requirements_demotes(
        first in some_words(), others in proptest::collection::vec(some_words(), 1..4), published in some_words(), broken in broken(),
    ) {
        let dns = zone(&format!("{published} {broken}"));
        let mut staging = Staging::bound(required(&first));
        let mut before = judged(&staging, &dns);
        for after in others {
            staging = staging.changed(required(&after));
            let now = judged(&staging, &dns);
            for purpose in Purpose::ALL {
                let (was, is) = (before.report.verdict(purpose), now.report.verdict(purpose));
                prop_assert!(was.is_failure() || !is.is_failure(), "{purpose}: {was} became {is} by `{after}`\n{}", shown(&now));
                let wanted = now.report.records.iter().filter(|record| record.purpose == purpose && record.staged);
                for record in wanted {
                    prop_assert!(purpose != Purpose::Dkim || record.verdict != Verdict::Valid, "valid, and does not bind: {record:?}");
                }
            }
            staging = Staging::of(now.binding.clone(), staging.wanted.clone());
            let again = judged(&staging, &dns);
            prop_assert_eq!(shown(&again), shown(&now), "a second look shows the same");
            prop_assert!(again.bound.is_empty());
            before = again;
        }
    }
}
