//! From an image to the description of its deployment.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use longshore_deploy::kubernetes::Cluster;
use longshore_deploy::{Deployment, Limits, Mount, Sealed, demand_name};
use longshore_image::Name;
use longshore_image::document::{Descriptor, Platform, annotation};
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Code, Endpoint, Error, Result};

use super::Wanted;
use crate::secret::named_in;
use crate::{Images, Service};

/// The label with the image's digest.
pub(super) const IMAGE: &str = "dev.longshore.image";
/// The folder in which a deployment works: relative paths are in it.
const WORK: &str = "/work";
/// What the engine takes beside the memory that the migration allows for rows.
const BESIDE: u64 = 512 << 20;
const PROCESSES: u32 = 256;

/// How an image is deployed.
#[derive(Debug, Clone, Default)]
pub struct DeployOptions {
    /// The deployment's name; one of the migration and its plan without it.
    pub name: Option<String>,
    /// What it sees of the machine.
    pub mounts: Vec<Mount>,
    /// The network that it joins.
    pub network: Option<String>,
    /// The user that it runs as.
    pub user: Option<String>,
    /// The most memory, in bytes; what the migration allows, and as much for the rest, without it.
    pub memory: Option<u64>,
    /// The most processors.
    pub cpus: Option<f64>,
    /// Variables that are no secrets.
    pub environment: BTreeMap<String, String>,
    /// More words for the engine, after `run /migration`.
    pub arguments: Vec<String>,
    /// What a cluster needs to be told; for others it is as it is without any wish.
    pub cluster: Cluster,
}

impl Service {
    /// The description of a deployment.
    pub fn deployment(&self, wanted: &Wanted<'_>, images: &Images) -> Result<Deployment> {
        let (spec, plan) = images.task(wanted.image)?;
        let options = &wanted.options;
        let digest = plan.digest()?;
        let name = match &options.name {
            Some(name) => name.clone(),
            None => default_name(&spec.name, &digest),
        };
        demand_name(&name)?;
        let mut command =
            ["run", "/migration", "--json", "--emit-report"].map(str::to_string).to_vec();
        command.extend(options.arguments.iter().cloned());
        let secrets = self.secret_names(&spec);
        Ok(Deployment {
            name,
            image: images.by_digest(wanted.image, &wanted.name)?,
            command,
            environment: options.environment.clone(),
            secrets,
            secrets_folder: None,
            mounts: options.mounts.clone(),
            network: options.network.clone(),
            user: options.user.clone(),
            limits: Limits {
                memory: Some(options.memory.unwrap_or(2 * spec.limits.memory.0 + BESIDE)),
                cpus: options.cpus,
                processes: PROCESSES,
            },
            labels: [
                (annotation::MIGRATION, spec.name.clone()),
                (annotation::MIGRATION_VERSION, spec.version.clone()),
                (annotation::PLAN, digest),
                (IMAGE, wanted.image.digest.to_string()),
            ]
            .map(|(name, value)| (name.to_string(), value))
            .into(),
        })
    }

    /// What a container would not find: paths of this machine that it does not see.
    pub fn unseen(&self, wanted: &Wanted<'_>, images: &Images) -> Result<Vec<String>> {
        let (spec, _) = images.task(wanted.image)?;
        let mut unseen = Vec::new();
        for text in spec.moves.iter().flat_map(|one| [&one.from, &one.to]) {
            let Ok(endpoint) = Endpoint::parse(text) else { continue };
            let Ok(connector) = self.connectors().of(&endpoint) else { continue };
            if !connector.about().local {
                continue;
            }
            let path = Path::new(WORK).join(endpoint.path()?);
            if !wanted.options.mounts.iter().any(|mount| path.starts_with(&mount.to)) {
                unseen.push(path.display().to_string());
            }
        }
        unseen.dedup();
        Ok(unseen)
    }

    /// The ports that the systems of a migration listen at.
    pub(super) fn ports(&self, image: &Descriptor, images: &Images) -> Result<Vec<u16>> {
        let (spec, _) = images.task(image)?;
        let mut ports = Vec::new();
        for text in spec.moves.iter().flat_map(|one| [&one.from, &one.to]) {
            let address = self.secrets().resolve(text).map_err(|error| {
                error.hint(
                    "Set the secret, or name the ports of source and target with --egress PORT.",
                )
            })?;
            let endpoint = Endpoint::parse(&address)?;
            let usual = self.connectors().of(&endpoint)?.about();
            if !usual.local {
                ports.extend(endpoint.port().or(usual.port));
            }
        }
        ports.sort_unstable();
        ports.dedup();
        Ok(ports)
    }

    /// Refuses targets that one process loads, as far as their addresses are known here.
    pub(super) fn demand_shared(&self, image: &Descriptor, images: &Images) -> Result<()> {
        let (spec, _) = images.task(image)?;
        for one in &spec.moves {
            let known = self.secrets().resolve(&one.to).and_then(|text| Endpoint::parse(&text));
            let Ok(endpoint) = known else { continue };
            let about = self.connectors().of(&endpoint)?.about();
            if !about.target.shared {
                return Err(Error::new(
                    Code::Unsupported,
                    "this target cannot be loaded by several processes",
                )
                .with("target", endpoint.to_string())
                .with("system", about.title)
                .hint("Deploy it with one process: without --processes."));
            }
        }
        Ok(())
    }

    /// The values of all secrets that an image needs. One that is missing is an error.
    pub(super) fn deployed_secrets(
        &self,
        image: &Descriptor,
        images: &Images,
    ) -> Result<BTreeMap<String, String>> {
        let (spec, _) = images.task(image)?;
        // Both ends are looked at here, so that a wrong address is found before anything is started.
        self.links(&spec)?;
        let names = self.secret_names(&spec);
        names.into_iter().map(|name| Ok((name.clone(), self.secrets().value(&name)?))).collect()
    }

    /// The secrets that a migration names, and the variables that are set of those that its systems know.
    fn secret_names(&self, spec: &Spec) -> Vec<String> {
        let addresses = || spec.moves.iter().flat_map(|one| [&one.from, &one.to]);
        let mut names: Vec<String> =
            addresses().flat_map(|text| named_in(text)).map(str::to_string).collect();
        for text in addresses() {
            let known = self.secrets().resolve(text).and_then(|text| Endpoint::parse(&text));
            let Ok(connector) = known.and_then(|endpoint| self.connectors().of(&endpoint)) else {
                continue;
            };
            let variables = connector.about().variables.iter().map(|(name, _)| (*name).to_string());
            names.extend(variables.filter(|name| self.secrets().is_set(name)));
        }
        names.sort();
        names.dedup();
        names
    }
}

impl Images {
    /// The sealed migration and its plan.
    pub(super) fn task(&self, root: &Descriptor) -> Result<(Spec, Plan)> {
        let (migration, plan) = self.sealed_files(root)?;
        Ok((Spec::parse(&migration, "migration.yaml")?, Plan::from_json(&plan)?))
    }

    fn by_digest(&self, root: &Descriptor, name: &str) -> Result<Sealed> {
        let image = self.for_platform(root, &Platform::here())?;
        let known = [&image.manifest.config.digest, &image.descriptor.digest, &root.digest];
        Ok(Sealed {
            name: name.to_string(),
            digest: root.digest.to_string(),
            known_as: known.map(ToString::to_string).into(),
        })
    }
}

/// `longshore-<migration>-<plan>`, of what names of containers and of Kubernetes may be of.
fn default_name(migration: &str, plan: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let migration: String = migration.chars().map(plain).take(40).collect();
    let plan = plan.rsplit(':').next().unwrap_or(plan);
    format!("longshore-{}-{}", migration.trim_matches('-'), &plan[..plan.len().min(10)])
}

/// The name of an image that has none.
pub(super) fn plain_name() -> Name {
    "longshore/migration:deployed".parse().unwrap_or_else(|_| unreachable!("a plain name"))
}

/// The folder that a deployment sees its secrets in.
pub(super) fn secrets_folder(private: &Path, deployment: &str) -> PathBuf {
    private.join(deployment).join("secrets")
}

/// Writes secrets as files. The folder around them is for this account alone; what is in it can be read by the user
/// of the container, whichever that is.
pub(super) fn write_secrets(
    private: &Path,
    deployment: &str,
    secrets: &BTreeMap<String, String>,
) -> Result<PathBuf> {
    remove_secrets(private, deployment)?;
    let folder = secrets_folder(private, deployment);
    let failed = |error| Error::io("write the secrets for the deployment", folder.display(), error);
    let mut closed = fs::DirBuilder::new();
    closed.recursive(true).mode(0o700);
    closed.create(private.join(deployment)).map_err(failed)?;
    fs::DirBuilder::new().mode(0o755).create(&folder).map_err(failed)?;
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).map_err(failed)?;
    for (name, value) in secrets {
        let path = folder.join(name);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path);
        let mut file = file.map_err(failed)?;
        file.write_all(value.as_bytes()).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o444)).map_err(failed)?;
    }
    Ok(folder)
}

/// Held by whoever deploys under a name, until it is started.
pub(super) fn hold(private: &Path, deployment: &str) -> Result<fs::File> {
    let failed = |error| Error::io("wait for another who deploys", private.display(), error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(private).map_err(failed)?;
    fs::set_permissions(private, Permissions::from_mode(0o700)).map_err(failed)?;
    let file = fs::File::create(private.join(format!("{deployment}.lock"))).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Removes the files of a deployment's secrets.
pub(super) fn remove_secrets(private: &Path, deployment: &str) -> Result<()> {
    let folder = private.join(deployment);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove the secrets of the deployment", folder.display(), error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::default_name;

    #[test]
    fn names_are_of_what_every_platform_takes() {
        let plan = "sha256:0123456789abcdef";
        assert_eq!(default_name("shop", plan), "longshore-shop-0123456789");
        assert_eq!(default_name("Shop & Söhne_2", plan), "longshore-shop---s-hne-2-0123456789");
        for name in ["a".repeat(300), "_.".to_string(), "Ü".to_string()] {
            super::demand_name(&default_name(&name, plan)).expect("a name");
        }
    }
}
