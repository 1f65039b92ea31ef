//! The records to publish, by name and type, as programs write them.
//!
//! Owns what a form for programs holds and what it leaves out, and the words for the latter: nothing is left out
//! without a word.

use crate::http::export::NOTHING_REQUIRED;
use crate::protocol::master_file;
use crate::protocol::name::Name;
use crate::verify::evidence::RecordType;
use crate::verify::purpose::{Action, Purpose, Verdict};
use crate::verify::report::{RecordReport, Report};

/// A record that has something to publish.
#[derive(Debug, Clone, Copy)]
pub(super) struct Publishable<'r> {
    /// The record.
    pub(super) record: &'r RecordReport,
    /// Its value.
    pub(super) value: &'r str,
}

impl Publishable<'_> {
    /// The value as master files write it, hosts in full with their dot. RFC 1035 §5.1.
    pub(super) fn data(&self) -> String {
        match self.record.record_type {
            RecordType::Txt => master_file::txt(self.value.as_bytes()),
            RecordType::Mx => format!("{} {}.", self.preference(), self.value),
            _ => format!("{}.", self.value),
        }
    }

    /// The preference of a mail exchange. RFC 5321 §5.1.
    pub(super) fn preference(&self) -> u16 {
        self.record.priority.unwrap_or_default()
    }

    /// Whether both are for one place in the zone: there, the one takes the other's place.
    fn stands_for(&self, other: &Publishable<'_>) -> bool {
        let key = |one: &RecordReport| (one.purpose, one.name.clone());
        key(self.record) == key(other.record) && (self.record.purpose != Purpose::Mx || self.value == other.value)
    }
}

/// What has one name and one type: name servers answer it as one, and most programs write it as one.
#[derive(Debug, Clone)]
pub(super) struct RecordSet<'r> {
    /// At least one.
    pub(super) records: Vec<Publishable<'r>>,
    /// The name of all of them.
    pub(super) name: &'r Name,
    /// The type of all of them.
    pub(super) record_type: RecordType,
    /// The shortest time to live of them, for a set has one. In seconds. RFC 2181 §5.2.
    pub(super) ttl_seconds: u32,
}

impl RecordSet<'_> {
    /// Whether all of it is in place.
    pub(super) fn is_in_place(&self) -> bool {
        self.records.iter().all(|one| one.record.action == Action::Keep)
    }

    /// Whether something is known to be at its name that must give way.
    pub(super) fn replaces(&self) -> bool {
        self.records.iter().any(|one| one.record.action == Action::Replace)
    }

    /// Whether something was seen there.
    pub(super) fn is_there(&self) -> bool {
        self.records.iter().any(|one| !one.record.found.is_empty())
    }

    /// Whether nobody has looked what is there.
    pub(super) fn is_unchecked(&self) -> bool {
        self.records.iter().any(|one| one.record.verdict == Verdict::Unchecked)
    }

    /// Whether the name is for this purpose alone, so that nothing else can be in the set. Beside SPF stand texts of
    /// others, such as proofs of ownership; of mail exchanges nobody but the owner knows which are still wanted.
    pub(super) fn is_alone(&self) -> bool {
        self.records.iter().all(|one| matches!(one.record.purpose, Purpose::Dkim | Purpose::Dmarc))
    }

    /// What it is, for a notice: `TXT at example.com`.
    pub(super) fn title(&self) -> String {
        format!("{} at {}", self.record_type, self.name)
    }

    /// Its values as master files write them, for a notice. Printable ASCII.
    pub(super) fn shown(&self) -> String {
        let values: Vec<String> = self.records.iter().map(Publishable::data).collect();
        values.join(", ")
    }
}

/// What programs are told.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'r> {
    /// What to publish, in the order in which people are shown it.
    pub(super) sets: Vec<RecordSet<'r>>,
    /// What no program can be told, one sentence each without the stop. Printable ASCII.
    pub(super) left_out: Vec<String>,
}

impl Wanted<'_> {
    /// The sets of a report, and what cannot be in one.
    ///
    /// Of two records for one place the later counts: it is staged, and does for both.
    pub(super) fn of(report: &Report) -> Wanted<'_> {
        let mut records: Vec<Publishable<'_>> = Vec::new();
        let mut left_out = Vec::new();
        for record in &report.records {
            match publishable(record) {
                Err(why) => left_out.push(why),
                Ok(one) => match records.iter_mut().find(|other| other.stands_for(&one)) {
                    Some(other) => *other = one,
                    None => records.push(one),
                },
            }
        }
        let mut sets: Vec<RecordSet<'_>> = Vec::new();
        for one in records {
            let (name, record_type, ttl_seconds) = (&one.record.name, one.record.record_type, one.record.ttl_seconds);
            match sets.iter_mut().find(|set| set.name == name && set.record_type == record_type) {
                Some(set) => {
                    set.ttl_seconds = set.ttl_seconds.min(ttl_seconds);
                    set.records.push(one);
                }
                None => sets.push(RecordSet { records: vec![one], name, record_type, ttl_seconds }),
            }
        }
        Wanted { sets, left_out }
    }
}

/// Whether a later record is for the same place in the zone, and takes it.
pub(super) fn gives_way(report: &Report, index: usize) -> bool {
    let with_value = |record| publishable(record).ok();
    let Some(one) = report.records.get(index).and_then(with_value) else { return false };
    report.records.iter().skip(index + 1).filter_map(with_value).any(|later| later.stands_for(&one))
}

/// The record with its value, or why there is nothing to write.
fn publishable(record: &RecordReport) -> Result<Publishable<'_>, String> {
    let title = format!("{} ({} at {})", record.purpose, record.record_type, record.name);
    let Some(value) = &record.value else {
        return Err(format!("{title} is left out: {}", NOTHING_REQUIRED.trim_matches(['(', ')'])));
    };
    let is_odd = match record.record_type {
        RecordType::Txt => false,
        _ => !is_plain(value),
    };
    if is_odd || !is_plain(&record.name.to_string()) {
        return Err(format!("{title} is left out: not every program writes such a name alike; enter it by hand"));
    }
    Ok(Publishable { record, value })
}

/// Whether a name is of letters, digits, hyphens and underscores: every program writes those alike.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::export::samples;

    fn titles(report: &Report) -> Vec<String> {
        Wanted::of(report).sets.iter().map(|set| format!("{}: {}", set.title(), set.shown())).collect()
    }

    #[test]
    fn one_name_and_type_is_one_set() {
        let report = samples::report(vec![
            samples::txt(Purpose::Spf, "example.com", "v=spf1 -all"),
            samples::mx(20, "mx2.example.net"),
            samples::txt(Purpose::Dmarc, "_dmarc.example.com", "v=DMARC1; p=none"),
            RecordReport { ttl_seconds: 60, ..samples::mx(10, "mx1.example.net") },
        ]);
        let expected = [
            "TXT at example.com: \"v=spf1 -all\"",
            "MX at example.com: 20 mx2.example.net., 10 mx1.example.net.",
            "TXT at _dmarc.example.com: \"v=DMARC1; p=none\"",
        ];
        assert_eq!(titles(&report), expected);
        let ttls: Vec<u32> = Wanted::of(&report).sets.iter().map(|set| set.ttl_seconds).collect();
        assert_eq!(ttls, [3_600, 60, 3_600], "RFC 2181 §5.2");
    }

    /// Two SPF records at one name are none. RFC 7208 §4.5.
    #[test]
    fn what_is_staged_takes_the_place_of_what_binds() {
        let spf = samples::txt(Purpose::Spf, "example.com", "v=spf1 -all");
        let mx = samples::mx(10, "mx1.example.net");
        let report = samples::report(vec![
            RecordReport { action: Action::Keep, ..spf.clone() },
            RecordReport { value: Some("v=spf1 mx -all".to_owned()), staged: true, ..spf },
            mx.clone(),
            RecordReport { priority: Some(30), staged: true, ..mx },
        ]);
        assert_eq!(
            titles(&report),
            ["TXT at example.com: \"v=spf1 mx -all\"", "MX at example.com: 30 mx1.example.net."]
        );
    }

    #[test]
    fn what_is_left_out_is_said() {
        let spf = samples::txt(Purpose::Spf, "example.com", "v=spf1 -all");
        let report = samples::report(vec![
            RecordReport { value: None, ..spf.clone() },
            samples::txt(Purpose::Dkim, r"a\;b._domainkey.example.com", "v=DKIM1; p="),
            samples::cname("s2._domainkey.example.com", r"a\032b.example.net"),
        ]);
        let wanted = Wanted::of(&report);
        assert!(wanted.sets.is_empty());
        let expected = [
            "spf (TXT at example.com) is left out: nothing is required here; your mail provider knows the value",
            r"dkim (TXT at a\;b._domainkey.example.com) is left out: not every program writes such a name alike; enter it by hand",
            "dkim (CNAME at s2._domainkey.example.com) is left out: not every program writes such a name alike; enter it by hand",
        ];
        assert_eq!(wanted.left_out, expected);
    }
}
