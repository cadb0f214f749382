//! What changed from one image of a migration to another.

use std::collections::{BTreeMap, BTreeSet};

use longshore_engine::describe_plan;
use longshore_image::document::Descriptor;
use longshore_image::{Digest, Engine, Image};
use longshore_model::Result;
use longshore_model::plan::Plan;
use serde::Serialize;
use similar::TextDiff;

use super::{Images, not_a_migration};

const PLAN: &str = "plan.json";
/// Lines that are the same, around those that changed.
const CONTEXT: usize = 3;

/// How two images differ.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The first one's digest.
    pub from: Digest,
    /// The second one's.
    pub to: Digest,
    /// The files of the migration that changed, each as a unified diff; the plan as people read it.
    pub files: BTreeMap<String, String>,
    /// What changed in the engine for each platform.
    pub engines: Vec<EngineDifference>,
}

/// How the engines for one platform differ.
#[derive(Debug, Clone, Serialize)]
pub struct EngineDifference {
    /// The platform.
    pub platform: String,
    /// The versions, of the image that has an engine for it.
    pub from: Option<String>,
    /// The second one's.
    pub to: Option<String>,
    /// Packages in them that changed.
    pub packages: Vec<PackageDifference>,
}

/// A package that is in one engine alone, or in other versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageDifference {
    /// Its name.
    pub name: String,
    /// The versions in the first engine.
    pub from: Vec<String>,
    /// The versions in the second.
    pub to: Vec<String>,
}

impl Difference {
    /// Whether the images do the same.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.engines.is_empty()
    }
}

impl Images {
    /// What changed from an image to another.
    pub fn diff(&self, from: &Descriptor, to: &Descriptor) -> Result<Difference> {
        let (before, after) = (self.sealed(from)?, self.sealed(to)?);
        let names: BTreeSet<&String> = before.files.keys().chain(after.files.keys()).collect();
        let texts = |name: &String| {
            let text = |sealed: &Sealed| sealed.files.get(name).cloned().unwrap_or_default();
            (text(&before), text(&after))
        };
        let files = names
            .into_iter()
            .map(|name| (name, texts(name)))
            .filter(|(_, (before, after))| before != after)
            .map(|(name, (before, after))| (name.clone(), unified(name, &before, &after)))
            .collect();
        let engines = engines(&before.engines, &after.engines);
        Ok(Difference { from: from.digest.clone(), to: to.digest.clone(), files, engines })
    }

    fn sealed(&self, root: &Descriptor) -> Result<Sealed> {
        let mut sealed = Sealed { files: BTreeMap::new(), engines: BTreeMap::new() };
        for image in Image::all(&self.layout, root)? {
            let mut files = self.files(&image)?;
            let engine =
                files.remove("longshore").ok_or_else(|| not_a_migration(&image.descriptor))?;
            sealed.engines.insert(image.platform().to_string(), Engine::of(engine)?);
            for (path, bytes) in files {
                if let Some(name) = path.strip_prefix("migration/") {
                    sealed.files.insert(name.to_string(), text(name, &bytes)?);
                }
            }
        }
        Ok(sealed)
    }
}

/// What is compared of an image.
struct Sealed {
    files: BTreeMap<String, String>,
    engines: BTreeMap<String, Engine>,
}

fn text(name: &str, bytes: &[u8]) -> Result<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    match name {
        PLAN => Ok(describe_plan(&Plan::from_json(&text)?, true)),
        _ => Ok(text),
    }
}

fn unified(name: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(CONTEXT).header(name, name).to_string()
}

fn engines(
    before: &BTreeMap<String, Engine>,
    after: &BTreeMap<String, Engine>,
) -> Vec<EngineDifference> {
    let platforms: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let digest = |engine: Option<&Engine>| engine.map(|engine| engine.digest.clone());
    platforms
        .into_iter()
        .map(|platform| (platform, before.get(platform), after.get(platform)))
        .filter(|(_, before, after)| digest(*before) != digest(*after))
        .map(|(platform, before, after)| EngineDifference {
            platform: platform.clone(),
            from: before.map(|engine| engine.version.clone()),
            to: after.map(|engine| engine.version.clone()),
            packages: packages(before, after),
        })
        .collect()
}

fn packages(before: Option<&Engine>, after: Option<&Engine>) -> Vec<PackageDifference> {
    let (before, after) = (versions(before), versions(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of =
        |side: &BTreeMap<String, Vec<String>>, name| side.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| PackageDifference {
            name: name.clone(),
            from: of(&before, name),
            to: of(&after, name),
        })
        .filter(|one| one.from != one.to)
        .collect()
}

/// The versions of each package that runs in an engine.
fn versions(engine: Option<&Engine>) -> BTreeMap<String, Vec<String>> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in engine.iter().flat_map(|engine| &engine.packages) {
        if package.kind.is_none() {
            versions.entry(package.name.clone()).or_default().push(package.version.clone());
        }
    }
    versions.values_mut().for_each(|versions| versions.sort());
    versions
}
