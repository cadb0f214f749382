//! The bill of materials of an engine, from what the binary itself says.

use longshore_model::{Code, Error, Result};
use serde_json::{Value, json};

use crate::artifact::attach;
use crate::document::Descriptor;
use crate::{Engine, Layout, Package};

/// The type of a CycloneDX document.
pub const SBOM: &str = "application/vnd.cyclonedx+json";

/// The bill of materials as CycloneDX 1.6, of the packages that run. It has no time and no serial number, so
/// that equal engines have equal ones.
pub fn sbom(engine: &Engine) -> Result<Vec<u8>> {
    let runs = |package: &&Package| package.kind.is_none();
    let root = engine.packages.iter().find(|package| package.root);
    let components: Vec<Value> = engine
        .packages
        .iter()
        .filter(runs)
        .filter(|package| !package.root)
        .map(component)
        .collect();
    let dependencies: Vec<Value> = engine
        .packages
        .iter()
        .filter(runs)
        .map(|package| {
            let needs = package.dependencies.iter().filter_map(|place| engine.packages.get(*place));
            let needs: Vec<String> = needs.filter(runs).map(purl).collect();
            json!({ "ref": purl(package), "dependsOn": needs })
        })
        .collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": root.map(|root| {
                let mut component = component(root);
                component["type"] = json!("application");
                component["hashes"] = json!([{ "alg": "SHA-256", "content": engine.digest.hex() }]);
                component
            }),
        },
        "components": components,
        "dependencies": dependencies,
    });
    serde_json::to_vec(&document).map_err(|error| {
        Error::new(Code::Internal, "the bill of materials cannot be written").because(error)
    })
}

fn component(package: &Package) -> Value {
    json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
    })
}

fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version.replace('+', "%2B"))
}

/// Keeps the bill of materials as an artifact that speaks of an image.
pub(crate) fn attach_sbom(image: &Descriptor, engine: &Engine, layout: &Layout) -> Result<()> {
    attach(layout, image, SBOM, &sbom(engine)?, Default::default()).map(drop)
}
