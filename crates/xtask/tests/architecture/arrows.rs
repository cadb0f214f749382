//! Dependencies point one way.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};

use super::root;

const MODEL: &str = "longshore-model";
const DIALECT: &str = "longshore-dialect";
const ENGINE: &str = "longshore-engine";
const CONNECTORS: &str = "longshore-connectors";
const IMAGE: &str = "longshore-image";
const REGISTRY: &str = "longshore-registry";
const DEPLOY: &str = "longshore-deploy";
const SERVER: &str = "longshore-server";
const SERVICE: &str = "longshore-service";
const CLI: &str = "longshore-cli";
const SERVICES: &str = "longshore-services";
const TESTKIT: &str = "longshore-testkit";
const XTASK: &str = "xtask";
const DECODERS: &str = "longshore-decoders";
const BENCH: &str = "longshore-bench";

/// What each crate may know of the others. `connectors/all` and the connectors are not listed: the
/// one knows the model and every connector, the others the model, the dialect and nothing else.
const ARROWS: &[(&str, &[&str])] = &[
    (MODEL, &[]),
    (DIALECT, &[MODEL]),
    (ENGINE, &[MODEL]),
    (IMAGE, &[MODEL]),
    (REGISTRY, &[MODEL, IMAGE]),
    (DEPLOY, &[MODEL]),
    (SERVICE, &[MODEL, ENGINE, CONNECTORS, IMAGE, DEPLOY]),
    (SERVER, &[MODEL, IMAGE, REGISTRY, SERVICE]),
    (CLI, &[MODEL, ENGINE, SERVICE, SERVER, IMAGE, REGISTRY]),
    (SERVICES, &[]),
    (TESTKIT, &[MODEL, ENGINE, SERVICES]),
    (XTASK, &[SERVICES]),
    // Files can be decoded only through their connector.
    (DECODERS, &[MODEL, "longshore-objects"]),
    (BENCH, &[MODEL, ENGINE, CONNECTORS, SERVICES, TESTKIT]),
];

/// Crates from outside that only some of ours may use: the terminal, and heavy ones that a folder
/// keeps in.
const QUARANTINES: &[(&str, &[&str])] = &[
    ("clap", &[CLI]),
    ("clap_complete", &[CLI]),
    ("clap_mangen", &[CLI]),
    ("indicatif", &[CLI]),
    // The control plane keeps its books in one. Demo and tests make and compare databases without longshore's own
    // eyes.
    ("rusqlite", &["longshore-sqlite", SERVICE, CLI, TESTKIT, BENCH]),
    ("sqlparser", &[DIALECT, "longshore-objects"]),
    ("parquet", &["longshore-objects", BENCH]),
    ("proptest", &[TESTKIT]),
    ("rcgen", &[TESTKIT]),
    ("axum", &[SERVER]),
    ("bollard", &[DEPLOY]),
    ("landlock", &[DEPLOY]),
    ("seccompiler", &[DEPLOY]),
    ("tar", &[IMAGE, DEPLOY]),
    ("tempfile", &[TESTKIT, DECODERS]),
];

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).features(CargoOpt::AllFeatures).no_deps();
    command.other_options(["--offline".to_string()]);
    command.exec().expect("cargo metadata describes the workspace")
}

fn is_connector(package: &Package) -> bool {
    let folder = package.manifest_path.parent().expect("a manifest is in a folder");
    folder.parent().is_some_and(|parent| parent.ends_with("crates/connectors"))
        && !folder.ends_with("all")
}

/// Whom each crate may know, with the connectors as they are found in their folder.
fn allowed(packages: &[&Package]) -> BTreeMap<String, BTreeSet<String>> {
    let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let mut allowed: BTreeMap<_, _> =
        ARROWS.iter().map(|(name, others)| (name.to_string(), set(others))).collect();
    let mut all = set(&[MODEL]);
    for package in packages.iter().filter(|package| is_connector(package)) {
        allowed.insert(package.name.to_string(), set(&[MODEL, DIALECT]));
        all.insert(package.name.to_string());
    }
    allowed.insert(CONNECTORS.to_string(), all);
    allowed
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let ours: BTreeSet<String> = packages.iter().map(|package| package.name.to_string()).collect();
    let allowed = allowed(&packages);
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package.name.to_string();
        let Some(may_know) = allowed.get(&name) else {
            wrong.push(format!("{name} has no place in the house: add it to ARROWS"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|one| ours.contains(&one.name)) {
            let for_tests = dependency.kind == DependencyKind::Development;
            let fine = may_know.contains(&dependency.name)
                || for_tests && (dependency.name == TESTKIT || name == TESTKIT || name == XTASK);
            if !fine {
                wrong.push(format!("{name} must not know {}", dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_house_has_the_rooms_that_the_arrows_name() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let names: BTreeSet<String> = packages.iter().map(|package| package.name.to_string()).collect();
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != BENCH) {
        assert!(names.contains(*name), "{name} is gone: take it out of ARROWS");
    }
    let connectors: Vec<_> = packages.iter().filter(|package| is_connector(package)).collect();
    assert!(connectors.len() >= 2, "the connectors are not where this test looks for them");
    let all = packages.iter().find(|package| package.name == CONNECTORS).expect("connectors/all");
    for connector in connectors {
        let listed = all.dependencies.iter().any(|one| one.name == connector.name.as_str());
        assert!(listed, "{} is not in connectors/all", connector.name);
    }
}

#[test]
fn outside_crates_stay_where_they_belong() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let used = package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal);
        for dependency in used {
            let homes = QUARANTINES.iter().find(|(name, _)| *name == dependency.name);
            if let Some((name, homes)) = homes {
                let home = homes.contains(&package.name.as_str());
                assert!(home, "{} must not use {name}; it belongs to {homes:?}", package.name);
            }
            if package.name == MODEL {
                assert_ne!(dependency.name, "tokio", "the model has no runtime");
            }
        }
    }
}
