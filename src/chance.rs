//! Everything that is drawn by lot: ids, secrets, jitter.
//!
//! Only the ways in, the jobs and `service` ask [`Chance`]; what lies deeper takes what was drawn as an
//! argument. Comparing secrets in constant time is the affair of whoever keeps their hashes.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::{Builder, Uuid};

/// The octets of a secret: 256 bits, beyond guessing.
pub const SECRET_OCTETS: usize = 32;

/// What every key of ours begins with, so that a scanner of source code can tell one.
pub const KEY_PREFIX: &str = "sr_";

/// What every setup link's token begins with.
pub const SETUP_PREFIX: &str = "srl_";

/// The share by which jitter moves a wait, up or down, in percent.
const JITTER_PERCENT: u64 = 10;

/// Where chance comes from.
#[derive(Debug, Clone, Default)]
pub enum Chance {
    /// The system's randomness, fit for secrets.
    #[default]
    System,
    /// A sequence that is the same in every run. For tests: its secrets are none.
    Seeded(Seeded),
}

impl Chance {
    /// A sequence for tests; equal seeds draw equal lots.
    pub fn seeded(seed: u64) -> Chance {
        Chance::Seeded(Seeded { state: Arc::new(AtomicU64::new(seed)) })
    }

    /// A new id: a UUID of version 7 (RFC 9562 §5.7) for a thing made at `now`.
    ///
    /// Ids of different microseconds sort in their order: the twelve bits after the version
    /// hold the fraction of the millisecond (RFC 9562 §6.2, method 3).
    ///
    /// # Panics
    ///
    /// When the system has no randomness to give; see [`Chance::octets`].
    pub fn id(&self, now: DateTime<Utc>) -> Uuid {
        let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let fraction = u64::from(now.timestamp_subsec_micros() % 1_000) * 4_096 / 1_000;
        let mut tail: [u8; 10] = match self {
            Chance::System => LOTS.with_borrow_mut(|lots| lots.draw(self)),
            Chance::Seeded(_) => self.octets(),
        };
        let [first, second, ..] = &mut tail;
        [*first, *second] = u16::try_from(fraction).unwrap_or(0).to_be_bytes();
        Builder::from_unix_timestamp_millis(milliseconds, &tail).into_uuid()
    }

    /// A new key: [`KEY_PREFIX`] and 43 characters of base64url, 256 bits.
    ///
    /// # Panics
    ///
    /// When the system has no randomness to give; see [`Chance::octets`].
    pub fn key(&self) -> SecretString {
        let octets: [u8; SECRET_OCTETS] = self.octets();
        SecretString::from(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(octets)))
    }

    /// A new token of a setup link: [`SETUP_PREFIX`] and 43 characters of base64url, 256 bits.
    ///
    /// # Panics
    ///
    /// When the system has no randomness to give; see [`Chance::octets`].
    pub fn setup_token(&self) -> SecretString {
        let octets: [u8; SECRET_OCTETS] = self.octets();
        SecretString::from(format!("{SETUP_PREFIX}{}", URL_SAFE_NO_PAD.encode(octets)))
    }

    /// 43 characters of base64url, 256 bits, to be published where only one person can.
    ///
    /// # Panics
    ///
    /// When the system has no randomness to give; see [`Chance::octets`].
    pub fn token(&self) -> String {
        let octets: [u8; SECRET_OCTETS] = self.octets();
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// A number, every one as likely. For pure functions that take their chance as an argument.
    ///
    /// # Panics
    ///
    /// When the system has no randomness to give; see [`Chance::octets`].
    pub fn number(&self) -> u32 {
        u32::from_be_bytes(self.octets())
    }

    /// Octets drawn by lot.
    ///
    /// # Panics
    ///
    /// When the system has no randomness to give. No key made without it is safe, so stopping is
    /// the only right thing; since Linux 3.17 it cannot happen to a process that has started.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws lots")]
    #[expect(clippy::expect_used, reason = "without randomness no key is safe; see Panics")]
    pub fn octets<const COUNT: usize>(&self) -> [u8; COUNT] {
        let mut octets = [0_u8; COUNT];
        match self {
            Chance::System => getrandom::fill(&mut octets).expect("the system has randomness"),
            Chance::Seeded(seeded) => octets
                .chunks_mut(size_of::<u64>())
                .for_each(|chunk| chunk.iter_mut().zip(seeded.next().to_be_bytes()).for_each(|(to, from)| *to = from)),
        }
        octets
    }
}

/// How many octets of the system's randomness are fetched at once.
const LOTS_OCTETS: usize = 640;

thread_local! {
    /// For the ids of this thread: every request has one, and asking the system for each costs as much as the rest of it.
    static LOTS: RefCell<Lots> = const { RefCell::new(Lots { octets: [0; LOTS_OCTETS], used: LOTS_OCTETS }) };
}

/// Octets that were drawn by lot ahead. For ids, never for secrets: those are not kept before they are made.
struct Lots {
    octets: [u8; LOTS_OCTETS],
    used: usize,
}

impl Lots {
    /// Each octet is given once.
    fn draw<const COUNT: usize>(&mut self, chance: &Chance) -> [u8; COUNT] {
        if let Some(drawn) = self.octets.get(self.used..).and_then(|rest| rest.first_chunk()).copied() {
            self.used += COUNT;
            return drawn;
        }
        self.octets = chance.octets();
        self.used = COUNT;
        self.octets.first_chunk().copied().unwrap_or_else(|| chance.octets())
    }
}

/// The time that [`Chance::id`] made an id at, to the microsecond, or one less. Of other ids it means nothing.
pub fn time_of(id: Uuid) -> Option<DateTime<Utc>> {
    let octets = id.as_u128();
    let milliseconds = i64::try_from(octets >> 80).ok()?;
    let fraction = i64::try_from((octets >> 64) & 0xFFF).ok()?;
    DateTime::from_timestamp_micros(milliseconds.checked_mul(1_000)?.checked_add(fraction * 1_000 / 4_096)?)
}

/// A sequence that is the same in every run. Its clones share it.
#[derive(Debug, Clone)]
pub struct Seeded {
    state: Arc<AtomicU64>,
}

impl Seeded {
    /// The next number of the sequence (SplitMix64: any seed will do, zero too).
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut mixed = self.state.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// `wait` × (90 % … 110 %), evenly by `chance`. Equal arguments give equal waits.
pub fn jittered(wait: Duration, chance: u32) -> Duration {
    let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
    let spread = u128::from(wait) * u128::from(2 * JITTER_PERCENT) / 100;
    let lot = spread * u128::from(chance) / u128::from(u32::MAX);
    let least = u128::from(wait) * u128::from(100 - JITTER_PERCENT) / 100;
    Duration::from_nanos(u64::try_from(least + lot).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret;

    use super::*;

    fn at(microseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_700_000_000_000_000 + microseconds).unwrap()
    }

    #[test]
    fn the_time_of_an_id_is_the_one_it_was_made_at() {
        for microsecond in [0_i64, 1, 499, 500, 998, 999] {
            let at = DateTime::from_timestamp_micros(1_700_000_000_123_000 + microsecond).unwrap();
            let read = time_of(Chance::seeded(1).id(at)).unwrap();
            assert!((0..=1).contains(&(at - read).num_microseconds().unwrap()), "{at} {read}");
        }
    }

    #[test]
    fn ids_are_of_version_7_and_sort_by_the_microsecond_they_were_made_in() {
        for chance in [Chance::System, Chance::seeded(7)] {
            let ids: Vec<Uuid> = [0, 1, 2, 999, 1_000, 1_001, 60_000_000].map(|time| chance.id(at(time))).to_vec();
            assert!(ids.is_sorted(), "{ids:?}");
            assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
            let (seconds, _) = ids[0].get_timestamp().unwrap().to_unix();
            assert_eq!(seconds, 1_700_000_000);
        }
    }

    #[test]
    fn no_two_ids_of_one_microsecond_are_equal() {
        let ids: BTreeSet<Uuid> = (0..1_000).map(|_| Chance::System.id(at(0))).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn a_key_is_a_prefix_and_43_characters_of_base64url() {
        let (one, two) = (Chance::System.key(), Chance::System.key());
        let text = one.expose_secret();
        assert_eq!(text.len(), 46);
        assert!(text.starts_with("sr_"));
        assert!(text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'), "{text}");
        assert_ne!(text, two.expose_secret());
        assert!(!format!("{one:?}").contains(&text[3..]), "a key never prints");
    }

    #[test]
    fn a_seed_gives_the_same_lots_in_every_run() {
        let draw = |seed| {
            let chance = Chance::seeded(seed);
            [chance.number(), chance.number(), chance.number()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let chance = Chance::seeded(1);
        assert_ne!(chance.number(), chance.clone().number(), "clones share the sequence");
    }

    #[test]
    fn jitter_moves_a_wait_by_a_tenth_and_no_more() {
        let check = |wait, chance, expected| {
            assert_eq!(jittered(Duration::from_secs(wait), chance), Duration::from_millis(expected), "{wait} {chance}");
        };
        check(100, 0, 90_000);
        check(100, u32::MAX, 110_000);
        check(0, u32::MAX, 0);
        assert!(jittered(Duration::MAX, u32::MAX) > Duration::from_secs(1), "the longest wait does not wrap");
        let waits: BTreeSet<Duration> =
            (0..100).map(|_| jittered(Duration::from_secs(100), Chance::System.number())).collect();
        assert!(waits.len() > 90 && waits.iter().all(|wait| (90..=110).contains(&wait.as_secs())), "{waits:?}");
    }
}
