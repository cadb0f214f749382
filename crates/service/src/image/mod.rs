//! Images of migrations: built from a plan, kept in the state folder, and looked at.

mod diff;
mod evidence;
mod mirror;
mod open;
mod overview;
mod place;
mod registry;
mod removal;
mod seal;
mod unpack;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_image::document::{Descriptor, Platform};
use longshore_image::{Engine, Hold, Image, Layout, Name, Platforms, archive, build, sbom};
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Code, Error, Result};

use crate::Service;

pub use diff::{Difference, EngineDifference, PackageDifference};
pub use evidence::Evidence;
pub use mirror::{MirrorFate, MirrorLine, MirrorOrder, Origin, mirror};
pub(crate) use open::check_addresses as refuse_open_secrets;
pub use overview::{ImageLine, Inspection, LayerLine, Referrer};
pub use place::Place;
pub use registry::{refuse_local, tags};
pub use removal::Removal;
pub use unpack::Unpacked;

/// The images of a state folder.
#[derive(Debug, Clone)]
pub struct Images {
    layout: Layout,
    state: PathBuf,
    hold: Arc<Hold>,
}

/// What is to be built.
pub struct BuildOrder<'a> {
    /// The migration, with secrets as references.
    pub spec: &'a Spec,
    /// Its plan.
    pub plan: &'a Plan,
    /// The binaries, one for each platform.
    pub engines: &'a [PathBuf],
    /// Whether a list is made for one engine as well.
    pub platforms: Platforms,
    /// When it was made, as RFC 3339; a part of the image.
    pub created: String,
    /// The names that the image gets.
    pub names: &'a [Name],
}

impl Images {
    /// The images of a state folder, which need not be there yet.
    pub fn of(state: &Path) -> Result<Self> {
        let layout = Layout::open_or_create(&state.join("images"))?;
        let hold = Arc::new(Hold::of(layout.root())?);
        Ok(Self { layout, state: state.to_path_buf(), hold })
    }

    /// The layout that holds them.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The image at a place; one in an archive or another layout is taken in first, without its names.
    pub fn find(&self, place: &Place) -> Result<Descriptor> {
        match place {
            Place::Name(name) => self.layout.find(name)?.ok_or_else(|| {
                Error::new(Code::ImageMissing, "there is no such image here")
                    .with("image", name.to_string())
            }),
            Place::Archive(file) => the_one(archive::read(file, &self.layout)?, place),
            Place::Layout(folder) => {
                the_one(archive::copy_all(&Layout::open(folder)?, &self.layout)?, place)
            }
        }
    }

    /// Takes the images of an archive or another layout in, with their names.
    pub fn take(&self, place: &Place) -> Result<Vec<(Descriptor, Option<Name>)>> {
        let taken = match place {
            Place::Name(_) => return Ok(vec![(self.find(place)?, None)]),
            Place::Archive(file) => archive::read(file, &self.layout)?,
            Place::Layout(folder) => archive::copy_all(&Layout::open(folder)?, &self.layout)?,
        };
        for (image, name) in &taken {
            if let Some(name) = name {
                self.layout.tag(image, name)?;
            }
        }
        Ok(taken)
    }

    /// Writes an image into an archive or another layout, or gives it another name here.
    pub fn put(&self, image: &Descriptor, name: &Name, place: &Place) -> Result<()> {
        match place {
            Place::Name(name) => self.layout.tag(image, name).map(drop),
            Place::Archive(file) => archive::write(&self.layout, image, name, file),
            Place::Layout(folder) => {
                archive::copy(&self.layout, image, name, &Layout::open_or_create(folder)?)
            }
        }
    }

    /// The sealed migration and its plan, as they are written.
    pub(crate) fn sealed_files(&self, root: &Descriptor) -> Result<(String, String)> {
        let images = Image::all(&self.layout, root)?;
        let first = images.first().ok_or_else(|| not_a_migration(root))?;
        let mut files = self.files(first)?;
        let mut take = |path: &str| {
            let bytes = files.remove(path).ok_or_else(|| not_a_migration(root))?;
            Ok::<_, Error>(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok((take("migration/migration.yaml")?, take("migration/plan.json")?))
    }

    /// The image for a platform.
    pub(crate) fn for_platform(&self, root: &Descriptor, platform: &Platform) -> Result<Image> {
        Image::for_platform(&self.layout, root, platform)
    }

    /// An archive of an image, which goes when it is dropped.
    pub(crate) fn archive(&self, image: &Descriptor, name: &Name) -> Result<Archive> {
        let file = self.state.join(format!("deploy-{}.tar", std::process::id()));
        let archive = Archive(file);
        archive::write(&self.layout, image, name, &archive.0)?;
        Ok(archive)
    }

    /// The bill of materials of the image for a platform.
    pub fn sbom(&self, root: &Descriptor, platform: &Platform) -> Result<Vec<u8>> {
        let image = Image::for_platform(&self.layout, root, platform)?;
        let mut files = self.files(&image)?;
        let engine = files.remove("longshore").ok_or_else(|| not_a_migration(&image.descriptor))?;
        sbom(&Engine::of(engine)?)
    }
}

/// A file for a while.
pub(crate) struct Archive(pub(crate) PathBuf);

impl Drop for Archive {
    fn drop(&mut self) {
        // What cannot be removed does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Service {
    /// Seals a migration, its plan and the engine into an image.
    pub fn build(&self, order: &BuildOrder, images: &Images) -> Result<Descriptor> {
        let task = self.seal(order.spec, order.plan, &order.created)?;
        let engines: Vec<Engine> =
            order.engines.iter().map(|path| Engine::read(path)).collect::<Result<_>>()?;
        let image = build(&task, &engines, order.platforms, &images.layout)?;
        for name in order.names {
            images.layout.tag(&image, name)?;
        }
        Ok(image)
    }
}

fn the_one(images: Vec<(Descriptor, Option<Name>)>, place: &Place) -> Result<Descriptor> {
    let mut digests: Vec<Descriptor> = images.into_iter().map(|(image, _)| image).collect();
    digests.sort_by(|a, b| a.digest.cmp(&b.digest));
    digests.dedup_by(|a, b| a.digest == b.digest);
    match (digests.pop(), digests.len()) {
        (Some(image), 0) => Ok(image),
        (None, _) => Err(Error::new(Code::ImageMissing, "there is no image in it")
            .with("place", place.to_string())),
        (Some(_), others) => Err(Error::new(Code::Usage, "there are several images in it")
            .with("place", place.to_string())
            .with("images", (others + 1).to_string())
            .hint("Take them in with `longshore pull`, and name one of them.")),
    }
}

fn not_a_migration(image: &Descriptor) -> Error {
    Error::new(Code::ImageInvalid, "the image holds no migration")
        .with("image", image.digest.to_string())
        .hint("`longshore build` makes images of migrations.")
}
