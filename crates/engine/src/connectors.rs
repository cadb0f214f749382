//! The connectors at hand, and the two ends of a move.

use std::sync::Arc;

use longshore_model::connector::{About, Connector};
use longshore_model::{Code, Endpoint, Error, Result};

/// The connectors that this build has.
#[derive(Clone)]
pub struct Connectors(Vec<Arc<dyn Connector>>);

/// The two ends of a move, with secrets resolved.
#[derive(Clone)]
pub struct Link {
    /// The source's connector.
    pub source: Arc<dyn Connector>,
    /// The source's address.
    pub from: Endpoint,
    /// The target's connector.
    pub target: Arc<dyn Connector>,
    /// The target's address.
    pub to: Endpoint,
}

impl Connectors {
    /// A list of connectors.
    pub fn new(list: Vec<Arc<dyn Connector>>) -> Self {
        Self(list)
    }

    /// What each of them is.
    pub fn about(&self) -> Vec<&'static About> {
        self.0.iter().map(|connector| connector.about()).collect()
    }

    /// The connector of an address.
    pub fn of(&self, endpoint: &Endpoint) -> Result<Arc<dyn Connector>> {
        let takes = |connector: &&Arc<dyn Connector>| {
            connector.about().schemes.contains(&endpoint.scheme())
        };
        let asked_for = |connector: &&Arc<dyn Connector>| {
            connector.about().chosen_by.is_some_and(|(option, value)| {
                endpoint.options().get(option).is_some_and(|told| told == value)
            })
        };
        let plain = |connector: &&Arc<dyn Connector>| connector.about().chosen_by.is_none();
        let known = || self.0.iter().filter(takes);
        known().find(asked_for).or_else(|| known().find(plain)).cloned().ok_or_else(|| {
            let mut schemes: Vec<_> =
                self.0.iter().flat_map(|connector| connector.about().schemes).copied().collect();
            // Tables in files and objects as they are share theirs, side by side.
            schemes.dedup();
            Error::new(Code::UnknownSystem, "no connector knows this scheme")
                .with("scheme", endpoint.scheme())
                .hint(format!("Known schemes: {}.", schemes.join(", ")))
        })
    }

    /// Both ends of a move, from their addresses.
    pub fn link(&self, from: &str, to: &str) -> Result<Link> {
        let (from, to) = (Endpoint::parse(from)?, Endpoint::parse(to)?);
        Ok(Link { source: self.of(&from)?, from, target: self.of(&to)?, to })
    }
}
