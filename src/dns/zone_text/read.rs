//! The entries of a master file (RFC 1035 §5.1) read into zones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::dns::zone_text::entry::{Entry, Kind, Word, entries};
use crate::dns::zone_text::{Fault, TTL_SECONDS, Zone, ZoneText, ZoneTextFault};
use crate::protocol::name::Name;
use crate::verify::evidence::{Authority, Failure, RecordData, RecordType, Txt};

/// Reads a whole text.
///
/// # Errors
///
/// [`ZoneTextFault`] with the line of the first fault.
pub(super) fn read(text: &str) -> Result<ZoneText, ZoneTextFault> {
    let mut reader = Reader {
        zone: Zone::new(Name::root()),
        done: BTreeMap::new(),
        faults: BTreeMap::new(),
        secure: BTreeSet::new(),
        origin: Name::root(),
        owner: None,
        ttl_default: None,
        ttl_before: TTL_SECONDS,
    };
    for entry in entries(text)? {
        reader.entry(&entry).map_err(|fault| ZoneTextFault { line: entry.line, fault })?;
    }
    reader.close_zone();
    let mut zones = reader.done;
    for zone in zones.values_mut() {
        zone.mark_empty_names();
    }
    Ok(ZoneText { zones, faults: reader.faults, secure: reader.secure, servers: BTreeMap::new() })
}

struct Reader {
    /// The zone that records now belong to: the one of the last SOA.
    zone: Zone,
    done: BTreeMap<Name, Zone>,
    faults: BTreeMap<(Name, Option<RecordType>), Failure>,
    secure: BTreeSet<Name>,
    origin: Name,
    owner: Option<Name>,
    ttl_default: Option<u32>,
    /// The last TTL that was stated; it counts where `$TTL` does not stand. RFC 1035 §5.1.
    ttl_before: u32,
}

impl Reader {
    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let mut words = Words { words: entry.words.iter() };
        match entry.kind {
            Kind::Play => return self.play(&mut words),
            Kind::SameOwner => {}
            Kind::Plain => match words.next()? {
                Word { text: "$ORIGIN", quoted: false } => {
                    self.origin = words.name(&self.origin)?;
                    return words.end();
                }
                Word { text: "$TTL", quoted: false } => {
                    let word = words.next()?;
                    self.ttl_default = Some(seconds(word.text).ok_or_else(|| Fault::Number(word.text.to_owned()))?);
                    return words.end();
                }
                word if word.text.starts_with('$') => return Err(Fault::Directive(word.text.to_owned())),
                word => self.owner = Some(name(word.text, &self.origin)?),
            },
        }
        let owner = self.owner.clone().ok_or(Fault::NoOwner)?;
        let (record_type, ttl) = self.type_and_ttl(&mut words)?;
        let (data, negative) = self.data(record_type, &mut words)?;
        words.end()?;
        if let Some(minimum_seconds) = negative {
            self.open_zone(&owner, ttl.min(minimum_seconds))?;
        }
        if !owner.is_at_or_below(&self.zone.apex) {
            return Err(Fault::OutOfZone { owner, apex: self.zone.apex.clone() });
        }
        self.zone.add(owner, record_type, data, ttl)
    }

    /// `;@ servfail www TXT`: what is asked of this name and type fails in this way. `;@ secure @`: all below is authentic.
    fn play(&mut self, words: &mut Words<'_, '_>) -> Result<(), Fault> {
        let word = words.next()?;
        if word.text == "secure" {
            self.secure.insert(words.name(&self.origin)?);
            return words.end();
        }
        let failure = Failure::ALL
            .into_iter()
            .find(|failure| failure.outcome() == word.text)
            .ok_or_else(|| Fault::Failure(word.text.to_owned()))?;
        let owner = words.name(&self.origin)?;
        let record_type = match words.next()?.text {
            "*" => None,
            text => Some(record_type(text).ok_or_else(|| Fault::Type(text.to_owned()))?),
        };
        words.end()?;
        self.faults.insert((owner, record_type), failure);
        Ok(())
    }

    /// `[TTL] [class] type`, or `[class] [TTL] type`.
    fn type_and_ttl(&mut self, words: &mut Words<'_, '_>) -> Result<(RecordType, u32), Fault> {
        let mut ttl = None;
        // A TTL, a class and a type; a fourth word is none of them.
        for _ in 0..3 {
            let text = words.next()?.text;
            if let Some(found) = record_type(text) {
                let stated = ttl.inspect(|ttl| self.ttl_before = *ttl);
                return Ok((found, stated.or(self.ttl_default).unwrap_or(self.ttl_before)));
            }
            match seconds(text) {
                Some(value) if ttl.is_none() => ttl = Some(value),
                _ if text.eq_ignore_ascii_case("IN") => {}
                _ => return Err(Fault::Type(text.to_owned())),
            }
        }
        Err(Fault::Short)
    }

    /// The content of a record; with a SOA also its MINIMUM, for that begins a zone.
    fn data(&self, record_type: RecordType, words: &mut Words<'_, '_>) -> Result<(RecordData, Option<u32>), Fault> {
        let origin = &self.origin;
        let data = match record_type {
            RecordType::A => RecordData::A(words.parse::<Ipv4Addr>()?),
            RecordType::Aaaa => RecordData::Aaaa(words.parse::<Ipv6Addr>()?),
            RecordType::Cname => RecordData::Cname(words.name(origin)?),
            RecordType::Mx => RecordData::Mx { preference: words.parse()?, exchange: words.name(origin)? },
            RecordType::Ns => RecordData::Ns(words.name(origin)?),
            RecordType::Ptr => RecordData::Ptr(words.name(origin)?),
            RecordType::Soa => {
                let primary = words.name(origin)?;
                words.name(origin)?;
                let serial = words.parse()?;
                let mut minimum_seconds = 0;
                // REFRESH, RETRY, EXPIRE, MINIMUM. RFC 1035 §3.3.13.
                for _ in 0..4 {
                    let word = words.next()?;
                    minimum_seconds = seconds(word.text).ok_or_else(|| Fault::Number(word.text.to_owned()))?;
                }
                return Ok((RecordData::Soa { primary, serial, minimum_seconds }, Some(minimum_seconds)));
            }
            RecordType::Txt => RecordData::Txt(Txt { strings: words.strings()? }),
        };
        Ok((data, None))
    }

    fn open_zone(&mut self, apex: &Name, negative_ttl_seconds: u32) -> Result<(), Fault> {
        self.close_zone();
        if self.done.get(apex).is_some_and(|zone| zone.authority.is_some()) {
            return Err(Fault::ZoneTwice(apex.clone()));
        }
        self.zone = Zone::new(apex.clone());
        self.zone.authority = Some(Authority { zone: apex.clone(), negative_ttl_seconds });
        Ok(())
    }

    fn close_zone(&mut self) {
        let zone = std::mem::replace(&mut self.zone, Zone::new(Name::root()));
        // The zone before the first SOA is kept only if something stands in it.
        if zone.authority.is_some() || !zone.names.is_empty() {
            self.done.insert(zone.apex.clone(), zone);
        }
    }
}

struct Words<'e, 't> {
    words: std::slice::Iter<'e, Word<'t>>,
}

impl<'t> Words<'_, 't> {
    fn next(&mut self) -> Result<Word<'t>, Fault> {
        self.words.next().copied().ok_or(Fault::Short)
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.words.next().map_or(Ok(()), |word| Err(Fault::Long(word.text.to_owned())))
    }

    fn parse<T: std::str::FromStr>(&mut self) -> Result<T, Fault> {
        let text = self.next()?.text;
        text.parse().map_err(|_| Fault::Number(text.to_owned()))
    }

    fn name(&mut self, origin: &Name) -> Result<Name, Fault> {
        name(self.next()?.text, origin)
    }

    /// All words that are left, as character-strings. RFC 1035 §5.1.
    fn strings(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        let mut strings = vec![string(self.next()?.text)?];
        for word in self.words.by_ref() {
            strings.push(string(word.text)?);
        }
        Ok(strings)
    }
}

fn record_type(text: &str) -> Option<RecordType> {
    RecordType::ALL.into_iter().find(|record_type| record_type.as_str().eq_ignore_ascii_case(text))
}

/// A name, absolute if it ends in a dot that is not escaped, else below `origin`; `@` is the origin. RFC 1035 §5.1.
fn name(text: &str, origin: &Name) -> Result<Name, Fault> {
    if text == "@" {
        return Ok(origin.clone());
    }
    let bad = |source| Fault::Name { text: text.to_owned(), source };
    let parsed = Name::parse(text).map_err(bad)?;
    let absolute = text.strip_suffix('.').is_some_and(|rest| {
        let backslashes = rest.bytes().rev().take_while(|octet| *octet == b'\\').count();
        backslashes % 2 == 0
    });
    if absolute { Ok(parsed) } else { origin.under(&parsed).map_err(bad) }
}

/// Seconds as a number, or in the units that name servers know: `1h`, `1d12h`.
fn seconds(text: &str) -> Option<u32> {
    let mut sum = 0_u32;
    let mut number: Option<u32> = None;
    for octet in text.bytes() {
        if octet.is_ascii_digit() {
            let digit = u32::from(octet - b'0');
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match octet.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        sum = sum.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    match number {
        Some(number) => sum.checked_add(number),
        None if text.is_empty() => None,
        None => Some(sum),
    }
}

/// A character-string, its escapes resolved to octets. RFC 1035 §5.1.
fn string(text: &str) -> Result<Vec<u8>, Fault> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let first = rest.next().ok_or(Fault::Escape)?;
        if !first.is_ascii_digit() {
            octets.push(first);
            continue;
        }
        let mut value = u16::from(first - b'0');
        for _ in 0..2 {
            let digit = rest.next().filter(u8::is_ascii_digit).ok_or(Fault::Escape)?;
            value = value * 10 + u16::from(digit - b'0');
        }
        octets.push(u8::try_from(value).map_err(|_| Fault::Escape)?);
    }
    if octets.len() > STRING_OCTETS_MAX { Err(Fault::LongString) } else { Ok(octets) }
}

/// The longest character-string, in octets. RFC 1035 §3.3.
const STRING_OCTETS_MAX: usize = 255;
