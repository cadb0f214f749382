//! What is cut, killed or refused for a while goes on, and nothing is sent twice.

use longshore_testkit::registry::{Registry, host};
use longshore_testkit::{Fault, HttpFaults, Proxy};

use super::{blobs, elsewhere, refused, sealed, told};
use crate::postgres::verified;
use crate::stage::Stage;

/// The size of a part of an upload.
const PART: u64 = 16 << 20;

fn killed(stage: &Stage, args: &[&str]) {
    let ran = stage.run(args);
    assert_eq!(ran.code, None, "{}", ran.err);
}

#[test]
fn a_push_that_is_killed_goes_on_in_a_new_process() {
    let registry = Registry::shared();
    let proxy = Proxy::before(registry.port());
    let name = format!("{}/resumed/shop:1", host(proxy.port()));
    let stage = sealed(&name);
    let all: u64 = blobs(&stage.join(".longshore/images")).iter().map(|(size, _)| size).sum();
    let (largest, _) = blobs(&stage.join(".longshore/images"))[0];
    assert!(largest > PART, "several parts: {largest}");
    killed(&stage, &["push", &name, "--failpoint", "registry.part:2"]);
    assert!(proxy.passed() > PART);
    let before = proxy.passed();
    let record = std::fs::read_dir(stage.join(".longshore/images/uploads")).expect("a folder");
    assert_eq!(record.count(), 1);
    stage.done(&["push", &name]);
    let sent = proxy.passed() - before;
    assert!(sent < all - PART + (1 << 20), "{sent} of {all} bytes were sent after {before}");
    let left = std::fs::read_dir(stage.join(".longshore/images/uploads")).expect("a folder");
    assert_eq!(left.count(), 0);
    let other = elsewhere(&stage);
    other.done(&["pull", &name]);
    verified(&other.run(&["run", &name, "--require-signature", "mine.pub", "--json"]));
}

#[test]
fn a_push_that_is_interrupted_ends_the_part_on_its_way() {
    let registry = Registry::shared();
    let proxy = Proxy::before(registry.port());
    let name = format!("{}/stopped/shop:1", host(proxy.port()));
    let stage = sealed(&name);
    let (largest, _) = blobs(&stage.join(".longshore/images"))[0];
    let push = stage.start(&["push", &name]);
    while proxy.passed() < PART / 4 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    proxy.stall();
    let process = push.id().to_string();
    let told = std::process::Command::new("kill").args(["-INT", &process]).status();
    assert!(told.expect("kill starts").success());
    std::thread::sleep(std::time::Duration::from_millis(300));
    proxy.mend();
    let ended = push.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("LS0601"), "{said}");
    let before = proxy.passed();
    stage.done(&["push", &name]);
    let sent = proxy.passed() - before;
    assert!(sent < largest - PART + (1 << 20), "{sent} bytes of {largest}");
}

#[test]
fn a_push_that_is_killed_between_its_stages_leaves_no_tag_and_is_finished_by_another() {
    let registry = Registry::shared();
    for (number, point) in
        ["registry.blobs", "registry.manifests", "registry.artifacts"].into_iter().enumerate()
    {
        let name = format!("{}/stages/shop:{number}", registry.host());
        let stage = sealed(&name);
        killed(&stage, &["push", &name, "--failpoint", point]);
        refused(&elsewhere(&stage), &["pull", &name], 42, &["LS0708"]);
        stage.done(&["push", &name]);
        let other = elsewhere(&stage);
        other.done(&["evidence", &name, "--pull", "--key", "mine.pub"]);
    }
}

#[test]
fn an_upload_that_the_registry_forgot_begins_anew() {
    let registry = Registry::shared();
    let proxy = Proxy::before(registry.port());
    let name = format!("{}/forgotten/shop:1", host(proxy.port()));
    let stage = sealed(&name);
    // In the middle of a part: this registry loses such an upload.
    proxy.cut_after(PART / 2);
    let cut = stage.start(&["push", &name]);
    while proxy.passed() < PART / 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    proxy.mend();
    let ended = cut.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("is made again"));
    // What was written down of an upload need not be true any more.
    let second = format!("{}/forgotten/other:1", host(proxy.port()));
    let stage = sealed(&second);
    killed(&stage, &["push", &second, "--failpoint", "registry.part:2"]);
    for entry in std::fs::read_dir(stage.join(".longshore/images/uploads")).expect("a folder") {
        let file = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(&file, text.replace("_state=", "_state=A")).expect("a file");
    }
    stage.done(&["push", &second]);
    elsewhere(&stage).done(&["pull", &second]);
}

#[test]
fn a_pull_that_is_killed_or_cut_goes_on_behind_what_is_kept() {
    let registry = Registry::shared();
    let proxy = Proxy::before(registry.port());
    let name = format!("{}/pulled/shop:1", host(proxy.port()));
    let stage = sealed(&name);
    stage.done(&["push", &name]);
    let all: u64 = blobs(&stage.join(".longshore/images")).iter().map(|(size, _)| size).sum();
    let other = elsewhere(&stage);
    killed(&other, &["pull", &name, "--failpoint", "registry.piece:30"]);
    let kept: u64 = std::fs::read_dir(other.join(".longshore/images/partial"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").metadata().expect("a file").len())
        .sum();
    assert!(kept > 100_000, "{kept}");
    assert_eq!(other.done(&["images"]).out.lines().count(), 1, "nothing has a name yet");
    let before = proxy.passed();
    other.done(&["pull", &name]);
    let sent = proxy.passed() - before;
    assert!(sent < all - kept + 100_000, "{sent} bytes of {all}, {kept} were here");
    verified(&other.run(&["run", &name, "--require-signature", "mine.pub", "--json"]));
    // Cut within one process, and with a part that was damaged since.
    let third = elsewhere(&stage);
    killed(&third, &["pull", &name, "--failpoint", "registry.piece:30"]);
    for entry in std::fs::read_dir(third.join(".longshore/images/partial")).expect("a folder") {
        let file = entry.expect("an entry").path();
        let mut bytes = std::fs::read(&file).expect("a file");
        if let Some(byte) = bytes.first_mut() {
            *byte ^= 1;
        }
        std::fs::write(&file, bytes).expect("a file");
    }
    let faults = HttpFaults::before(registry.port());
    faults.fail("GET", "/blobs/", Fault::Reset(1_000_000), 3);
    faults.fail("GET", "/blobs/", Fault::Truncate(3_000_000), 2);
    let cut = format!("{}/pulled/shop:1", host(faults.port()));
    third.done(&["pull", &cut]);
    verified(&third.run(&["run", &cut, "--require-signature", "mine.pub", "--json"]));
}

#[test]
fn a_registry_that_is_busy_for_a_while_is_asked_again() {
    let registry = Registry::shared();
    let faults = HttpFaults::before(registry.port());
    let name = format!("{}/busy/shop:1", host(faults.port()));
    let stage = sealed(&name);
    for (method, part, fault) in [
        ("POST", "/uploads/", Fault::Status(503)),
        ("PATCH", "/uploads/", Fault::Status(502)),
        ("PUT", "/uploads/", Fault::Lost),
        ("PUT", "/manifests/", Fault::Status(500)),
        ("HEAD", "/blobs/", Fault::Status(429)),
        ("GET", "", Fault::Later(429, 1)),
    ] {
        faults.fail(method, part, fault, 2);
    }
    let began = std::time::Instant::now();
    let pushed = stage.done(&["push", &name]);
    assert!(began.elapsed().as_secs_f64() >= 1.0, "the registry's wish is honoured");
    assert!(pushed.err.contains("is made again in"), "{}", pushed.err);
    assert_eq!(faults.left(), 0);
    faults.fail("GET", "", Fault::Later(503, 1), 2);
    faults.fail("GET", "/blobs/", Fault::Status(429), 3);
    faults.fail("GET", "/manifests/", Fault::Truncate(20), 2);
    let other = elsewhere(&stage);
    let pulled = told(&other.done(&["pull", &name, "--json"]));
    assert_eq!(faults.left(), 0);
    assert!(pulled["artifacts"].as_u64() > Some(3), "{pulled}");
    // It is not asked for ever, and says what it said.
    faults.fail("HEAD", "/blobs/", Fault::Status(503), 99);
    let again = format!("{}/busy/other:1", host(faults.port()));
    let ran =
        refused(&stage, &["push", &name, &again], 1, &["LS0707", "status: 503", "attempts: 7"]);
    assert!(ran.err.contains("busy/other"), "{}", ran.err);
    faults.mend();
    faults.fail("HEAD", "/blobs/", Fault::Later(503, 4000), 1);
    refused(&stage, &["push", &name, &again], 1, &["retry-after: 4000 s"]);
}

#[test]
fn a_registry_that_is_restarted_is_waited_for() {
    let registry = Registry::start(Default::default());
    let name = format!("{}/restarted/shop:1", registry.host());
    let stage = sealed(&name);
    registry.crash();
    let push = stage.start(&["push", &name]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    registry.resume();
    let ended = push.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    elsewhere(&stage).done(&["pull", &name]);
}
