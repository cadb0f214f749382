use crate::stage::Stage;

#[test]
fn the_demo_proves_itself_and_can_be_repeated() {
    let stage = Stage::empty();
    for _ in 0..2 {
        let ran = stage.done(&["demo", "--rows", "60000"]);
        for part in [
            "killed with SIGKILL",
            "kept from the ledger",
            "hold the same in 18 tables",
            "report: ",
        ] {
            assert!(ran.out.contains(part), "{part} in {}", ran.out);
        }
    }
}

#[test]
fn the_demo_replaces_only_its_own_folder() {
    let stage = Stage::empty();
    stage.write("shop.db", "precious");
    let ran = stage.run(&["demo", "--rows", "2000", "--keep", "."]);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(stage.join("shop.db")).expect("still there"), "precious");
}
