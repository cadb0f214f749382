use std::path::Path;

use crate::stage::Stage;

/// `longshore reference docs/reference` writes them anew.
#[test]
fn the_reference_is_not_stale() {
    let stage = Stage::empty();
    stage.done(&["reference", "new"]);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let pages = [
        "cli.md",
        "errors.md",
        "systems.md",
        "types.md",
        "migration.schema.json",
        "openapi.json",
        "longshore.1",
    ];
    for name in pages {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(name)).expect(name);
        assert!(
            read(&stage.join("new")) == read(&kept),
            "docs/reference/{name} is stale: cargo run -- reference docs/reference"
        );
    }
}

#[test]
fn the_examples_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            longshore_service::load(&path).unwrap_or_else(|error| panic!("{error:?}"));
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}
