use longshore_model::Code;
use longshore_model::plan::Plan;
use longshore_model::spec::{Existing, Spec, VerifyLevel, Workers};

use crate::{Overrides, Service, load, load_plan};

fn service() -> Service {
    Service::new(Box::new(|name| Ok((name == "PW").then(|| "hunter2".to_string()))))
}

#[test]
fn addresses_without_a_scheme_are_refused_with_the_right_one() {
    for (from, hint) in [("shop.db", "sqlite:shop.db"), ("shop", "file:shop?format=parquet")] {
        let error = service().links(&Spec::short(from, "file:x")).err().expect(from);
        assert_eq!(error.code(), Code::UrlInvalid);
        assert!(error.advice().contains(hint), "{}", error.advice());
    }
}

#[test]
fn secrets_do_not_show_in_errors_about_addresses() {
    for (from, to) in [
        ("${secret:PW}", "file:x"),
        ("${secret:PW}:x", "file:x"),
        ("file:x", "me:hunter2@db"),
        ("sqlite:a.db", "${secret:PW}://me:hunter2@db"),
    ] {
        let error = service().links(&Spec::short(from, to)).err().expect(from);
        let text = format!("{error:?} {}", error.advice());
        assert!(!text.contains("hunter2"), "{text}");
    }
    let error = service().links(&Spec::short("${secret:NONE}", "file:x")).err().expect("not set");
    assert_eq!(error.code(), Code::SecretMissing);
    assert!(error.to_string().contains("NONE") && error.advice().contains("NONE_FILE"));
}

#[test]
fn secrets_in_conditions_are_refused() {
    let mut spec = Spec::short("sqlite:a.db", "file:x");
    spec.moves[0].filter.insert("t".to_string(), "a = '${secret:PW}'".to_string());
    assert_eq!(service().links(&spec).err().expect("refused").code(), Code::SpecInvalid);
}

#[test]
fn servers_with_one_name_of_a_database_are_told_apart() {
    let spec = Spec::short("postgres:///shop?host=/run/old", "postgres:///shop?host=/run/new");
    assert_eq!(service().links(&spec).expect("two servers").len(), 1);
    let spec = Spec::short("sqlite:shop.db", "sqlite:./shop.db");
    assert_eq!(service().links(&spec).err().expect("refused").code(), Code::Usage);
}

#[test]
fn the_command_line_overrides_the_file() {
    let mut spec = Spec::short("sqlite:a.db", "file:x");
    let overrides = Overrides {
        existing: Some(Existing::Replace),
        workers: Some(Workers::Fixed(3)),
        verify: Some(VerifyLevel::Count),
        ..Overrides::default()
    };
    overrides.apply(&mut spec);
    assert_eq!(spec.moves[0].existing, Existing::Replace);
    assert_eq!(spec.limits.workers, Workers::Fixed(3));
    assert_eq!(spec.verify, VerifyLevel::Count);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = load(folder.path()).expect_err("no migration.yaml");
    assert_eq!(missing.code(), Code::NotFound);
    assert!(missing.to_string().contains("migration.yaml"));
    let binary = folder.path().join("binary");
    std::fs::write(&binary, b"abc\xff").expect("a file");
    assert_eq!(load(&binary).expect_err("not text").code(), Code::SpecInvalid);
    assert_eq!(load_plan(&binary).expect_err("not text").code(), Code::SpecInvalid);
}

#[test]
fn old_files_still_load() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
    let spec = load(format!("{golden}/migration-v1.yaml").as_ref()).expect("a migration");
    assert_eq!((spec.moves.len(), spec.moves[0].columns.len()), (2, 1));
    let plan = load_plan(format!("{golden}/plan-v1.json").as_ref()).expect("a plan");
    assert_eq!(plan.moves[0].tables[0].chunks.len(), 2);
    let again = Plan::from_json(&plan.to_json().expect("JSON")).expect("a plan");
    assert_eq!(again, plan);
}
