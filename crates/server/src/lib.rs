//! The use cases over HTTP: the API, the dashboard, the numbers, and the registry, on one port.
//!
//! It must never know how anything is done: what it is asked for it gives to the control plane, and what that
//! answers it writes as JSON. Nor a terminal or the environment.

mod admission;
mod api;
mod endpoint;
mod failure;
mod images;
mod metrics;
mod openapi;
mod pages;
mod stream;

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use longshore_registry::{House, Identity, Right, Serving, serve_with};
use longshore_service::control::{Control, Role};
use tokio::net::TcpListener;
use tower_service::Service as _;

use admission::Door;

pub use openapi::document as openapi;

/// A server.
pub struct Server {
    /// What it serves.
    pub control: Arc<Control>,
    /// The registry on the same port, when there is one.
    pub registry: Option<longshore_registry::Store>,
    /// The certificate that it shows, and its key.
    pub identity: Option<Identity>,
    /// How clients are taken in.
    pub house: House,
}

/// What every handler has at hand.
#[derive(Clone)]
struct App {
    control: Arc<Control>,
    registry: Option<Serving>,
    door: Arc<Door>,
    is_secure: bool,
    requests: Arc<metrics::Requests>,
    measured: Arc<images::Measured>,
}

/// Serves until `stop` ends, and then ends what was begun.
pub async fn serve(listener: TcpListener, server: Server, stop: impl Future<Output = ()>) {
    let Server { control, registry, identity, house } = server;
    let registry = registry.map(|store| Serving {
        store: Arc::new(store),
        access: Arc::new(access(control.clone())),
        house: house.clone(),
    });
    let app = App {
        control,
        registry: registry.clone(),
        door: Arc::default(),
        is_secure: identity.is_some(),
        requests: Arc::default(),
        measured: Arc::default(),
    };
    let router = api::router(app);
    let handler = move |request: Request<Incoming>| {
        let (registry, mut router) = (registry.clone(), router.clone());
        async move {
            match registry.filter(|_| is_of_registry(request.uri().path())) {
                Some(registry) => registry.answer(request).await,
                None => {
                    let answer = router.call(request.map(Body::new)).await;
                    let answer = answer.unwrap_or_else(|never| match never {});
                    answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync())
                }
            }
        }
    };
    serve_with(listener, identity, house, handler, stop).await;
}

fn is_of_registry(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

/// Who may do what in the registry: the tokens of the control plane, as passwords.
fn access(control: Arc<Control>) -> longshore_registry::Access {
    longshore_registry::Access::asking(move |_, password| {
        let user = control.user(password).ok()?;
        Some(match user.role {
            Role::Viewer => vec![Right::Pull],
            Role::Operator => vec![Right::Pull, Right::Push],
            Role::Admin => vec![Right::Pull, Right::Push, Right::Delete],
        })
    })
}
