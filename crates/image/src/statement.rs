//! Statements on images: what one did, and whether that was proved. Each is an in-toto statement, signed, in
//! a bundle of sigstore.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_model::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::artifact::{attach, content};
use crate::document::{Annotations, Descriptor, from_json, to_json};
use crate::{Digest, Layout, PrivateKey, PublicKey};

/// The type of a bundle.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What an envelope holds.
const IN_TOTO: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const CONTENT: &str = "dev.sigstore.bundle.content";
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";

/// What is said of an image, by in-toto's attestation framework 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Always the same.
    #[serde(rename = "_type")]
    pub kind: String,
    /// What it is said of.
    pub subject: Vec<Subject>,
    /// What kind of thing is said.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said.
    pub predicate: Value,
}

/// What a statement is said of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its digests, by their algorithms.
    pub digest: BTreeMap<String, String>,
}

/// A statement that was found, with its signature.
#[derive(Debug, Clone)]
pub struct Said {
    /// The artifact.
    pub artifact: Descriptor,
    /// The statement.
    pub statement: Statement,
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

impl Statement {
    /// A statement on an image.
    pub fn of(image: &Descriptor, predicate_type: &str, predicate: Value) -> Self {
        let digest = (image.digest.algorithm().to_string(), image.digest.hex().to_string());
        Self {
            kind: STATEMENT.to_string(),
            subject: vec![Subject { digest: BTreeMap::from([digest]) }],
            predicate_type: predicate_type.to_string(),
            predicate,
        }
    }

    fn is_of(&self, image: &Digest) -> bool {
        let is_it = |subject: &Subject| {
            subject.digest.get(image.algorithm()).is_some_and(|hex| hex == image.hex())
        };
        self.kind == STATEMENT && self.subject.iter().any(is_it)
    }
}

impl Said {
    /// Whether a key proves it.
    pub fn is_proved_by(&self, key: &PublicKey) -> bool {
        let signed = encoding(&self.payload);
        self.signatures.iter().any(|signature| key.proves(&signed, signature))
    }
}

/// Signs a statement and attaches it to an image.
pub fn attest(
    layout: &Layout,
    image: &Descriptor,
    statement: &Statement,
    key: &PrivateKey,
) -> Result<Descriptor> {
    let payload = to_json(statement)?;
    let bundle = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": { "publicKey": { "hint": key.public().id().hex() } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": IN_TOTO,
            "signatures": [{ "sig": STANDARD.encode(key.sign(&encoding(&payload))?) }],
        },
    });
    let annotations = Annotations::from([
        (CONTENT.to_string(), "dsse-envelope".to_string()),
        (PREDICATE.to_string(), statement.predicate_type.clone()),
    ]);
    attach(layout, image, BUNDLE, &to_json(&bundle)?, annotations)
}

/// The statements on an image, in the order in which they came. What is not understood is not taken for
/// one.
pub fn read_all(layout: &Layout, image: &Descriptor) -> Result<Vec<Said>> {
    let mut found = Vec::new();
    for artifact in layout.referrers(&image.digest)? {
        if artifact.artifact_type.as_deref() == Some(BUNDLE) {
            let bytes = content(layout, &artifact)?;
            found.extend(read(artifact, &bytes).filter(|said| said.statement.is_of(&image.digest)));
        }
    }
    Ok(found)
}

/// The statement in a bundle, whoever signed it; `None` for what holds none.
pub fn opened(bundle: &[u8]) -> Option<Statement> {
    let envelope = from_json::<Bundle>("bundle", bundle).ok()?.dsse_envelope;
    let payload = STANDARD.decode(envelope.payload).ok()?;
    (envelope.payload_type == IN_TOTO).then(|| serde_json::from_slice(&payload).ok())?
}

fn read(artifact: Descriptor, bundle: &[u8]) -> Option<Said> {
    let envelope = from_json::<Bundle>("bundle", bundle).ok()?.dsse_envelope;
    if envelope.payload_type != IN_TOTO {
        return None;
    }
    let payload = STANDARD.decode(envelope.payload).ok()?;
    let statement = serde_json::from_slice(&payload).ok()?;
    let signatures = envelope.signatures.iter().filter_map(|one| STANDARD.decode(&one.sig).ok());
    Some(Said { artifact, statement, signatures: signatures.collect(), payload })
}

/// What is signed of a payload: DSSE's pre-authentication encoding.
fn encoding(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {IN_TOTO} {} ", IN_TOTO.len(), payload.len());
    [head.as_bytes(), payload].concat()
}
