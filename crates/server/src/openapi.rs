//! The description of the API, out of the table of endpoints.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::api;
use crate::endpoint::Endpoint;
use crate::failure::Problem;

/// The description of the API, version 3.1 of OpenAPI.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths = Map::new();
    for endpoint in &api::table().endpoints {
        let operation = operation(endpoint, &problem, &mut generator);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method] = operation;
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Longshore",
            "version": "1",
            "description": "Migrations, their runs, and what proves that everything arrived.",
        },
        "security": [{ "token": [] }, { "cookie": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "longshore" },
            },
        },
    })
}

fn operation(endpoint: &Endpoint, problem: &Value, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "summary": endpoint.about,
        "operationId": id(endpoint),
        "responses": {
            endpoint.status.to_string(): answer(endpoint, generator),
            "default": {
                "description": "It was not done; why, and what to do next.",
                "content": { "application/json": { "schema": problem } },
            },
        },
    });
    match endpoint.role {
        None => operation["security"] = json!([]),
        Some(role) => {
            operation["description"] =
                json!(format!("For the role {} and those above.", role.as_str()))
        }
    }
    let parameters = parameters(endpoint, generator);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((media, describe)) = endpoint.takes {
        let schema = describe(generator).to_value();
        operation["requestBody"] =
            json!({ "required": true, "content": { media: { "schema": schema } } });
    }
    operation
}

fn answer(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    match endpoint.gives {
        None => json!({ "description": "Done." }),
        Some((media, describe)) => {
            let schema = describe(generator).to_value();
            json!({ "description": "Done.", "content": { media: { "schema": schema } } })
        }
    }
}

/// Those in the path, and those of the query.
fn parameters(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Vec<Value> {
    let named =
        endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = named
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    let Some(describe) = endpoint.query else { return parameters };
    let reference = describe(generator).to_value();
    let name = reference["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let schema =
        name.and_then(|name| generator.definitions().get(name)).cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    for (name, mut schema) in properties {
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        parameters
            .push(json!({ "name": name, "in": "query", "description": about, "schema": schema }));
    }
    parameters
}

/// `GET /api/v1/runs/{id}/log` is `get_runs_id_log`.
fn id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/api/v1");
    let words = path.split(['/', '{', '}', '.', '-']).filter(|word| !word.is_empty());
    words.fold(endpoint.method.to_string(), |id, word| format!("{id}_{word}"))
}
