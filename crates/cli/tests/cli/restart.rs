use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::thread::sleep;
use std::time::Duration;

use crate::stage::Stage;

/// Small chunks, so that a small shop has many.
fn migration(stage: &Stage, to: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: x\nmoves: [{{from: 'sqlite:shop.db', to: '{to}'}}]\nlimits: {{chunk: 16KiB, workers: 2}}\n"
        ),
    );
}

/// Kills a run at a point, starts it again and compares.
fn kill_and_go_on(point: &str, to: &str) {
    let stage = Stage::shop(2000);
    migration(&stage, to);
    let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
    assert_eq!(killed.code, None, "{point} {to}: not killed\n{}", killed.err);
    let again = stage.done(&["run", "m.yaml", "--json"]);
    assert_eq!(again.event("result")["outcome"], "verified", "{point} {to}");
    if to != "sqlite:copy.db" {
        stage.done(&["copy", to, "sqlite:copy.db"]);
    }
    stage.same("shop.db", "copy.db");
}

#[test]
fn killed_at_any_point_it_goes_on_and_ends_the_same() {
    for point in [
        "prepare.done",
        "copy.batch:2",
        "copy.chunk-open:2",
        "copy.chunk-written:3",
        "copy.chunk-committed:4",
        "copy.done",
        "finish.done",
    ] {
        kill_and_go_on(point, "sqlite:copy.db");
        kill_and_go_on(point, "file:out");
    }
}

#[test]
fn killed_inside_a_connector_it_goes_on_and_ends_the_same() {
    for point in [
        "before-begin",
        "after-begin",
        "before-commit:3",
        "after-commit:3",
        "before-statement",
        "after-statement",
    ] {
        kill_and_go_on(&format!("sqlite.{point}"), "sqlite:copy.db");
    }
    for point in
        ["before-rename:2", "after-rename:2", "after-entry:2", "before-manifest", "after-manifest"]
    {
        for format in ["parquet", "csv"] {
            kill_and_go_on(&format!("files.{point}"), &format!("file:out?format={format}"));
        }
    }
}

#[test]
fn a_run_killed_again_and_again_ends_the_same() {
    let stage = Stage::shop(2000);
    migration(&stage, "sqlite:copy.db");
    for attempt in 0..4 {
        let point = ["copy.chunk-committed:2", "sqlite.before-commit:2"][attempt % 2];
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "attempt {attempt}: not killed\n{}", killed.err);
    }
    let last = stage.done(&["run", "m.yaml", "--json"]);
    assert_eq!(last.event("run-started")["resumed"], true);
    let kept: u64 = last.event("move-started")["tables"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|table| table["chunks_in"].as_u64())
        .sum();
    assert!(kept >= 4, "{kept} chunks were kept");
    stage.same("shop.db", "copy.db");
}

#[test]
fn an_injected_error_ends_the_run_with_a_report() {
    let stage = Stage::shop(2000);
    migration(&stage, "sqlite:copy.db");
    let failed = stage.run(&["run", "m.yaml", "--failpoint", "copy.chunk-written:3:error"]);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    assert!(failed.err.contains("LS0901"), "{}", failed.err);
    assert!(stage.done(&["report"]).out.contains("failed:"));
    stage.done(&["run", "m.yaml"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn a_finished_migration_run_again_copies_nothing() {
    let stage = Stage::shop(2000);
    migration(&stage, "sqlite:copy.db");
    stage.done(&["run", "m.yaml"]);
    let again = stage.done(&["run", "m.yaml", "--json"]);
    assert!(again.events().iter().all(|event| event["event"] != "copied"));
    assert_eq!(again.event("result")["outcome"], "verified");
    stage.same("shop.db", "copy.db");
}

/// A run that was asked to stop, and what it writes from then on.
struct Asked {
    run: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Open for as long as the run writes to it.
    _notes: Lines<BufReader<ChildStderr>>,
}

/// A run that copies slowly and has been asked to stop by a signal, which it has noted.
fn asked_to_stop(stage: &Stage, limits: &str, rate: &str) -> Asked {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: x\nmoves: [{{from: 'sqlite:shop.db', to: 'sqlite:copy.db'}}]\nlimits: {{{limits}}}\n"
        ),
    );
    let mut run = stage.start(&["run", "m.yaml", "--json", "--source-rate", rate]);
    let mut lines = BufReader::new(run.stdout.take().expect("piped")).lines();
    assert!(lines.by_ref().any(|line| line.expect("text").contains("\"copied\"")));
    let mut notes = BufReader::new(run.stderr.take().expect("piped")).lines();
    signal(&run, "-INT");
    let note = notes.next().expect("a note").expect("text");
    assert!(note.contains("interrupt again"), "{note}");
    Asked { run, lines, _notes: notes }
}

pub(crate) fn signal(run: &Child, name: &str) {
    let id = run.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
}

#[test]
fn a_second_signal_stops_at_once_and_the_next_run_goes_on() {
    let stage = Stage::shop(20_000);
    let mut asked = asked_to_stop(&stage, "", "512KiB/s");
    sleep(Duration::from_millis(600));
    signal(&asked.run, "-INT");
    assert_eq!(asked.run.wait().expect("it ends").code(), Some(130));
    stage.done(&["run", "m.yaml"]);
    stage.same("shop.db", "copy.db");
}

/// As `timeout` does, which signals the process and its group.
#[test]
fn two_signals_at_once_are_one_request() {
    let stage = Stage::shop(20_000);
    let mut asked = asked_to_stop(&stage, "chunk: 64KiB", "256KiB/s");
    signal(&asked.run, "-INT");
    let rest: Vec<String> = asked.lines.map(|line| line.expect("text")).collect();
    assert_eq!(asked.run.wait().expect("it ends").code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("\"cancelled\"")), "{rest:?}");
    stage.done(&["run", "m.yaml"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn a_second_run_is_refused_and_a_signal_stops_the_first_at_a_safe_point() {
    let stage = Stage::shop(20_000);
    migration(&stage, "sqlite:copy.db");
    let mut first = stage.start(&["run", "m.yaml", "--json", "--source-rate", "64KiB/s"]);
    let mut lines = BufReader::new(first.stdout.take().expect("piped")).lines();
    let copying = lines.by_ref().any(|line| line.expect("text").contains("\"chunk-done\""));
    assert!(copying, "the first run copies");

    let second = stage.run(&["run", "m.yaml"]);
    assert_eq!(second.code, Some(75), "{}", second.err);
    assert!(second.err.contains("LS0202"), "{}", second.err);

    signal(&first, "-TERM");
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert_eq!(first.wait().expect("it ends").code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("\"cancelled\"")), "{rest:?}");

    stage.done(&["run", "m.yaml"]);
    stage.same("shop.db", "copy.db");
}
