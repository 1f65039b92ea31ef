//! Signatures of Standard Webhooks 1.0.0 (HMAC-SHA256, `v1`): made, and checked.
//!
//! What is signed is `{id}.{timestamp}.{body}` with the octets of the body as they are sent.
//!
//! # Strictness
//!
//! Comparing takes the same time whatever matches. Of a header with several signatures one must match; versions that
//! we do not know are passed over, as the specification wants. A secret is base64, with or without `whsec_` before it.
//!
//! # Left out
//!
//! Asymmetric signatures (`v1a`).

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

/// What stands before a secret, so that a scanner of source code can tell one.
pub const SECRET_PREFIX: &str = "whsec_";

/// The octets of a secret of ours. The specification wants 24 to 64.
pub const SECRET_OCTETS: usize = 32;

/// The most octets of a secret that is taken.
const SECRET_OCTETS_MAX: usize = 256;

/// How far a timestamp may be from now, either way. Contract §3.4.
pub const SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// The most signatures of one header that are looked at.
const SIGNATURES_MAX: usize = 16;

/// People leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What signs. Never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    octets: Vec<u8>,
}

/// A text is no secret. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is no secret of Standard Webhooks: `whsec_` and base64 of 1 to {SECRET_OCTETS_MAX} octets")]
pub struct NoSecret;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The secret of these octets.
    pub fn of(octets: [u8; SECRET_OCTETS]) -> Secret {
        Secret { octets: octets.to_vec() }
    }

    /// Reads a secret as it is shown.
    ///
    /// # Errors
    ///
    /// [`NoSecret`].
    pub fn parse(text: &str) -> Result<Secret, NoSecret> {
        let text = text.trim();
        let octets = BASE64.decode(text.strip_prefix(SECRET_PREFIX).unwrap_or(text)).map_err(|_| NoSecret)?;
        if (1..=SECRET_OCTETS_MAX).contains(&octets.len()) { Ok(Secret { octets }) } else { Err(NoSecret) }
    }

    /// The secret as it is shown: the one way to see it.
    pub fn expose(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.octets))
    }

    /// The signature of a body, with its version: `v1,…`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(self.digest(id, &timestamp.to_string(), body)))
    }

    fn digest(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        // HMAC takes keys of any length: RFC 2104 §2.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.octets) else { return [0; 32] };
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

/// The header of a body that several secrets sign: any one of them is enough for whoever checks it.
pub fn header<'s>(secrets: impl IntoIterator<Item = &'s Secret>, id: &str, timestamp: i64, body: &[u8]) -> String {
    secrets.into_iter().map(|secret| secret.sign(id, timestamp, body)).collect::<Vec<_>>().join(" ")
}

/// What came with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`: signatures with their versions, a space between two.
    pub signature: &'a str,
}

/// Why a signed body is not believed. The sender's to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// The timestamp is no number of seconds.
    #[error("`webhook-timestamp` must be a whole number of seconds since 1970")]
    BadTimestamp,
    /// It is another time than ours.
    #[error("`webhook-timestamp` is more than 5 minutes off; sign again with the time now")]
    Skewed,
    /// No signature is one of ours.
    #[error("`webhook-signature` matches no secret; sign `id.timestamp.body` with one of `webhooks.inbound_secrets`")]
    NoMatch,
}

impl Signed<'_> {
    /// Checks the timestamp alone, before a body is read.
    ///
    /// # Errors
    ///
    /// [`Refused::BadTimestamp`], [`Refused::Skewed`].
    pub fn check_time(&self, now: DateTime<Utc>) -> Result<(), Refused> {
        let is_number = !self.timestamp.is_empty() && self.timestamp.bytes().all(|octet| octet.is_ascii_digit());
        let at = self.timestamp.parse().ok().filter(|_| is_number);
        let at = at.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).ok_or(Refused::BadTimestamp)?;
        if (at - now).abs() <= SKEW_MAX { Ok(()) } else { Err(Refused::Skewed) }
    }

    /// Whether one of `secrets` signed this body, now.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn check(&self, secrets: &[Secret], body: &[u8], now: DateTime<Utc>) -> Result<(), Refused> {
        self.check_time(now)?;
        let given: Vec<Vec<u8>> = self
            .signature
            .split(' ')
            .filter_map(|one| one.strip_prefix("v1,"))
            .take(SIGNATURES_MAX)
            .filter_map(|text| BASE64.decode(text).ok())
            .collect();
        let mut matches = Choice::from(0);
        for secret in secrets {
            let expected = secret.digest(self.id, self.timestamp, body);
            for signature in &given {
                // Every pair is compared, so that the time tells nothing of which one matched.
                matches |= signature.as_slice().ct_eq(&expected);
            }
        }
        if bool::from(matches) { Ok(()) } else { Err(Refused::NoMatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(TIMESTAMP + seconds, 0).unwrap()
    }

    fn secret() -> Secret {
        Secret::parse(SECRET).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_signed_alike() {
        assert_eq!(secret().sign(ID, TIMESTAMP, BODY), SIGNATURE);
        assert_eq!(secret().expose(), SECRET);
    }

    #[test]
    fn the_crate_of_the_specification_signs_and_believes_alike() {
        for seed in 0..64_u8 {
            let secret = Secret::of([seed; SECRET_OCTETS]);
            let oracle = standardwebhooks::Webhook::new(&secret.expose()).unwrap();
            let body = vec![b'a' + seed % 26; usize::from(seed) * 7];
            let ours = secret.sign(ID, TIMESTAMP, &body);
            assert_eq!(ours, oracle.sign(ID, TIMESTAMP, &body).unwrap());
            let signed = Signed { id: ID, timestamp: &TIMESTAMP.to_string(), signature: &ours };
            assert_eq!(signed.check(&[secret], &body, at(0)), Ok(()));
        }
    }

    #[track_caller]
    fn check(why: &str, signature: &str, now: i64, body: &[u8], expected: Result<(), Refused>) {
        let signed = Signed { id: ID, timestamp: &TIMESTAMP.to_string(), signature };
        let other = Secret::of([7; SECRET_OCTETS]);
        assert_eq!(signed.check(&[other, secret()], body, at(now)), expected, "{why}");
    }

    #[test]
    fn a_signature_is_believed_or_not() {
        let bad = Err(Refused::NoMatch);
        check("the second secret", SIGNATURE, 0, BODY, Ok(()));
        check("one of several", &format!("v1,AAAA v1a,xyz {SIGNATURE}"), 0, BODY, Ok(()));
        check("another body", SIGNATURE, 0, br#"{"test": 2432232315}"#, bad);
        check("no version", &SIGNATURE[3..], 0, BODY, bad);
        check("another version", &SIGNATURE.replace("v1", "v2"), 0, BODY, bad);
        check("nothing", "", 0, BODY, bad);
        check("a part of it", &SIGNATURE[..20], 0, BODY, bad);
        check("no base64", "v1,!", 0, BODY, bad);
        check("one too far back", &format!("{}{SIGNATURE}", "v1,AAAA ".repeat(SIGNATURES_MAX)), 0, BODY, bad);
        check("five minutes later", SIGNATURE, 300, BODY, Ok(()));
        check("and a second", SIGNATURE, 301, BODY, Err(Refused::Skewed));
        check("five minutes before", SIGNATURE, -300, BODY, Ok(()));
        check("and a second", SIGNATURE, -301, BODY, Err(Refused::Skewed));
    }

    #[test]
    fn a_timestamp_is_a_number_of_seconds() {
        for timestamp in ["", "now", "1614265330.5", "+1614265330", "-1", " 1614265330", "99999999999999999999"] {
            let signed = Signed { id: ID, timestamp, signature: SIGNATURE };
            assert_eq!(signed.check(&[secret()], BODY, at(0)), Err(Refused::BadTimestamp), "{timestamp:?}");
        }
    }

    #[test]
    fn nobody_is_believed_without_a_secret() {
        let signed = Signed { id: ID, timestamp: &TIMESTAMP.to_string(), signature: SIGNATURE };
        assert_eq!(signed.check(&[], BODY, at(0)), Err(Refused::NoMatch));
    }

    #[test]
    fn a_secret_is_base64_and_never_prints() {
        for text in ["whsec_", "", "whsec_!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", &"A".repeat(400)] {
            assert_eq!(Secret::parse(text), Err(NoSecret), "{text}");
        }
        assert_eq!(Secret::parse(SECRET.trim_start_matches(SECRET_PREFIX)), Ok(secret()), "the prefix is for people");
        assert_eq!(Secret::parse("whsec_c2VjcmV0"), Secret::parse("c2VjcmV0"));
        assert!(Secret::parse("whsec_YWE").is_ok(), "without padding");
        assert_eq!(format!("{:?}", secret()), "Secret(…)");
        assert_eq!(Secret::of([1; SECRET_OCTETS]).expose().len(), 50);
    }

    #[test]
    fn several_secrets_sign_side_by_side() {
        let (old, new) = (Secret::of([1; SECRET_OCTETS]), Secret::of([2; SECRET_OCTETS]));
        let both = header([&new, &old], ID, TIMESTAMP, BODY);
        assert_eq!(both, format!("{} {}", new.sign(ID, TIMESTAMP, BODY), old.sign(ID, TIMESTAMP, BODY)));
    }
}
