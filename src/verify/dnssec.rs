//! The DNSSEC state of a domain's zone, as far as recursive servers tell. Advice: it touches no flag.
//!
//! Nothing is asked for it. Whether the zone is signed is told by the NS answer at the domain, which every check has;
//! that it is bogus, by any question in the zone that a server refused for that.
//!
//! # Left out
//!
//! Signatures are not checked here: the word is that of the recursive server (RFC 4035 §3.2.3), over a path that nobody
//! protects. That does for advice. Where its word is missing, the server may simply not look, and the words say so.

use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Evidence, Failure, Question, RecordType};
use crate::verify::finding::Finding;
use crate::verify::finding::zone::ZoneFinding;

/// The most refused questions that the finding repeats.
const QUESTIONS_MAX: usize = 5;

/// The most reasons that the finding repeats.
const REASONS_MAX: usize = 3;

/// The state of `zone`, the zone of `domain`; nothing where nobody could tell.
pub fn state(domain: &Domain, zone: &Name, evidence: &Evidence) -> Option<Finding> {
    let zone = zone.clone();
    let refused = evidence.iter().filter(|(question, replies)| {
        let is_bogus = replies.iter().any(|reply| reply.answer == Answer::Unknown(Failure::Bogus));
        is_bogus && question.name.is_at_or_below(&zone)
    });
    let mut questions: Vec<Question> = refused.map(|(question, _)| question.clone()).collect();
    // Where zones are cut, we ask for our own sake; what receivers ask comes first.
    questions.sort_by_key(|question| question.record_type == RecordType::Ns);
    questions.truncate(QUESTIONS_MAX);
    if !questions.is_empty() {
        let reasons = reasons(&questions, evidence);
        return Some(Finding::Zone(ZoneFinding::DnssecBogus { zone, questions, reasons }));
    }
    let answer = evidence.ask(&Question::new(domain.name().clone(), RecordType::Ns)).ok()?;
    answer.is_definite().then(|| {
        Finding::Zone(match answer.is_authentic() {
            true => ZoneFinding::DnssecSecure { zone },
            false => ZoneFinding::DnssecInsecure { zone },
        })
    })
}

/// Why `questions` were refused, in the servers' own words, each once.
fn reasons(questions: &[Question], evidence: &Evidence) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for reply in questions.iter().flat_map(|question| evidence.through_caches(question)) {
        let reason = reply.extended_error.as_ref().map(ToString::to_string);
        reasons.extend(reason.filter(|reason| reasons.len() < REASONS_MAX && !reasons.contains(reason)));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::evidence::{Denial, ExtendedError, Reply, Vantage};

    const NS: RecordType = RecordType::Ns;
    const TXT: RecordType = RecordType::Txt;

    #[track_caller]
    fn check(why: &str, answers: &[(&str, RecordType, Answer)], expected: Option<&str>) {
        let mut evidence = Evidence::new();
        for (name, record_type, answer) in answers {
            evidence.tell(Question::new(Name::parse(name).unwrap(), *record_type), answer.clone());
        }
        let domain = Domain::parse("m.example.com").unwrap();
        let found = state(&domain, &Name::parse("example.com").unwrap(), &evidence);
        assert_eq!(found.map(|finding| finding.code()), expected, "{why}");
    }

    #[test]
    fn a_server_s_own_reason_is_told() {
        let example = Name::parse("example.com").unwrap();
        let mut evidence = Evidence::new();
        for (question, text) in
            [(Question::txt(&example), "RRSIG of\nlast year"), (Question::new(example.clone(), NS), "")]
        {
            let extended_error = Some(ExtendedError::new(7, text.as_bytes()));
            let answer = Answer::Unknown(Failure::Bogus);
            evidence.add(question, [Reply { vantage: Vantage::Recursive, server: None, answer, extended_error }]);
        }
        let finding = state(&Domain::parse("example.com").unwrap(), &example, &evidence).unwrap();
        let Finding::Zone(ZoneFinding::DnssecBogus { reasons, .. }) = finding else { panic!("not bogus") };
        assert_eq!(reasons, ["Signature Expired (code 7): RRSIG of last year", "Signature Expired (code 7)"]);
    }

    #[test]
    fn states_of_zones() {
        let denied = |authentic| Answer::NoData(Denial { authentic, ..Denial::default() });
        let failed = Answer::Unknown;
        check("never checked", &[], None);
        check("vouched for", &[("m.example.com", NS, denied(true))], Some("dnssec.secure"));
        check("not vouched for", &[("m.example.com", NS, denied(false))], Some("dnssec.insecure"));
        check("a failure is no word", &[("m.example.com", NS, failed(Failure::Servfail))], None);
        check("bogus where it is told", &[("m.example.com", NS, failed(Failure::Bogus))], Some("dnssec.bogus"));
        let one_bogus = [("m.example.com", NS, denied(true)), ("_dmarc.example.com", TXT, failed(Failure::Bogus))];
        check("one bogus answer is enough", &one_bogus, Some("dnssec.bogus"));
        let others = [("m.example.com", NS, denied(true)), ("_spf.example.net", TXT, failed(Failure::Bogus))];
        check("another's zone is not ours", &others, Some("dnssec.secure"));
    }
}
