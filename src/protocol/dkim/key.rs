//! Public keys: RSA (RFC 8017) and Ed25519 (RFC 8032), in every clothing that people and records use.
//!
//! Two keys are equal when they are the same key, however they were written: the modulus and
//! exponent of RSA, the point of Ed25519.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Sequence};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::protocol::tag_list;

/// RSA keys of fewer bits must be refused. RFC 8301 §3.2.
pub const RSA_BITS_MIN: u32 = 1_024;

/// The longest RSA keys that every verifier must be able to use. RFC 8301 §3.2.
pub const RSA_BITS_SURE: u32 = 4_096;

/// RSA keys of more bits are not counted on. Ours: RFC 8301 §3.2 lets verifiers stop at 4096 and many go on, but the record
/// of a longer key fits into no datagram of 1232 octets, and each signature costs a receiver eight times as much.
pub const RSA_BITS_MAX: u32 = 8_192;

/// The longest key looked at, in octets of DER. An RSA key of 16384 bits takes a little over 2 KiB.
const DER_OCTETS_MAX: usize = 4_096;

/// The longest text that [`PublicKey::parse_base64`] looks at, in octets: a PEM file with room.
const TEXT_OCTETS_MAX: usize = 16_384;

/// rsaEncryption. RFC 8017 §A.1.
const RSA_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// id-Ed25519. RFC 8410 §3.
const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The padding may be there or not: RFC 6376 §2.10 makes it optional.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The kinds of keys that DKIM knows. RFC 6376 §3.3, RFC 8463 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `k=rsa`.
    Rsa,
    /// `k=ed25519`.
    Ed25519,
}

impl Algorithm {
    /// The word of the `k=` tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rsa => "rsa",
            Algorithm::Ed25519 => "ed25519",
        }
    }

    /// Reads the value of a `k=` tag. Values are case-sensitive. RFC 6376 §3.2.
    pub fn parse(text: &[u8]) -> Option<Algorithm> {
        match text {
            b"rsa" => Some(Algorithm::Rsa),
            b"ed25519" => Some(Algorithm::Ed25519),
            _ => None,
        }
    }
}

/// Why a text holds no public key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// Nothing there.
    #[error("there is no key in the text")]
    Empty,
    /// Longer than any key.
    #[error("the text is longer than any public key")]
    TooLong,
    /// Not base64.
    #[error("the key is not base64 (RFC 4648 §4)")]
    NotBase64,
    /// The beginning of a key whose end is missing.
    #[error("the key is cut off: it has {octets} of the {octets_wanted} octets that it says it has")]
    Truncated {
        /// Octets that are there.
        octets: usize,
        /// Octets that its own header promises.
        octets_wanted: usize,
    },
    /// Base64 of something that is no such key.
    #[error("the text is base64, but not of a public key of type {0}")]
    NotAKey(&'static str),
    /// Ed25519 keys stand in records as 32 octets without a wrapping.
    #[error("an Ed25519 key stands in `p=` as its 32 octets alone (RFC 8463 §4), not as a SubjectPublicKeyInfo")]
    WrappedEd25519(PublicKey),
    /// 32 octets, and nobody says that it is an Ed25519 key.
    #[error("the key has the 32 octets of an Ed25519 key, but the record does not say `k=ed25519` (RFC 8463 §4)")]
    Ed25519WithoutType(PublicKey),
    /// A private key.
    #[error(
        "this is a PRIVATE key. It belongs nowhere but on the signing server: make a new pair, and give the public half"
    )]
    Private,
    /// PEM of something else.
    #[error("this PEM block is no public key but a `{0}`")]
    OtherPem(String),
    /// A whole record, with a fault of its own.
    #[error("the record in the text cannot be used: {0}")]
    Record(String),
    /// A whole record whose key was revoked.
    #[error("the record in the text has an empty `p=`, which revokes the key (RFC 6376 §3.6.1)")]
    Revoked,
}

/// A public key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    numbers: Numbers,
}

/// What makes two keys the same key. Big-endian, without leading zeros.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Numbers {
    Rsa { modulus: Box<[u8]>, exponent: Box<[u8]> },
    Ed25519([u8; 32]),
}

/// RFC 5280 §4.1.2.7.
#[derive(Sequence)]
struct SubjectPublicKeyInfo<'d> {
    algorithm: AlgorithmIdentifier<'d>,
    subject_public_key: BitStringRef<'d>,
}

/// RFC 5280 §4.1.1.2.
#[derive(Sequence)]
struct AlgorithmIdentifier<'d> {
    algorithm: ObjectIdentifier,
    parameters: Option<AnyRef<'d>>,
}

/// RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'d> {
    modulus: UintRef<'d>,
    public_exponent: UintRef<'d>,
}

impl PublicKey {
    /// The Ed25519 key of this point. Every 32 octets are one; whether they lie on the curve is not asked.
    pub fn ed25519(point: [u8; 32]) -> PublicKey {
        PublicKey { numbers: Numbers::Ed25519(point) }
    }

    /// Reads the value of a `p=` tag, whose kind `k=` has said.
    ///
    /// RSA keys stand there as a SubjectPublicKeyInfo, and, against RFC 6376 §3.6.1's examples but by its words,
    /// as a bare RSAPublicKey too; verifiers take both.
    ///
    /// # Errors
    ///
    /// [`KeyFault`], the fault of whoever wrote the record.
    pub fn of_record(algorithm: Algorithm, text: &[u8]) -> Result<PublicKey, KeyFault> {
        let der = decode(text)?;
        match algorithm {
            Algorithm::Rsa => match PublicKey::of_der(&der) {
                Ok(key) if key.algorithm() == Algorithm::Rsa => Ok(key),
                Ok(_) => Err(KeyFault::NotAKey("rsa")),
                Err(_) if der.len() == 32 => match <[u8; 32]>::try_from(der.as_slice()) {
                    Ok(point) => Err(KeyFault::Ed25519WithoutType(PublicKey::ed25519(point))),
                    Err(_) => Err(KeyFault::NotAKey("rsa")),
                },
                Err(KeyFault::NotAKey(_)) => Err(KeyFault::NotAKey("rsa")),
                Err(fault) => Err(fault),
            },
            Algorithm::Ed25519 => match <[u8; 32]>::try_from(der.as_slice()) {
                Ok(point) => Ok(PublicKey::ed25519(point)),
                Err(_) => match PublicKey::of_der(&der) {
                    Ok(key) if key.algorithm() == Algorithm::Ed25519 => Err(KeyFault::WrappedEd25519(key)),
                    _ => Err(KeyFault::NotAKey("ed25519")),
                },
            },
        }
    }

    /// Reads what people and programs give as a key: base64 of a SubjectPublicKeyInfo, of a bare RSAPublicKey or
    /// of 32 Ed25519 octets; PEM with its header lines; or a whole record `v=DKIM1; …; p=…`, quoted or not.
    ///
    /// # Errors
    ///
    /// [`KeyFault`], the fault of whoever gave the text.
    pub fn parse_base64(text: &str) -> Result<PublicKey, KeyFault> {
        if text.len() > TEXT_OCTETS_MAX {
            return Err(KeyFault::TooLong);
        }
        let text = text.trim();
        if text.contains("-----BEGIN") {
            return of_pem(text);
        }
        let text = unquoted(text);
        if text.contains(';') || text.starts_with("p=") || text.starts_with("v=") {
            let record = crate::protocol::dkim::KeyRecord::parse(text.as_bytes())
                .map_err(|fault| KeyFault::Record(fault.to_string()))?;
            return record.key.ok_or(KeyFault::Revoked);
        }
        let der = decode(text.as_bytes())?;
        // A toy of an RSA key may take 32 octets too, and reads as DER, which 32 octets of Ed25519 do not.
        match (PublicKey::of_der(&der), <[u8; 32]>::try_from(der.as_slice())) {
            (Err(_), Ok(point)) => Ok(PublicKey::ed25519(point)),
            (Err(_), _) if is_private(&der) => Err(KeyFault::Private),
            (key, _) => key,
        }
    }

    /// Reads the DER of a SubjectPublicKeyInfo or of a bare RSAPublicKey.
    fn of_der(der: &[u8]) -> Result<PublicKey, KeyFault> {
        if let Ok(info) = SubjectPublicKeyInfo::from_der(der) {
            let octets = info.subject_public_key.as_bytes().ok_or(KeyFault::NotAKey("rsa or ed25519"))?;
            return match info.algorithm.algorithm {
                RSA_OID => PublicKey::of_rsa_der(octets),
                ED25519_OID => {
                    <[u8; 32]>::try_from(octets).map(PublicKey::ed25519).map_err(|_| KeyFault::NotAKey("ed25519"))
                }
                _ => Err(KeyFault::NotAKey("rsa or ed25519")),
            };
        }
        match PublicKey::of_rsa_der(der) {
            Err(_) => Err(truncation(der).unwrap_or(KeyFault::NotAKey("rsa or ed25519"))),
            key => key,
        }
    }

    fn of_rsa_der(der: &[u8]) -> Result<PublicKey, KeyFault> {
        let key = RsaPublicKey::from_der(der).map_err(|_| KeyFault::NotAKey("rsa"))?;
        let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
        // Both are odd by construction (RFC 8017 §3.1); an even one is rubbish that happens to be DER.
        let odd = |number: &[u8]| number.last().is_some_and(|octet| octet % 2 == 1);
        // An exponent of 1 leaves every message its own signature. RFC 8017 §3.1: it is 3 at least.
        if !odd(modulus) || !odd(exponent) || exponent == [1] {
            return Err(KeyFault::NotAKey("rsa"));
        }
        Ok(PublicKey { numbers: Numbers::Rsa { modulus: modulus.into(), exponent: exponent.into() } })
    }

    /// Which kind of key it is.
    pub fn algorithm(&self) -> Algorithm {
        match &self.numbers {
            Numbers::Rsa { .. } => Algorithm::Rsa,
            Numbers::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The size in bits: of the modulus for RSA, 256 for Ed25519.
    pub fn bits(&self) -> u32 {
        match &self.numbers {
            Numbers::Rsa { modulus, .. } => {
                let leading = modulus.first().map_or(0, |octet| octet.leading_zeros());
                u32::try_from(modulus.len() * 8).unwrap_or(u32::MAX) - leading
            }
            Numbers::Ed25519(_) => 256,
        }
    }

    /// The DER of its SubjectPublicKeyInfo, the same for every clothing it came in.
    pub fn spki_der(&self) -> Vec<u8> {
        // Encoding fails on lengths beyond what DER_OCTETS_MAX lets in, so never here.
        self.encode_spki().unwrap_or_default()
    }

    fn encode_spki(&self) -> der::Result<Vec<u8>> {
        let inner;
        let (algorithm, parameters, octets) = match &self.numbers {
            Numbers::Rsa { modulus, exponent } => {
                let key = RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(exponent)? };
                inner = key.to_der()?;
                // RSA's parameters are NULL. RFC 8017 §A.1.
                (RSA_OID, Some(AnyRef::NULL), inner.as_slice())
            }
            // Ed25519 has none. RFC 8410 §3.
            Numbers::Ed25519(point) => (ED25519_OID, None, point.as_slice()),
        };
        SubjectPublicKeyInfo {
            algorithm: AlgorithmIdentifier { algorithm, parameters },
            subject_public_key: BitStringRef::from_bytes(octets)?,
        }
        .to_der()
    }

    /// A short name of the key for people to compare: base64 of the SHA-256 of [`PublicKey::spki_der`].
    pub fn fingerprint(&self) -> String {
        STANDARD.encode(Sha256::digest(self.spki_der()))
    }

    /// The value of its `p=` tag. RFC 6376 §3.6.1, RFC 8463 §4.
    pub fn record_base64(&self) -> String {
        match &self.numbers {
            Numbers::Rsa { .. } => STANDARD.encode(self.spki_der()),
            Numbers::Ed25519(point) => STANDARD.encode(point),
        }
    }

    /// The whole text of a record with this key.
    pub fn to_record_value(&self) -> String {
        format!("v=DKIM1; k={}; p={}", self.algorithm().as_str(), self.record_base64())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {} {})", self.algorithm().as_str(), self.bits(), self.fingerprint())
    }
}

/// Base64 with whitespace anywhere. RFC 6376 §3.6.1.
fn decode(text: &[u8]) -> Result<Vec<u8>, KeyFault> {
    let bare: Vec<u8> = text.iter().copied().filter(|octet| !tag_list::is_space(*octet)).collect();
    if bare.is_empty() {
        return Err(KeyFault::Empty);
    }
    if bare.len() / 4 * 3 > DER_OCTETS_MAX {
        return Err(KeyFault::TooLong);
    }
    match BASE64.decode(&bare) {
        Ok(der) => Ok(der),
        // A key cut anywhere but after four characters is bad base64; what is whole of it tells more.
        Err(_) => {
            let whole = bare.get(..bare.len() / 4 * 4).unwrap_or_default();
            match BASE64.decode(whole).ok().and_then(|der| truncation(&der)) {
                Some(fault) => Err(fault),
                None => Err(KeyFault::NotBase64),
            }
        }
    }
}

/// Whether these octets are the beginning of a longer SEQUENCE, which is what a cut key is.
fn truncation(der: &[u8]) -> Option<KeyFault> {
    let (length, header) = match der {
        [0x30, short, ..] if *short < 0x80 => (usize::from(*short), 2),
        [0x30, 0x81, length, ..] => (usize::from(*length), 3),
        [0x30, 0x82, high, low, ..] => (usize::from(*high) << 8 | usize::from(*low), 4),
        _ => return None,
    };
    let octets_wanted = header + length;
    (octets_wanted > der.len() && octets_wanted <= DER_OCTETS_MAX)
        .then_some(KeyFault::Truncated { octets: der.len(), octets_wanted })
}

/// Whether this begins as private keys do: a SEQUENCE whose first part is the version. RFC 8017 §A.1.2, RFC 5958 §2.
fn is_private(der: &[u8]) -> bool {
    let content = match der {
        [0x30, short, content @ ..] if *short < 0x80 => content,
        [0x30, 0x81, _, content @ ..] | [0x30, 0x82, _, _, content @ ..] => content,
        _ => return false,
    };
    matches!(content, [2, 1, 0 | 1, ..])
}

/// The key in the first PEM block. RFC 7468 §3.
fn of_pem(text: &str) -> Result<PublicKey, KeyFault> {
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyFault::Private);
    }
    let after = text.split_once("-----BEGIN ").map(|(_, after)| after).ok_or(KeyFault::Empty)?;
    let (label, rest) = after.split_once("-----").ok_or(KeyFault::Empty)?;
    let body = rest.split_once("-----END").map_or(rest, |(body, _)| body);
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => PublicKey::of_der(&decode(body.as_bytes())?),
        other => Err(KeyFault::OtherPem(other.chars().take(60).collect())),
    }
}

/// The text without the quotes of a master file: `"v=DKIM1; " "p=…"` gives `v=DKIM1; p=…`. RFC 1035 §5.1.
fn unquoted(text: &str) -> String {
    if !text.contains('"') {
        return text.to_owned();
    }
    text.split('"').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPKI: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
    /// RFC 8463 §A.2.
    const ED25519: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    /// The same RSA key without its wrapping.
    fn bare() -> String {
        let der = STANDARD.decode(SPKI).unwrap();
        STANDARD.encode(&der[22..])
    }

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match PublicKey::parse_base64(text) {
            Ok(key) => format!("{key:?}"),
            Err(fault) => format!("error: {fault}"),
        };
        assert!(shown.starts_with(expected), "{why}: {shown}");
    }

    #[test]
    fn one_key_has_many_clothes() {
        let key = PublicKey::parse_base64(SPKI).unwrap();
        assert_eq!(STANDARD.encode(key.spki_der()), SPKI);
        let pem = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let clothes = [
            bare(),
            pem("PUBLIC KEY", SPKI),
            pem("RSA PUBLIC KEY", &bare()),
            format!("v=DKIM1; k=rsa; p={SPKI}"),
            format!("p={SPKI}"),
            format!("\"v=DKIM1; k=rsa; p={}\" \"{}\"", &SPKI[..100], &SPKI[100..]),
            format!("  {}\n{}  ", &SPKI[..64], &SPKI[64..]),
            key.to_record_value(),
        ];
        for text in clothes {
            assert_eq!(PublicKey::parse_base64(&text).as_ref(), Ok(&key), "{text}");
        }
    }

    #[test]
    fn text_becomes_a_key_or_a_fault() {
        check("RSA", SPKI, "PublicKey(rsa 1024 ");
        check("Ed25519", ED25519, "PublicKey(ed25519 256 ");
        check("nothing", "  ", "error: there is no key");
        check("no base64", "hello world!", "error: the key is not base64");
        check("base64 of something", "aGVsbG8gd29ybGQh", "error: the text is base64, but not of");
        check("cut after four", &SPKI[..100], "error: the key is cut off: it has 75 of the 162 octets that it");
        check("cut anywhere", &SPKI[..101], "error: the key is cut off");
        check("a megabyte", &"A".repeat(1 << 20), "error: the text is longer");
        check(
            "a private key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "error: this is a PRIVATE",
        );
        // The beginning of a PKCS#8 key: SEQUENCE, version 0.
        check("a private key without its header lines", "MAgCAQAwAwYBAA==", "error: this is a PRIVATE");
        check("a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "error: this PEM block");
        check("a revoked record", "v=DKIM1; p=", "error: the record in the text has an empty");
        check("a broken record", "v=DKIM2; p=AAAA", "error: the record in the text cannot be used: the version");
    }

    #[test]
    fn ed25519_stands_bare_in_records_and_wrapped_elsewhere() {
        let key = PublicKey::parse_base64(ED25519).unwrap();
        let wrapped = STANDARD.encode(key.spki_der());
        assert_eq!(PublicKey::parse_base64(&wrapped).as_ref(), Ok(&key), "people give it wrapped");
        assert_eq!(PublicKey::of_record(Algorithm::Ed25519, ED25519.as_bytes()).as_ref(), Ok(&key));
        assert_eq!(
            PublicKey::of_record(Algorithm::Ed25519, wrapped.as_bytes()),
            Err(KeyFault::WrappedEd25519(key.clone()))
        );
        assert_eq!(PublicKey::of_record(Algorithm::Rsa, ED25519.as_bytes()), Err(KeyFault::Ed25519WithoutType(key)));
    }

    #[test]
    fn a_key_of_another_length_counts_its_own_bits() {
        // 65537 as modulus: 17 bits.
        let key = PublicKey::of_rsa_der(&[0x30, 0x0a, 2, 3, 1, 0, 1, 2, 3, 1, 0, 1]).unwrap();
        assert_eq!(key.bits(), 17);
        assert_eq!(PublicKey::of_rsa_der(&[0x30, 6, 2, 1, 8, 2, 1, 3]), Err(KeyFault::NotAKey("rsa")), "even");
        assert_eq!(
            PublicKey::of_rsa_der(&[0x30, 6, 2, 1, 9, 2, 1, 2]),
            Err(KeyFault::NotAKey("rsa")),
            "an even exponent"
        );
        assert_eq!(
            PublicKey::of_rsa_der(&[0x30, 6, 2, 1, 9, 2, 1, 1]),
            Err(KeyFault::NotAKey("rsa")),
            "an exponent of 1"
        );
        assert!(PublicKey::of_rsa_der(&[0x30, 6, 2, 1, 9, 2, 1, 3]).is_ok(), "the least exponent there may be");
        let toy = PublicKey { numbers: Numbers::Rsa { modulus: [129, 1].into(), exponent: [1, 0, 1].into() } };
        assert_eq!(toy.spki_der().len(), 32, "as long as an Ed25519 key");
        assert_eq!(PublicKey::parse_base64(&STANDARD.encode(toy.spki_der())), Ok(toy));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in ".{0,200}", octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PublicKey::parse_base64(&text);
            let _ = PublicKey::parse_base64(&STANDARD.encode(&octets));
            let _ = PublicKey::of_record(Algorithm::Rsa, &octets);
            let _ = PublicKey::of_record(Algorithm::Ed25519, &octets);
        }

        #[test]
        fn what_is_rendered_reads_back(mut modulus in proptest::collection::vec(any::<u8>(), 1..300), point: [u8; 32]) {
            modulus[0] |= 1;
            let last = modulus.len() - 1;
            modulus[last] |= 1;
            let numbers = Numbers::Rsa { modulus: modulus.into(), exponent: [1, 0, 1].into() };
            for key in [PublicKey { numbers }, PublicKey::ed25519(point)] {
                prop_assert_eq!(PublicKey::parse_base64(&key.to_record_value()), Ok(key.clone()));
                prop_assert_eq!(PublicKey::parse_base64(&STANDARD.encode(key.spki_der())), Ok(key.clone()));
            }
        }
    }
}
