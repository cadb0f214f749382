//! File systems and users that know less of extended attributes than others.

use std::fs;
use std::process::Command;

use super::attributes::{give, given};
use crate::stage::{Ran, Stage};

/// Runs commands of a shell where mounts are the user's own, `$longshore` among them.
fn apart(stage: &Stage, script: &str) -> Ran {
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-ec", script]).current_dir(stage.path());
    command.env("longshore", stage.command(&[]).get_program());
    command.output().expect("unshare runs").into()
}

#[test]
fn a_file_system_without_extended_attributes_is_named_in_the_plan() {
    let stage = Stage::empty();
    fs::create_dir(stage.join("from")).expect("a folder");
    fs::create_dir(stage.join("to")).expect("a folder");
    fs::write(stage.join("from/one"), "one").expect("a file");
    give(&stage.join("from/one"), b"user.a", b"1");
    let ran = apart(
        &stage,
        "mount -t ramfs none to
         \"$longshore\" plan 'file:from?format=objects' 'file:to/tree?format=objects' || true
         \"$longshore\" copy 'file:from?format=objects' 'file:to/tree?format=objects'
         \"$longshore\" verify 'file:from?format=objects' 'file:to/tree?format=objects' --independent
         cmp from/one to/tree/one",
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("keeps no extended attributes"), "{}", ran.out);
    // The other way, a source of that kind has none.
    let ran = apart(
        &stage,
        "mount -t ramfs none to && cp from/one to/one
         \"$longshore\" copy 'file:to?format=objects' 'file:back?format=objects'",
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(given(&stage.join("back/one")).is_empty());
}

/// The rights of a file that hold for root of another namespace cannot be read in this one.
#[test]
fn attributes_that_a_user_may_not_read_are_counted_in_the_plan() {
    let stage = Stage::empty();
    fs::create_dir(stage.join("from")).expect("a folder");
    fs::write(stage.join("from/one"), "one").expect("a file");
    fs::write(stage.join("from/two"), "two").expect("a file");
    let rights =
        [&0x0300_0001u32.to_le_bytes()[..], &[0, 4, 0, 0], &[0; 12], &4711u32.to_le_bytes()];
    assert!(rustix::process::geteuid().is_root(), "this test gives rights to files, as root");
    give(&stage.join("from/one"), b"security.capability", &rights.concat());
    give(&stage.join("from/one"), b"user.a", b"1");
    let ran = apart(
        &stage,
        "\"$longshore\" plan 'file:from?format=objects' 'file:to?format=objects'
         \"$longshore\" copy 'file:from?format=objects' 'file:to?format=objects'
         \"$longshore\" verify 'file:from?format=objects' 'file:to?format=objects' --independent",
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let told = "1 extended attributes that this user may not read stay behind";
    assert!(ran.out.contains(told), "{}", ran.out);
    let kept: Vec<Vec<u8>> = given(&stage.join("to/one")).into_keys().collect();
    assert_eq!(kept, [b"user.a".to_vec()]);
    // Who may read them moves them, and the plan says nothing.
    let plan = stage.done(&["plan", "file:from?format=objects", "file:all?format=objects"]);
    assert!(!plan.out.contains("may not read"), "{}", plan.out);
    stage.done(&["copy", "file:from?format=objects", "file:all?format=objects"]);
    assert_eq!(given(&stage.join("all/one")), given(&stage.join("from/one")));
}
