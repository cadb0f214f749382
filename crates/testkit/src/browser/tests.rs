use std::io::{Read, Write};
use std::net::TcpListener;

use super::Browser;

const PAGE: &str = "<!doctype html><title>A page</title><h1>Hello</h1>\
    <label>Name <input id=name></label> <button>Greet</button> <button hidden>Hidden</button>\
    <p id=out></p><style>p{color:black} @media (prefers-color-scheme: dark) {p{color:white}}</style>\
    <script>document.querySelector('button').onclick = () => {\
    document.querySelector('#out').textContent = 'Hello ' + document.querySelector('#name').value; };\
    </script>";

/// Serves the page at every path, and gives its address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _request = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n";
            let _gone = stream.write_all(format!("{head}{PAGE}").as_bytes());
        }
    });
    address
}

#[test]
fn a_page_is_used_as_a_person_would_use_it() {
    let address = serve();
    let browser = Browser::start();
    let page = browser.page();
    page.prefer(true, false);
    page.open(&address);
    page.enter("#name", "Ada ☕");
    page.click("button|Greet");
    page.wait_for("#out|Hello Ada ☕");
    assert_eq!(page.text("h1"), "Hello");
    assert!(!page.has("button|Hidden"));
    let color = "getComputedStyle(document.querySelector('p')).color";
    assert_eq!(page.evaluate(color), "rgb(255, 255, 255)");
    assert!(page.problems().is_empty(), "{:?}", page.problems());
    assert!(page.requests().iter().all(|url| url.starts_with(&address)), "{:?}", page.requests());

    page.evaluate("console.error('seen')");
    page.evaluate("void fetch('http://elsewhere.example/').catch(() => 0)");
    page.until("true", "nothing");
    let problems = page.problems();
    assert!(problems.iter().any(|problem| problem.contains("seen")), "{problems:?}");
    assert!(page.requests().iter().any(|url| url.contains("elsewhere.example")));

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.png");
    page.resize(375, 600);
    page.screenshot(&file);
    assert!(std::fs::read(&file).expect("a picture").starts_with(b"\x89PNG"));

    // Another page knows nothing of this one's storage.
    page.evaluate("localStorage.setItem('known', 'yes')");
    let other = browser.page();
    other.open(&address);
    assert!(other.evaluate("localStorage.getItem('known')").is_null());
}
