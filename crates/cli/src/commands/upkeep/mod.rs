//! A registry in the box, looked after.

mod check;
mod hold;
mod mirror;
mod retention;
mod usage;

use std::path::PathBuf;

use longshore_image::{Name, is_repository};
use longshore_model::{Code, Error, Result};
use longshore_registry::Store;
use serde::Serialize;

use crate::context::Context;

pub(crate) use check::check;
pub(crate) use hold::hold;
pub(crate) use mirror::mirror;
pub(crate) use retention::retention;
pub(crate) use usage::du;

/// The registry in a folder, or in that of the state.
fn open(root: Option<&PathBuf>, context: &Context) -> Result<Store> {
    let own = context.state.join("registry");
    Store::open_there(root.unwrap_or(&own))
}

/// Prints an answer as JSON.
fn print_json<T: Serialize>(answer: &T, context: &Context) -> Result<()> {
    let text = serde_json::to_string_pretty(answer)
        .map_err(|error| Error::new(Code::Internal, "the answer cannot be shown").because(error))?;
    context.print(&format!("{text}\n"));
    Ok(())
}

/// A host, and what may stand behind it as a prefix of repositories.
fn place(text: &str) -> Result<(String, Option<String>)> {
    let (host, prefix) = match text.split_once('/') {
        Some((host, prefix)) => (host, Some(prefix.to_string())),
        None => (text, None),
    };
    // The host is looked at as a part of some name.
    let name = format!("{host}/x").parse();
    let is_host = matches!(name, Ok(Name { host: found, .. }) if found == host);
    match is_host && prefix.as_deref().is_none_or(is_repository) {
        true => Ok((host.to_string(), prefix)),
        false => Err(Error::new(Code::ImageName, "this is no registry")
            .with("registry", text)
            .hint("Write HOST, HOST:PORT or HOST/PREFIX, such as registry.example.com/copies.")),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn registries_are_hosts_with_a_prefix() {
        for (text, host, prefix) in [
            ("r.example", "r.example", None),
            ("127.0.0.1:5000", "127.0.0.1:5000", None),
            ("r.example/copies/of", "r.example", Some("copies/of")),
        ] {
            let found = place(text).expect(text);
            assert_eq!((found.0.as_str(), found.1.as_deref()), (host, prefix));
        }
        for wrong in ["", "team/shop", "r.example/", "r.example/UPPER", "r.example/a:1"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
