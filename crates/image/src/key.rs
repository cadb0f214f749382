//! Keys: ECDSA on P-256 with SHA-256, as cosign has them.

use std::fmt;

use longshore_model::{Code, Error, Result};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::{Digest, pem};

/// What stands before the point of a P-256 key in a SubjectPublicKeyInfo (RFC 5480).
const PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The bytes of an uncompressed point.
const POINT: usize = 65;

/// A key that signs. It is never shown.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
}

/// A key that proves signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Vec<u8>,
}

impl PrivateKey {
    /// Makes a new key, as the text of its file: PKCS #8 in PEM.
    pub fn generate() -> Result<String> {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let der = made.map_err(|_| Error::new(Code::Internal, "no key can be made"))?;
        Ok(pem::encode("PRIVATE KEY", der.as_ref()))
    }

    /// Reads the text of its file.
    pub fn from_pem(text: &str) -> Result<Self> {
        let wrong = || Error::new(Code::KeyInvalid, "the private key is not understood");
        if text.contains("ENCRYPTED") {
            return Err(wrong().hint("It is encrypted. Give it in PKCS #8 without a password, as `longshore key` makes it, from a file that only its owner can read or from a secret store."));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| wrong())?;
        let der = der.secret_pkcs8_der();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &SystemRandom::new());
        Ok(Self { pair: pair.map_err(|_| wrong())? })
    }

    /// The key that proves its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey { point: self.pair.public_key().as_ref().to_vec() }
    }

    /// Signs bytes: an ECDSA signature in DER.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let signed = self.pair.sign(&SystemRandom::new(), bytes);
        let signed = signed.map_err(|_| Error::new(Code::Internal, "nothing can be signed"))?;
        Ok(signed.as_ref().to_vec())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

impl PublicKey {
    /// Reads the text of its file: a SubjectPublicKeyInfo in PEM.
    pub fn from_pem(text: &str) -> Result<Self> {
        let wrong = || Error::new(Code::KeyInvalid, "the public key is not understood");
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| wrong())?;
        let point = der.as_ref().strip_prefix(&PREFIX).filter(|point| point.len() == POINT);
        Ok(Self { point: point.ok_or_else(wrong)?.to_vec() })
    }

    /// The text of its file.
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.der())
    }

    /// What tells it from others: the digest of its DER.
    pub fn id(&self) -> Digest {
        Digest::of(&self.der())
    }

    fn der(&self) -> Vec<u8> {
        [&PREFIX[..], &self.point].concat()
    }

    /// Whether it proves a signature of bytes.
    pub(crate) fn proves(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        key.verify(bytes, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{PrivateKey, PublicKey};

    #[test]
    fn a_key_proves_what_it_signed_and_nothing_else() {
        let text = PrivateKey::generate().expect("a key");
        let key = PrivateKey::from_pem(&text).expect("the same");
        let other = PrivateKey::from_pem(&PrivateKey::generate().expect("a key")).expect("a key");
        let signature = key.sign(b"said").expect("a signature");
        let public = PublicKey::from_pem(&key.public().to_pem()).expect("the same");
        assert_eq!(public, key.public());
        assert!(public.proves(b"said", &signature));
        assert!(!public.proves(b"sais", &signature));
        assert!(!public.proves(b"said", &signature[1..]));
        assert!(!other.public().proves(b"said", &signature));
        assert!(!format!("{key:?}").contains("MI"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let private = PrivateKey::generate().expect("a key");
        for text in [
            "",
            "-----BEGIN PRIVATE KEY-----",
            &private[..100],
            "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
        ] {
            assert!(PrivateKey::from_pem(text).is_err());
            assert!(PublicKey::from_pem(text).is_err());
        }
        assert!(PublicKey::from_pem(&private).is_err());
    }
}
