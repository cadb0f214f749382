//! `POST /migrate`, for simple callers.

use serde_json::json;

use super::server::Server;
use super::{rows, shop};

#[test]
fn a_migration_in_one_request() {
    let stage = shop(5_000);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    let source = format!("sqlite:{}", stage.join("shop.db").display());
    let target = |name: &str| format!("sqlite:{}", stage.join(&format!("{name}.db")).display());

    let (status, came) =
        admin.post("/migrate", &json!({ "source": source, "target": target("all") }));
    assert_eq!((status, &came["status"], &came["rows"]), (200, &json!("verified"), &json!(5_002)));
    assert_eq!((rows(&stage, "all", "orders"), rows(&stage, "all", "customers")), (5_000, 2));

    let some = json!({ "source": source, "target": target("some"), "tasks": ["orders"] });
    assert_eq!(admin.post("/migrate", &some).0, 200);
    let task = json!({ "tables": ["orders"], "where": { "orders": "id <= 10" } });
    let few = json!({ "source": source, "target": target("few"), "tasks": [task] });
    let (status, came) = admin.post("/migrate", &few);
    assert_eq!((status, &came["rows"]), (200, &json!(10)), "{came}");

    // The target holds rows already.
    let (status, came) =
        admin.post("/migrate", &json!({ "source": source, "target": target("few") }));
    assert_eq!((status, &came["status"]), (502, &json!("failed")));
    assert!(came["message"].as_str().expect("a message").starts_with("LS0201"), "{came}");

    let later = json!({ "source": source, "target": target("later"), "wait": false });
    let (status, came) = admin.post("/migrate", &later);
    assert_eq!((status, &came["status"]), (202, &json!("queued")));
    assert_eq!(admin.ended(came["run"].as_str().expect("a run"))["outcome"], "verified");

    for wrong in [
        json!({ "source": source }),
        json!({ "source": source, "target": target("x"), "tasks": [{ "tabels": [] }] }),
        json!({ "source": source, "target": target("x"), "tasks": "all" }),
    ] {
        assert_eq!(
            admin.refused("POST", "/migrate", &wrong),
            (400, "LS1009".to_string()),
            "{wrong}"
        );
    }
}

#[test]
fn many_who_ask_at_once_are_answered() {
    let stage = shop(50);
    let server = Server::start(&stage, &[]);
    let admin = server.admin();
    let source = format!("sqlite:{}", stage.join("shop.db").display());
    std::thread::scope(|scope| {
        for number in 0..24 {
            let (admin, source) = (admin.clone(), source.clone());
            let target = format!("sqlite:{}", stage.join(&format!("n{number}.db")).display());
            scope.spawn(move || {
                let asked = json!({ "source": source, "target": target });
                let (status, came) = admin.post("/migrate", &asked);
                assert_eq!(status, 200, "{came}");
            });
        }
    });
    assert_eq!(rows(&stage, "n23", "orders"), 50);
}
