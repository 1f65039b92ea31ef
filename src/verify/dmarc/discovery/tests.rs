//! Tables for the tree walk.

use super::*;
use crate::verify::evidence::{Failure, Found};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Answers as a zone of these lines would: `name type text`; `servfail` fails.
pub(super) fn evidence_of(start: &str, zone: &str) -> Evidence {
    let mut evidence = Evidence::new();
    for _ in 0..30 {
        let Err(needs) = discover(&name(start), &evidence) else { return evidence };
        let crate::verify::step::Step::Need(questions) = Err::<(), _>(needs).into() else { break };
        for question in questions {
            let mut records = Vec::new();
            let mut failed = false;
            for line in zone.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
                let mut fields = line.splitn(3, ' ');
                let (owner, kind, data) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap_or(""));
                if name(owner) != question.name {
                    continue;
                }
                match (kind, question.record_type) {
                    ("servfail", _) => failed = true,
                    ("TXT", RecordType::Txt) => records.push(RecordData::Txt(Txt::of(data))),
                    ("A", RecordType::A) => records.push(RecordData::A(data.parse().unwrap())),
                    _ => {}
                }
            }
            let answer = match records.is_empty() {
                _ if failed => Answer::Unknown(Failure::Servfail),
                true => NOTHING.clone(),
                false => Answer::Found(Found { records, ttl_seconds: 60, aliases: Vec::new(), authentic: false }),
            };
            evidence.tell(question, answer);
        }
    }
    panic!("the walk does not end");
}

/// `policy at organizational-domain`.
#[track_caller]
fn check(why: &str, start: &str, zone: &str, expected: &str) {
    let evidence = evidence_of(start, zone);
    let found = discover(&name(start), &evidence).unwrap();
    let text = |name: &Option<Name>| name.as_ref().map_or("-".to_owned(), ToString::to_string);
    let policy = found.effective_policy.map_or("-".to_owned(), |policy| policy.to_string());
    let failed = if found.failed.is_empty() { "" } else { " failed" };
    assert_eq!(
        format!("{policy} {} {}{failed}", text(&found.at), text(&found.organizational_domain)),
        expected,
        "{why}"
    );
    assert_eq!(found.found, found.effective_policy.is_some(), "{why}");
}

#[test]
fn the_policy_of_a_name() {
    let own = "_dmarc.example.com TXT v=DMARC1; p=reject";
    check("its own", "example.com", own, "reject _dmarc.example.com example.com");
    check("nothing anywhere", "example.com", "", "- - example.com");
    check("of the name above, §4.10.1", "mail.example.com", own, "reject _dmarc.example.com example.com");
    let weak = "_dmarc.example.com TXT v=DMARC1; p=reject; sp=none";
    check("sp is for names below", "mail.example.com", weak, "none _dmarc.example.com example.com");
    check("and not for the domain", "example.com", weak, "reject _dmarc.example.com example.com");
    let both = "_dmarc.example.com TXT v=DMARC1; p=none\n_dmarc.a.example.com TXT v=DMARC1; p=reject";
    check("the own one first", "a.example.com", both, "reject _dmarc.a.example.com example.com");
    check("not the nearest but the highest, §4.10.2", "b.a.example.com", both, "none _dmarc.example.com example.com");
    let split = format!("{both}; psd=n");
    check("psd=n ends the walk", "b.a.example.com", &split, "reject _dmarc.a.example.com a.example.com");
    let psd = "_dmarc.com TXT v=DMARC1; p=reject; sp=quarantine; psd=y";
    check("a public suffix, one label below", "a.example.com", psd, "quarantine _dmarc.com example.com");
    check(
        "its own record goes first",
        "example.com",
        &format!("{psd}\n{own}"),
        "reject _dmarc.example.com example.com",
    );
    check("psd=y where the walk began", "com", psd, "reject _dmarc.com com");
    let middle = format!("{psd}\n_dmarc.b.example.com TXT v=DMARC1; p=none");
    check("neither organizational nor suffix", "a.b.example.com", &middle, "quarantine _dmarc.com example.com");
}

#[test]
fn what_counts_as_a_record() {
    let above = "_dmarc.example.com TXT v=DMARC1; p=quarantine";
    let with = |own: &str| format!("{above}\n_dmarc.a.example.com TXT {own}");
    let inherited = "quarantine _dmarc.example.com example.com";
    check("other texts are passed over", "a.example.com", &with("v=spf1 -all"), inherited);
    check("another version", "a.example.com", &with("v=DMARC1x; p=reject"), inherited);
    let two = format!("{}\n_dmarc.a.example.com TXT v=DMARC1; p=none", with("v=DMARC1; p=reject"));
    check("several are none, §4.10", "a.example.com", &two, inherited);
    let none = with("v=DMARC1; sp=reject");
    check("one without policy ends discovery, §4.10.1", "a.example.com", &none, "- _dmarc.a.example.com example.com");
    let assumed = with("v=DMARC1; rua=mailto:a@example.com");
    check("rua alone is p=none", "a.example.com", &assumed, "none _dmarc.a.example.com example.com");
    let tested = with("v=DMARC1; p=reject; t=y");
    check("t=y takes a level off", "a.example.com", &tested, "quarantine _dmarc.a.example.com example.com");
}

#[test]
fn names_that_do_not_exist() {
    let np = "_dmarc.example.com TXT v=DMARC1; p=reject; sp=none; np=quarantine";
    check("np", "a.example.com", np, "quarantine _dmarc.example.com example.com");
    check("sp", "a.example.com", &format!("{np}\na.example.com A 192.0.2.1"), "none _dmarc.example.com example.com");
    let silent = format!("{np}\na.example.com servfail");
    check("nobody could tell", "a.example.com", &silent, "- _dmarc.example.com example.com failed");
    check(
        "no difference, no question",
        "a.example.com",
        &silent.replace("np=quarantine", "np=none"),
        "none _dmarc.example.com example.com",
    );
}

#[test]
fn failure_is_not_absence() {
    check("at the name", "example.com", "_dmarc.example.com servfail", "- - - failed");
    check("above it", "a.example.com", "_dmarc.example.com servfail", "- - - failed");
    let own = "_dmarc.a.example.com TXT v=DMARC1; p=reject\n_dmarc.example.com servfail";
    check("above one that has its own", "a.example.com", own, "reject _dmarc.a.example.com -");
    let ended = own.replace("p=reject", "p=reject; psd=n");
    check("behind the end", "a.example.com", &ended, "reject _dmarc.a.example.com a.example.com");
}

#[test]
fn the_walk_asks_at_most_eight_names() {
    let asked = |start: &str| {
        let found = discover(&name(start), &evidence_of(start, "")).unwrap();
        found.asked.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(asked("example.com"), ["_dmarc.example.com", "_dmarc.com"]);
    assert_eq!(asked("a.b.c.d.e.f.example.com").len(), 8, "eight labels");
    // The example of RFC 9989 §4.10.
    assert_eq!(
        asked("a.b.c.d.e.f.g.h.i.j.mail.example.com"),
        [
            "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "_dmarc.g.h.i.j.mail.example.com",
            "_dmarc.h.i.j.mail.example.com",
            "_dmarc.i.j.mail.example.com",
            "_dmarc.j.mail.example.com",
            "_dmarc.mail.example.com",
            "_dmarc.example.com",
            "_dmarc.com",
        ]
    );
    let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(60));
    assert_eq!(asked(&long).len(), 3, "no `_dmarc` fits before the name itself");
}
