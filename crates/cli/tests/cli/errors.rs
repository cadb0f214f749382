use std::io::Read;

use crate::stage::Stage;

#[test]
fn help_and_version_go_to_the_standard_output() {
    let stage = Stage::empty();
    for verb in ["init", "copy", "plan", "run", "verify", "report", "demo", "explain", "completion"]
    {
        let ran = stage.done(&[verb, "--help"]);
        assert!(ran.out.contains("Examples:"), "{verb} has no example");
        assert!(!ran.out.contains("failpoint"), "{verb} shows what is for tests only");
    }
    assert!(stage.done(&["--version"]).out.starts_with("longshore "));
    assert_eq!(stage.run(&[]).code, Some(2));
    assert_eq!(stage.run(&["fly"]).code, Some(2));
}

#[test]
fn every_mistake_has_a_code_an_advice_and_an_exit_code() {
    let stage = Stage::shop(10);
    stage.write("empty.yaml", "longshore: v1\nname: x\nmoves: []\n");
    stage.write(
        "policy.yaml",
        "longshore: v1\nname: x\nmoves: [{from: 'sqlite:shop.db', to: 'file:o'}]\npolicies: {nan: zero}\n",
    );
    stage.write(
        "rule.yaml",
        "longshore: v1\nname: x\nmoves: [{from: 'sqlite:shop.db', to: 'file:o', tables: [ordesr]}]\n",
    );
    for (args, exit, code) in [
        (&["copy", "shop.db", "file:o"][..], 2, "LS0005"),
        (&["copy", "sqlite:shop.db", "nosuch:o"], 2, "LS0006"),
        (&["copy", "sqlite:shop.db", "sqlite:shop.db"], 2, "LS0001"),
        (&["copy", "sqlite:none.db", "file:o"], 42, "LS0101"),
        (&["copy", "sqlite:shop.db", "file:o?frmat=csv"], 2, "LS0005"),
        (&["run"], 42, "LS0101"),
        (&["run", "sqlite:shop.db"], 2, "LS0001"),
        (&["run", "empty.yaml"], 2, "LS0002"),
        (&["run", "policy.yaml"], 2, "LS0002"),
        (&["plan", "rule.yaml"], 2, "LS0003"),
        (&["report"], 42, "LS0101"),
        (&["report", "2026"], 42, "LS0101"),
        (&["explain", "LS9999"], 2, "LS0001"),
        (&["verify", "sqlite:shop.db", "sqlite:other.db"], 43, "LS0402"),
    ] {
        let ran = stage.run(args);
        assert_eq!(ran.code, Some(exit), "{args:?} {}", ran.err);
        assert!(ran.err.contains(&format!("error[{code}]: ")), "{args:?} {}", ran.err);
        assert!(ran.err.contains("  = help: "), "{args:?} {}", ran.err);
        assert!(ran.err.contains(&format!("  = see: longshore explain {code}\n")), "{}", ran.err);
        assert!(!ran.err.contains('\x1b'), "colours in a file: {}", ran.err);
    }
    assert!(!stage.join("o").exists() && !stage.join("none.db").exists());
    assert!(!stage.join("other.db").exists());
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    let stage = Stage::empty();
    let text = "longshore: v1\nname: x\nmoves:\n  - from: sqlite:a\n    to: mysql://me:hunter2@db/x\n    tabels: []\n";
    stage.write("m.yaml", text);
    let ran = stage.run(&["plan", "m.yaml"]);
    assert_eq!(ran.code, Some(2));
    for part in ["m.yaml", "line 6", "tabels"] {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}

#[test]
fn errors_are_events_too() {
    let stage = Stage::empty();
    let ran = stage.run(&["copy", "sqlite:none.db", "file:o", "--json"]);
    let event = ran.event("error");
    assert_eq!(event["code"], "LS0101");
    assert_eq!(event["kind"], "not-found");
    assert!(event["advice"].is_string() && event["causes"].is_array());
    let usage = stage.run(&["copy", "sqlite:none.db", "--json"]);
    assert_eq!((usage.code, usage.event("error")["code"].as_str()), (Some(2), Some("LS0001")));
}

#[test]
fn secrets_come_from_the_environment_or_a_file_and_are_never_shown() {
    let stage = Stage::shop(50);
    std::fs::rename(stage.join("shop.db"), stage.join("hunter2.db")).expect("a new name");
    stage.write("address", "file:swordfish\n");
    stage.write(
        "m.yaml",
        "longshore: v1\nname: x\nmoves: [{from: 'sqlite:${secret:NAME}', to: '${secret:TO}'}]\n",
    );
    let missing = stage.run(&["run", "m.yaml"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("LS0004") && missing.err.contains("NAME"), "{}", missing.err);

    let run = |args: &[&str], name: &str| -> crate::stage::Ran {
        let mut command = stage.command(args);
        command.env("NAME", name).env("TO_FILE", "address").output().expect("it runs").into()
    };
    let wrong = run(&["run", "m.yaml"], "hunter2-none.db");
    assert_eq!(wrong.code, Some(42));
    let plain = run(&["run", "m.yaml"], "hunter2.db");
    assert_eq!(plain.code, Some(0), "{}", plain.err);
    let json = run(&["run", "m.yaml", "--json"], "hunter2.db");
    let plan = run(&["plan", "m.yaml", "--json"], "hunter2.db");
    let mut texts: Vec<String> = Vec::new();
    for ran in [wrong, plain, json, plan] {
        texts.extend([ran.out, ran.err]);
    }
    for run in std::fs::read_dir(stage.join(".longshore/runs")).expect("runs") {
        for file in std::fs::read_dir(run.expect("a run").path()).expect("a run") {
            texts.push(std::fs::read_to_string(file.expect("a file").path()).expect("text"));
        }
    }
    for text in &texts {
        assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
    }
    assert!(texts.len() > 12, "every run leaves its files");
}

#[test]
fn codes_are_explained() {
    let stage = Stage::empty();
    assert!(stage.done(&["explain", "ls0201"]).out.contains("--existing"));
    assert!(stage.done(&["explain"]).out.lines().count() > 20);
    assert!(stage.done(&["explain", "--json"]).events().len() > 20);
}

#[test]
fn completion_scripts_name_the_verbs() {
    let stage = Stage::empty();
    for shell in ["bash", "zsh", "fish"] {
        assert!(stage.done(&["completion", shell]).out.contains("verify"), "{shell}");
    }
    assert_eq!(stage.run(&["completion", "none"]).code, Some(2));
}

#[test]
fn a_reader_that_goes_away_does_no_harm() {
    let stage = Stage::shop(2000);
    let mut child = stage.start(&["copy", "sqlite:shop.db", "sqlite:copy.db", "--json"]);
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    stage.same("shop.db", "copy.db");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let stage = Stage::empty();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let status = stage.command(&["explain"]).stdout(full).status().expect("it runs");
    assert_eq!(status.code(), Some(1));
}
