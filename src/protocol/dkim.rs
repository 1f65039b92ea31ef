//! DKIM key records (stub).

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// DER of its SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
}
