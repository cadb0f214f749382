//! Builds an image: the engine in one layer, which all migrations share, and the migration in another.

use std::collections::BTreeMap;
use std::fs;

use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::document::{
    Annotations, Config, Descriptor, History, Index, Manifest, RootFs, Runtime, annotation, media,
    to_json,
};
use crate::layer::{Tree, USER};
use crate::sbom::attach_sbom;
use crate::{Digest, Engine, Layout, pem};

/// The program in an image.
const ENGINE: &str = "longshore";
/// The folder of the migration, which is what the program runs.
const MIGRATION: &str = "migration";
/// The folder in which the program starts and may write.
const WORK: &str = "work";
/// Where programs look for the authorities that they trust.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// What a layer's bytes follow from beside the engine; counts up when [`Tree`] or the authorities change.
const PACKING: u32 = 1;

/// What is sealed.
#[derive(Debug, Clone)]
pub struct Task {
    /// The migration's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does, in a line.
    pub description: String,
    /// The digest of its plan.
    pub plan: String,
    /// Its files, by their paths in the folder of the migration.
    pub files: BTreeMap<String, Vec<u8>>,
    /// When it was made, as RFC 3339. It is a part of the image.
    pub created: String,
}

/// Whether an image is one, or a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platforms {
    /// For the one engine that is given.
    One,
    /// A list, also for one engine.
    Index,
}

/// Builds an image into a layout and returns what it is. The same inputs give the same digest.
pub fn build(
    task: &Task,
    engines: &[Engine],
    platforms: Platforms,
    layout: &Layout,
) -> Result<Descriptor> {
    refuse_twins(engines)?;
    let content = keep(layout, &task.tree())?;
    let mut images = Vec::with_capacity(engines.len());
    for engine in engines {
        let layers = [engine_layer(engine, layout)?, content.clone()];
        let mut image = manifest(task, engine, &layers, layout)?;
        attach_sbom(&image, engine, layout)?;
        image.platform = Some(engine.platform.clone());
        images.push(image);
    }
    images.sort_by(|a, b| a.platform.cmp(&b.platform));
    match (images.len(), platforms) {
        (0, _) => Err(Error::new(Code::EngineUnusable, "an image needs an engine")),
        (1, Platforms::One) => Ok(Descriptor { platform: None, ..images.remove(0) }),
        _ => layout.put(media::INDEX, &to_json(&Index::new(images, task.annotations()))?),
    }
}

fn refuse_twins(engines: &[Engine]) -> Result<()> {
    for (number, engine) in engines.iter().enumerate() {
        let before = &engines[..number];
        if before.iter().any(|other| other.platform == engine.platform) {
            return Err(Error::new(Code::EngineUnusable, "two engines are for the same platform")
                .with("platform", engine.platform.to_string())
                .hint("Give one engine for each platform."));
        }
        if before.iter().any(|other| other.version != engine.version) {
            return Err(Error::new(Code::EngineUnusable, "the engines are of different versions")
                .with("platform", engine.platform.to_string())
                .with("version", engine.version.clone())
                .hint(
                    "One image has one version of the engine, so that it does the same everywhere.",
                ));
        }
    }
    Ok(())
}

impl Task {
    fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        tree.folder(MIGRATION);
        tree.own_folder(WORK);
        for (path, bytes) in &self.files {
            for (end, _) in path.match_indices('/') {
                tree.folder(&format!("{MIGRATION}/{}", &path[..end]));
            }
            tree.file(&format!("{MIGRATION}/{path}"), false, bytes.clone());
        }
        tree
    }

    fn annotations(&self) -> Annotations {
        let all = [
            (annotation::CREATED, &self.created),
            (annotation::TITLE, &self.name),
            (annotation::VERSION, &self.version),
            (annotation::DESCRIPTION, &self.description),
            (annotation::MIGRATION, &self.name),
            (annotation::MIGRATION_VERSION, &self.version),
            (annotation::PLAN, &self.plan),
        ];
        all.into_iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    }
}

/// A layer that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    blob: Descriptor,
    diff_id: Digest,
}

fn keep(layout: &Layout, tree: &Tree) -> Result<Kept> {
    let layer = tree.pack()?;
    Ok(Kept { blob: layout.put(media::LAYER, &layer.bytes)?, diff_id: layer.diff_id })
}

/// The layer of an engine. Compressing it takes longer than all the rest, so what was found is written
/// down beside the blobs.
fn engine_layer(engine: &Engine, layout: &Layout) -> Result<Kept> {
    let notes = layout.root().join("engines");
    let note = notes.join(format!("{}-{PACKING}.json", engine.digest.hex()));
    if let Some(kept) =
        fs::read(&note).ok().and_then(|json| serde_json::from_slice::<Kept>(&json).ok())
        && layout.check(&kept.blob).is_ok()
    {
        return Ok(kept);
    }
    let mut tree = Tree::default();
    tree.file(ENGINE, true, engine.bytes.clone());
    for folder in ["etc", "etc/ssl", "etc/ssl/certs"] {
        tree.folder(folder);
    }
    tree.file(AUTHORITIES, false, authorities().into_bytes());
    let kept = keep(layout, &tree)?;
    // Without the note the layer is packed again.
    let _ = fs::create_dir_all(&notes)
        .and_then(|()| fs::write(&note, serde_json::to_vec(&kept).unwrap_or_default()));
    Ok(kept)
}

fn manifest(task: &Task, engine: &Engine, layers: &[Kept], layout: &Layout) -> Result<Descriptor> {
    let mut annotations = task.annotations();
    annotations.insert(annotation::ENGINE.to_string(), engine.version.clone());
    let history = |what: &str| History {
        created: Some(task.created.clone()),
        created_by: Some(format!("longshore build: {what}")),
    };
    let config = Config {
        created: Some(task.created.clone()),
        architecture: engine.platform.architecture.clone(),
        os: engine.platform.os.clone(),
        config: runtime(&annotations),
        rootfs: RootFs {
            kind: "layers".to_string(),
            diff_ids: layers.iter().map(|layer| layer.diff_id.clone()).collect(),
        },
        history: vec![history("engine"), history("migration")],
    };
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::MANIFEST.to_string()),
        artifact_type: None,
        config: layout.put(media::CONFIG, &to_json(&config)?)?,
        layers: layers.iter().map(|layer| layer.blob.clone()).collect(),
        subject: None,
        annotations,
    };
    layout.put(media::MANIFEST, &to_json(&manifest)?)
}

fn runtime(annotations: &Annotations) -> Runtime {
    Runtime {
        user: format!("{USER}:{USER}"),
        env: Vec::new(),
        entrypoint: vec![format!("/{ENGINE}")],
        cmd: vec!["run".to_string(), format!("/{MIGRATION}")],
        volumes: [(format!("/{WORK}"), serde_json::Map::new())].into(),
        working_dir: format!("/{WORK}"),
        labels: annotations.clone(),
    }
}

/// The authorities that Mozilla trusts, as of the build of this program: an empty image has none.
fn authorities() -> String {
    let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    certificates.map(|certificate| pem::encode("CERTIFICATE", certificate)).collect()
}
