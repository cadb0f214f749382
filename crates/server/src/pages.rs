//! The dashboard's files, which are in the binary.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page itself; where one is in it stands behind the `#` of its address.
pub(crate) async fn index() -> Response {
    asset("index.html")
}

/// A file that the page asks for.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    asset(&name)
}

fn asset(name: &str) -> Response {
    let found = ASSETS.iter().find(|(path, _)| *path == name);
    let Some((_, bytes)) = found else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    // The next version of the server has other files under the same names.
    let headers = [(CONTENT_TYPE, media(name)), (CACHE_CONTROL, "no-cache")];
    (headers, *bytes).into_response()
}

fn media(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}
