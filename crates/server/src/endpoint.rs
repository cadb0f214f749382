//! The table of endpoints: each is a route, who may ask for it, and its place in the description of the API, so that
//! none can be in the one and not in the other.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use longshore_service::control::Role;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::App;
use crate::admission::{Gate, admit};

type Describe = fn(&mut SchemaGenerator) -> Schema;

/// What is said of an endpoint.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) about: &'static str,
    /// Who may ask; anybody, when nothing is named.
    pub(crate) role: Option<Role>,
    pub(crate) query: Option<Describe>,
    pub(crate) takes: Option<(&'static str, Describe)>,
    pub(crate) status: u16,
    pub(crate) gives: Option<(&'static str, Describe)>,
}

/// The endpoints, as routes and as a table.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) endpoints: Vec<Endpoint>,
    routes: Vec<(&'static str, MethodFilter, Route)>,
}

type Route = Box<dyn FnOnce(MethodFilter, App) -> MethodRouter<App> + Send>;

pub(crate) fn get(path: &'static str, about: &'static str) -> Endpoint {
    Endpoint::new("get", path, about, Role::Viewer)
}

pub(crate) fn post(path: &'static str, about: &'static str) -> Endpoint {
    Endpoint::new("post", path, about, Role::Operator)
}

pub(crate) fn delete(path: &'static str, about: &'static str) -> Endpoint {
    Endpoint { status: 204, ..Endpoint::new("delete", path, about, Role::Operator) }
}

impl Endpoint {
    fn new(method: &'static str, path: &'static str, about: &'static str, role: Role) -> Self {
        let role = Some(role);
        Self { method, path, about, role, query: None, takes: None, status: 200, gives: None }
    }

    /// Anybody may ask.
    pub(crate) fn open(self) -> Self {
        Self { role: None, ..self }
    }

    /// Only administrators may ask.
    pub(crate) fn admin(self) -> Self {
        Self { role: Some(Role::Admin), ..self }
    }

    pub(crate) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    pub(crate) fn takes<T: JsonSchema>(self) -> Self {
        Self { takes: Some(("application/json", SchemaGenerator::subschema_for::<T>)), ..self }
    }

    pub(crate) fn takes_text(self, media: &'static str) -> Self {
        Self { takes: Some((media, SchemaGenerator::subschema_for::<String>)), ..self }
    }

    pub(crate) fn gives<T: JsonSchema>(self) -> Self {
        Self { gives: Some(("application/json", SchemaGenerator::subschema_for::<T>)), ..self }
    }

    pub(crate) fn gives_text(self, media: &'static str) -> Self {
        Self { gives: Some((media, SchemaGenerator::subschema_for::<String>)), ..self }
    }

    pub(crate) fn created(self) -> Self {
        Self { status: 201, ..self }
    }

    fn filter(&self) -> MethodFilter {
        match self.method {
            "post" => MethodFilter::POST,
            "delete" => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        }
    }
}

impl Table {
    /// Adds an endpoint and what answers it.
    pub(crate) fn with<H, T>(mut self, endpoint: Endpoint, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let gate = Gate { role: endpoint.role, changes: endpoint.method != "get" };
        let route: Route = Box::new(move |filter, app| {
            on(filter, handler).route_layer(from_fn_with_state((app, gate), admit))
        });
        self.routes.push((endpoint.path, endpoint.filter(), route));
        self.endpoints.push(endpoint);
        self
    }

    /// The routes.
    pub(crate) fn router(self, app: &App) -> Router<App> {
        let add = |router: Router<App>, (path, filter, route): (&str, MethodFilter, Route)| {
            router.route(path, route(filter, app.clone()))
        };
        self.routes.into_iter().fold(Router::new(), add)
    }
}
