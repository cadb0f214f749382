//! Signatures of images, in the two forms that the field knows: cosign's own, which skopeo and podman ask
//! for, and sigstore's bundle.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::artifact::{self, Artifact};
use crate::document::{
    Annotations, Config, Descriptor, Index, Manifest, RootFs, Runtime, from_json, media, to_json,
};
use crate::statement::{Statement, attest};
use crate::{Digest, Layout, Name, PrivateKey, PublicKey};

/// What an artifact with signatures of cosign's form is.
pub const COSIGN: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// What is signed in it.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Where the signature stands.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// What a bundle says of an image that is only signed.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// What a signature of cosign's form signs (containers-signature(5)).
#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    optional: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Pinned,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pinned {
    docker_manifest_digest: Digest,
}

/// Signs an image under a name, and each image in it. Signing again with the same key adds nothing.
pub fn sign(layout: &Layout, image: &Descriptor, name: &Name, key: &PrivateKey) -> Result<()> {
    for one in signed_parts(layout, image)? {
        sign_as_cosign(layout, &one, name, key)?;
        let bundles = crate::statement::read_all(layout, &one)?;
        let is_there = |said: &crate::statement::Said| {
            said.statement.predicate_type == SIGNED && said.is_proved_by(&key.public())
        };
        if !bundles.iter().any(is_there) {
            attest(layout, &one, &Statement::of(&one, SIGNED, serde_json::json!({})), key)?;
        }
    }
    Ok(())
}

/// Whether an image, and each image in it, has a signature that a key proves. The digest is what is
/// signed: whatever name the image has meanwhile.
pub fn is_signed(layout: &Layout, image: &Descriptor, key: &PublicKey) -> Result<bool> {
    for one in signed_parts(layout, image)? {
        let mut proved = false;
        for artifact in layout.referrers(&one.digest)? {
            if artifact.artifact_type.as_deref() == Some(COSIGN) {
                proved |= proves(layout, &artifact, &one, key)?;
            }
        }
        if !proved {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The tag under which tools without a list of referrers look for signatures of an image.
pub fn tag_of(image: &Digest) -> String {
    format!("{}-{}.sig", image.algorithm(), image.hex())
}

/// An index and the images in it, or the one image.
fn signed_parts(layout: &Layout, image: &Descriptor) -> Result<Vec<Descriptor>> {
    let mut parts = vec![image.clone()];
    if image.is_index() {
        parts.extend(from_json::<Index>("index", &layout.read(image)?)?.manifests);
    }
    Ok(parts)
}

fn sign_as_cosign(
    layout: &Layout,
    image: &Descriptor,
    name: &Name,
    key: &PrivateKey,
) -> Result<()> {
    let tag = name.tag.as_deref().unwrap_or("latest");
    let payload = to_json(&Payload {
        critical: Critical {
            identity: Identity { docker_reference: name.tagged(tag).to_string() },
            image: Pinned { docker_manifest_digest: image.digest.clone() },
            kind: "cosign container image signature".to_string(),
        },
        optional: None,
    })?;
    let mut referrers = layout.referrers(&image.digest)?.into_iter();
    let before = referrers.find(|one| one.artifact_type.as_deref() == Some(COSIGN));
    let mut layers = match &before {
        Some(artifact) => from_json::<Manifest>("manifest", &layout.read(artifact)?)?.layers,
        None => Vec::new(),
    };
    let blob = Descriptor::of(PAYLOAD, &payload);
    let same = layers.iter().filter(|layer| layer.digest == blob.digest);
    if same.filter_map(signature_of).any(|signature| key.public().proves(&payload, &signature)) {
        return Ok(());
    }
    let mut layer = layout.put(PAYLOAD, &payload)?;
    let signature = STANDARD.encode(key.sign(&payload)?);
    layer.annotations = Annotations::from([(SIGNATURE.to_string(), signature)]);
    layers.push(layer);
    let config = layout.put(media::CONFIG, &to_json(&config(&layers))?)?;
    artifact::put(
        layout,
        image,
        Artifact { kind: COSIGN, config, layers, annotations: Annotations::new(), before },
    )
    .map(drop)
}

/// The artifact that has the signatures of another in addition; `None` when it lacks none. It is kept, and not
/// yet listed.
pub(crate) fn join(
    layout: &Layout,
    image: &Descriptor,
    artifact: &Descriptor,
    other: &Manifest,
) -> Result<Option<Descriptor>> {
    let mut manifest: Manifest = from_json("manifest", &layout.read(artifact)?)?;
    let is_there = |layers: &[Descriptor], layer: &Descriptor| {
        layers.iter().any(|one| one.digest == layer.digest && one.annotations == layer.annotations)
    };
    let missing = other.layers.iter().filter(|layer| layer.media_type == PAYLOAD);
    let missing = missing.filter(|layer| !is_there(&manifest.layers, layer));
    let missing: Vec<Descriptor> = missing.cloned().collect();
    if missing.is_empty() {
        return Ok(None);
    }
    manifest.layers.extend(missing);
    manifest.config = layout.put(media::CONFIG, &to_json(&config(&manifest.layers))?)?;
    manifest.subject = Some(Descriptor::new(&image.media_type, image.digest.clone(), image.size));
    let mut joined = layout.put(media::MANIFEST, &to_json(&manifest)?)?;
    joined.artifact_type = Some(COSIGN.to_string());
    Ok(Some(joined))
}

/// What stands in place of a config: that of an image whose layers are what is signed.
fn config(layers: &[Descriptor]) -> Config {
    Config {
        created: None,
        architecture: String::new(),
        os: String::new(),
        config: Runtime::default(),
        rootfs: RootFs {
            kind: "layers".to_string(),
            diff_ids: layers.iter().map(|layer| layer.digest.clone()).collect(),
        },
        history: Vec::new(),
    }
}

fn proves(
    layout: &Layout,
    artifact: &Descriptor,
    image: &Descriptor,
    key: &PublicKey,
) -> Result<bool> {
    let manifest: Manifest = from_json("manifest", &layout.read(artifact)?)?;
    for layer in &manifest.layers {
        let Some(signature) = signature_of(layer) else { continue };
        let bytes = layout.read(layer)?;
        let said = serde_json::from_slice::<Payload>(&bytes);
        let is_of_it =
            said.is_ok_and(|said| said.critical.image.docker_manifest_digest == image.digest);
        if is_of_it && key.proves(&bytes, &signature) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn signature_of(layer: &Descriptor) -> Option<Vec<u8>> {
    STANDARD.decode(layer.annotations.get(SIGNATURE)?).ok()
}

/// Refuses an image that a key has not signed.
pub fn demand(layout: &Layout, image: &Descriptor, key: &PublicKey) -> Result<()> {
    if is_signed(layout, image, key)? {
        return Ok(());
    }
    Err(Error::new(Code::SignatureMissing, "the image is not signed with this key")
        .with("image", image.digest.to_string())
        .with("key", key.id().to_string()))
}

#[cfg(test)]
mod tests {
    use longshore_model::Code;
    use serde_json::{Value, json};

    use super::{demand, is_signed, sign};
    use crate::artifact::content;
    use crate::document::{Descriptor, Index, media, to_json};
    use crate::statement::{Statement, attest, read_all};
    use crate::{Layout, PrivateKey};

    struct Signed {
        _folder: tempfile::TempDir,
        layout: Layout,
        image: Descriptor,
    }

    fn image() -> Signed {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::open_or_create(&folder.path().join("images")).expect("a layout");
        let part = layout.put(media::MANIFEST, b"{}").expect("a manifest");
        let index = to_json(&Index::new(vec![part], Default::default())).expect("JSON");
        let image = layout.put(media::INDEX, &index).expect("an index");
        Signed { _folder: folder, layout, image }
    }

    fn key() -> PrivateKey {
        PrivateKey::from_pem(&PrivateKey::generate().expect("a key")).expect("a key")
    }

    #[test]
    fn an_image_is_signed_as_a_whole_and_in_its_parts() {
        let Signed { layout, image, .. } = &image();
        let (mine, other, name) = (key(), key(), "shop:1".parse().expect("a name"));
        let missing = demand(layout, image, &mine.public()).expect_err("not signed");
        assert_eq!(missing.code(), Code::SignatureMissing);
        sign(layout, image, &name, &mine).expect("a signature");
        demand(layout, image, &mine.public()).expect("signed");
        assert!(!is_signed(layout, image, &other.public()).expect("an answer"));
        let before = layout.referrers(&image.digest).expect("a list");
        assert_eq!(before.len(), 2, "one for cosign, one bundle");
        sign(layout, image, &name, &mine).expect("the same again");
        assert_eq!(layout.referrers(&image.digest).expect("a list"), before);
        sign(layout, image, &name, &other).expect("a second signature");
        sign(layout, image, &"shop:2".parse().expect("a name"), &mine).expect("a second name");
        assert_eq!(layout.referrers(&image.digest).expect("a list").len(), 3, "one for cosign");
        demand(layout, image, &mine.public()).expect("signed");
        demand(layout, image, &other.public()).expect("signed");
    }

    #[test]
    fn a_signature_of_one_image_is_none_of_another() {
        let Signed { layout, image, .. } = &image();
        let key = key();
        sign(layout, image, &"shop:1".parse().expect("a name"), &key).expect("a signature");
        let another = layout.put(media::MANIFEST, br#"{"a":1}"#).expect("a manifest");
        for artifact in layout.referrers(&image.digest).expect("a list") {
            layout.refer(&artifact, &image.digest, Some(&artifact)).expect("taken away");
            let moved = Descriptor { annotations: Default::default(), ..artifact };
            layout.refer(&moved, &another.digest, Some(&moved)).expect("moved");
        }
        assert!(!is_signed(layout, &another, &key.public()).expect("an answer"));
        assert!(read_all(layout, &another).expect("a list").is_empty());
    }

    #[test]
    fn statements_are_read_with_their_proof_and_changed_ones_are_not_proved() {
        let Signed { layout, image, .. } = &image();
        let key = key();
        let said = Statement::of(image, "https://example.com/run", json!({ "rows": 7 }));
        let artifact = attest(layout, image, &said, &key).expect("a statement");
        let found = read_all(layout, image).expect("a list");
        assert_eq!(found[0].statement, said);
        assert!(found[0].is_proved_by(&key.public()));
        let mut bundle: Value =
            serde_json::from_slice(&content(layout, &artifact).expect("bytes")).expect("JSON");
        let wrong = Statement { predicate: json!({ "rows": 8 }), ..said };
        use base64::Engine as _;
        let payload = to_json(&wrong).expect("JSON");
        let payload = base64::engine::general_purpose::STANDARD.encode(payload);
        bundle["dsseEnvelope"]["payload"] = Value::from(payload);
        let bytes = serde_json::to_vec(&bundle).expect("JSON");
        let kind = crate::statement::BUNDLE;
        crate::artifact::attach(layout, image, kind, &bytes, Default::default()).expect("put");
        let found = read_all(layout, image).expect("a list");
        assert_eq!(found.len(), 2);
        assert!(!found[1].is_proved_by(&key.public()), "changed");
    }
}
