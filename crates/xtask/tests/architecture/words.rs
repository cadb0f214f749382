//! Words that must not stand in some rooms.

use super::root;
use super::source::Source;

/// What systems and their formats are called.
const SYSTEMS: &[&str] = &[
    "sqlite", "postgres", "mysql", "mariadb", "mongo", "redis", "parquet", "csv", "jsonl", "ndjson",
];

#[test]
fn engine_and_model_name_no_system() {
    for room in ["crates/model/src", "crates/engine/src", "crates/service/src"] {
        for source in Source::all(&root().join(room)) {
            // The control plane keeps its own books in a database, which is no system that data moves to.
            if source.path.components().any(|part| part.as_os_str() == "book") {
                continue;
            }
            for word in source.words() {
                let lower = word.to_ascii_lowercase();
                let system = SYSTEMS.iter().find(|system| lower.contains(*system));
                assert!(system.is_none(), "{} names a system: {word}", source.path.display());
            }
            if room.ends_with("service/src") {
                continue;
            }
            for literal in &source.literals {
                let named = SYSTEMS.contains(&literal.as_str());
                assert!(!named, "{} asks for a system: {literal:?}", source.path.display());
            }
        }
    }
}

/// Only `cli` touches the terminal, the environment and the home folder.
#[test]
fn only_the_command_line_knows_its_surroundings() {
    let rooms = [
        "crates/model/src",
        "crates/engine/src",
        "crates/service/src",
        "crates/connectors/all/src",
        "crates/connectors/sqlite/src",
        "crates/connectors/objects/src",
    ];
    for room in rooms {
        for source in Source::all(&root().join(room)) {
            for words in [
                "env::var",
                "env::args",
                "env::home_dir",
                "println!",
                "stdout()",
                "stderr()",
                "stdin()",
            ] {
                assert!(!source.code.contains(words), "{} has {words}", source.path.display());
            }
        }
    }
}
