//! What is known of an image's deeds: signatures, and statements on its runs.

use longshore_engine::report::{Outcome, Report};
use longshore_image::document::{Descriptor, annotation};
use longshore_image::statement::{Statement, attest, read_all};
use longshore_image::{Digest, Image, Name, PrivateKey, PublicKey, signature};
use longshore_model::{Code, Error, Result};
use serde::Serialize;

use super::Images;

/// What a run did, and what its verification found.
const RUN: &str = "https://longshore.dev/run/v1";

/// A statement that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// The manifest that it is said of.
    pub image: Digest,
    /// Its own digest.
    pub digest: Digest,
    /// What kind of thing is said.
    pub kind: String,
    /// Whether the given key proves it; `None` when no key was given.
    pub proved: Option<bool>,
    /// The run, when it is on one.
    pub run: Option<Report>,
}

impl Images {
    /// Signs an image and each image in it.
    pub fn sign(&self, image: &Descriptor, name: &Name, key: &PrivateKey) -> Result<()> {
        signature::sign(&self.layout, image, name, key)
    }

    /// Refuses an image that a key has not signed.
    pub fn demand(&self, image: &Descriptor, key: &PublicKey) -> Result<()> {
        signature::demand(&self.layout, image, key)
    }

    /// States what a run of the image did: its report without keys of rows and names of objects.
    pub fn attest(&self, root: &Descriptor, report: &Report, key: &PrivateKey) -> Result<()> {
        let images = Image::all(&self.layout, root)?;
        let sealed = images.first().and_then(|one| one.manifest.annotations.get(annotation::PLAN));
        if sealed != Some(&report.plan) {
            return Err(Error::new(Code::EvidenceUnfit, "the run is of another plan")
                .with("run", report.run.clone())
                .with("plan", report.plan.clone())
                .with("image's", sealed.cloned().unwrap_or_default()));
        }
        let predicate = serde_json::to_value(public(report)).map_err(|error| {
            Error::new(Code::Internal, "the report cannot be written").because(error)
        })?;
        let parts = images.into_iter().map(|one| one.descriptor).filter(|one| one != root);
        for image in std::iter::once(root.clone()).chain(parts) {
            let statement = Statement::of(&image, RUN, predicate.clone());
            attest(&self.layout, &image, &statement, key)?;
        }
        Ok(())
    }

    /// What is said of an image and of the images in it, the oldest first.
    pub fn evidence(&self, root: &Descriptor, key: Option<&PublicKey>) -> Result<Vec<Evidence>> {
        let parts = Image::all(&self.layout, root)?.into_iter().map(|one| one.descriptor);
        let parts = parts.filter(|one| one.digest != root.digest);
        let mut found = Vec::new();
        for image in std::iter::once(root.clone()).chain(parts) {
            for said in read_all(&self.layout, &image)? {
                let is_run = said.statement.predicate_type == RUN;
                let run = is_run.then(|| serde_json::from_value(said.statement.predicate.clone()));
                found.push(Evidence {
                    image: image.digest.clone(),
                    digest: said.artifact.digest.clone(),
                    kind: said.statement.predicate_type.clone(),
                    proved: key.map(|key| said.is_proved_by(key)),
                    run: run.and_then(Result::ok),
                });
            }
        }
        Ok(found)
    }
}

impl Evidence {
    /// Whether it says that everything arrived, and a given key proves that.
    pub fn is_proof(&self) -> bool {
        let verified = self.run.as_ref().is_some_and(|run| run.outcome == Outcome::Verified);
        verified && self.proved == Some(true)
    }
}

/// A report as all may read it who may read the image.
fn public(report: &Report) -> Report {
    let mut report = report.clone();
    report.samples.clear();
    for one in &mut report.moves {
        one.fidelity.iter_mut().for_each(|loss| loss.keys.clear());
        one.rejects = None;
        for table in one.verification.iter_mut().flat_map(|proof| &mut proof.tables) {
            table.differences.clear();
        }
    }
    for reference in &mut report.references {
        reference.missing_names.clear();
        reference.unnamed_names.clear();
    }
    report
}
