//! What went wrong, as an answer: status by kind, and a body that says what, where and what to do next.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use longshore_model::{Code, Error, Kind};
use schemars::JsonSchema;
use serde::Serialize;

/// An error on its way to a client.
pub(crate) struct Failure(pub(crate) Error);

/// The body of an answer to what was not done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    error: Told,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Told {
    /// The stable code, such as `LS1001`.
    code: String,
    /// What happened.
    message: String,
    /// What to do next.
    hint: String,
    /// Names, counts and positions.
    context: std::collections::BTreeMap<String, String>,
    /// Every cause, the nearest first.
    causes: Vec<String>,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let context = error.context().iter();
        let told = Told {
            code: error.code().to_string(),
            message: error.message().to_string(),
            hint: error.advice().to_string(),
            context: context.map(|(key, value)| (key.to_string(), value.clone())).collect(),
            causes: error.chain().into_iter().skip(1).collect(),
        };
        (status(&error), Json(Problem { error: told })).into_response()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self(
            Error::new(Code::RequestInvalid, "the body of the request is not understood")
                .because(rejection.body_text()),
        )
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self(
            Error::new(Code::RequestInvalid, "the parameters of the request are not understood")
                .because(rejection.body_text()),
        )
    }
}

pub(crate) fn status(error: &Error) -> StatusCode {
    match (error.code(), error.kind()) {
        (Code::TokenUnknown, _) => StatusCode::UNAUTHORIZED,
        (Code::TooManyTries, _) => StatusCode::TOO_MANY_REQUESTS,
        (_, Kind::Usage) => StatusCode::BAD_REQUEST,
        (_, Kind::NotFound) => StatusCode::NOT_FOUND,
        (_, Kind::Permission) => StatusCode::FORBIDDEN,
        (_, Kind::Precondition | Kind::Busy | Kind::Cancelled) => StatusCode::CONFLICT,
        (_, Kind::Unsupported | Kind::Data | Kind::Difference) => StatusCode::UNPROCESSABLE_ENTITY,
        (_, Kind::System) => StatusCode::BAD_GATEWAY,
        (_, Kind::Internal) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
