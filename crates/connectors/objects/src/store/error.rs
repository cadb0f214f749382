//! What a store's errors mean.

use longshore_model::{Code, Error};
use object_store::client::HttpError;

/// What a response with an error said.
struct Said {
    status: Option<u16>,
    text: String,
}

/// Whether an object, or an upload, is not there.
pub(crate) fn is_gone(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
        && !said(error).text.contains("NoSuchBucket")
}

/// Whether an object is in another state than was asked for: what asks for a part beyond its end was
/// told of a larger one.
pub(crate) fn is_changed(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::Precondition { .. }) || said(error).status == Some(416)
}

/// Whether the way to the server broke, before an answer or in the midst of it.
pub(crate) fn is_broken(error: &object_store::Error) -> bool {
    let mut current: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = current {
        if one.is::<HttpError>() {
            return true;
        }
        current = one.source();
    }
    false
}

/// Whether the server has too much to do, or has failed in its own way.
pub(crate) fn is_busy(error: &object_store::Error) -> bool {
    let said = said(error);
    let words = ["SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout"];
    said.status.is_some_and(is_passing)
        || (said.status.is_none() && words.iter().any(|word| said.text.contains(word)))
}

/// Whether a status may be another one later.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429) || (status >= 500 && status != 501)
}

/// Whether all of an object came where a part of it was asked for.
pub(crate) fn is_undivided(error: &object_store::Error) -> bool {
    said(error).text.contains("non-partial response")
}

/// An error of a store, without addresses that hold signatures.
pub(crate) fn failed(doing: &str, place: &str, error: object_store::Error) -> Error {
    let said = said(&error);
    let has = |word: &str| said.text.contains(word);
    let (code, hint) = match (&error, said.status) {
        _ if has("NoSuchBucket") || has("ContainerNotFound") => (
            Code::NotFound,
            "Make the bucket or container, or correct its name; longshore makes none.",
        ),
        _ if has("ExpiredToken") || has("TokenRefreshRequired") => {
            (Code::PermissionDenied, "Get new credentials, and run the same command again.")
        }
        _ if has("no credentials") => (
            Code::PermissionDenied,
            "Name a key file in GOOGLE_APPLICATION_CREDENTIALS, run gcloud auth application-default login, or add ?anonymous=true for public data.",
        ),
        _ if has("invalid_grant") => {
            (Code::PermissionDenied, "Run gcloud auth application-default login again.")
        }
        (object_store::Error::NotFound { .. }, _) => (Code::NotFound, ""),
        (
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. },
            _,
        )
        | (_, Some(401 | 403)) => (
            Code::PermissionDenied,
            "Check the credentials, and that they allow to list, read and, in a target, write and delete.",
        ),
        (object_store::Error::InvalidPath { .. }, _) => (
            Code::SourceUnreadable,
            "A key has an empty part, a part that is . or .., or a control character: rename the object.",
        ),
        _ if has("without LOCATION") || has("PermanentRedirect") => {
            (Code::UrlInvalid, "The bucket is in another region: name it with ?region=.")
        }
        (_, Some(501)) => (Code::Unsupported, "The server does not know what it is asked for."),
        (_, Some(507)) => (Code::StorageFull, ""),
        _ if has("EntityTooLarge") || has("InvalidPart") => (Code::Store, ""),
        _ => (Code::Store, ""),
    };
    // What answers in these ways was asked several times already.
    let temporary = code == Code::Store && said.status.is_none_or(is_passing);
    let made = Error::new(code, format!("could not {doing}"))
        .with("store", place.to_string())
        .because(said.text);
    let made = if hint.is_empty() { made } else { made.hint(hint) };
    if temporary { made.temporary() } else { made }
}

/// The innermost thing that an error says: a response's code and message, or what broke the way to
/// the server. The layers around it repeat it with the full address.
fn said(error: &object_store::Error) -> Said {
    let mut text = String::new();
    let mut current: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = current {
        text = one.to_string();
        if let Some(answer) = text.strip_prefix("Server returned ") {
            return response(answer);
        }
        current = one.source();
    }
    Said { status: None, text }
}

/// Reads `non-2xx status code: 403 Forbidden: <Error>…` and `error response: <Error>…`.
fn response(answer: &str) -> Said {
    let status = answer
        .strip_prefix("non-2xx status code: ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok());
    let between = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
    };
    let told: Vec<&str> = ["Code", "Message"].into_iter().filter_map(between).collect();
    let text = match (told.is_empty(), status) {
        (false, _) => told.join(": "),
        (true, Some(status)) => {
            let rest = answer.split_once(&format!("{status}")).map_or("", |(_, rest)| rest);
            let reason = rest.split(':').next().unwrap_or_default();
            format!("the server answered {status}{reason}")
        }
        (true, None) => "the server answered with an error".to_string(),
    };
    Said { status, text }
}

#[cfg(test)]
mod tests {
    use super::response;

    #[test]
    fn a_response_is_told_by_its_code_and_message() {
        for (answer, status, text) in [
            (
                "non-2xx status code: 403 Forbidden: <?xml?><Error><Code>AccessDenied</Code>\
                 <Message>No.</Message><StringToSign>secret</StringToSign></Error>",
                Some(403),
                "AccessDenied: No.",
            ),
            (
                "non-2xx status code: 503 Service Unavailable: ",
                Some(503),
                "the server answered 503 Service Unavailable",
            ),
            ("error response: <Error><Code>SlowDown</Code></Error>", None, "SlowDown"),
            ("non-2xx status code: ", None, "the server answered with an error"),
        ] {
            let said = response(answer);
            assert_eq!((said.status, said.text.as_str()), (status, text));
        }
    }
}
