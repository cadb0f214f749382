//! Engines: what a binary is, before it is sealed.

use std::path::Path;

use flate2::read::ZlibDecoder;
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::io::Read;

use crate::Digest;
use crate::document::Platform;

/// The section in which a binary tells what it was built of, in the form of cargo-auditable.
const SECTION: &[u8] = b".dep-v0";
/// The package whose binary is an engine.
const PACKAGE: &str = "longshore-cli";
/// The longest that a list of packages may be.
const LONGEST: u64 = 8 << 20;

/// How a static engine is made.
const RECIPE: &str = "Build it with the project's own settings (`cargo build --release`), or with RUSTFLAGS='-C target-feature=+crt-static' and a --target.";

/// A binary that can be sealed: static, for a known platform, and longshore.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// Where it runs.
    pub platform: Platform,
    /// Its version.
    pub version: String,
    /// What it was built of.
    pub packages: Vec<Package>,
}

/// A package that a binary was built of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from: `crates.io`, `local`.
    pub source: String,
    /// `build` for what ran while compiling only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Those it needs, by their places in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<usize>,
    /// Whether the binary is of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub root: bool,
}

#[derive(Deserialize)]
struct Packages {
    packages: Vec<Package>,
}

impl Engine {
    /// Reads a binary and refuses what cannot run in an empty image.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)
            .map_err(|error| Error::io("read the engine", path.display(), error))?;
        Self::of(bytes).map_err(|error| error.with("engine", path.display().to_string()))
    }

    /// Looks at the bytes of a binary.
    pub fn of(bytes: Vec<u8>) -> Result<Self> {
        let elf = Elf::of(&bytes).ok_or_else(|| {
            refused("it is no 64-bit program of Linux")
                .hint("Name a binary of longshore with --engine FILE.")
        })?;
        let platform = elf.platform()?;
        if elf.is_dynamic().ok_or_else(cut_off)? {
            return Err(refused("it is not static, so that an empty image lacks what it needs")
                .hint(RECIPE));
        }
        let packages = elf.section(SECTION).and_then(packages).ok_or_else(|| {
            refused("it does not say what it was built of, as every longshore does")
                .hint("Name a binary of longshore with --engine FILE; one that was stripped of its sections does not serve.")
        })?;
        let root = packages.iter().find(|package| package.root && package.name == PACKAGE);
        let version = root.ok_or_else(|| refused("it is another program"))?.version.clone();
        Ok(Self { digest: Digest::of(&bytes), platform, version, packages, bytes })
    }
}

fn refused(why: &str) -> Error {
    Error::new(Code::EngineUnusable, format!("the engine cannot be sealed: {why}"))
}

fn cut_off() -> Error {
    refused("the file is cut off")
}

fn packages(section: &[u8]) -> Option<Vec<Package>> {
    let mut json = Vec::new();
    ZlibDecoder::new(section).take(LONGEST).read_to_end(&mut json).ok()?;
    Some(serde_json::from_slice::<Packages>(&json).ok()?.packages)
}

/// A 64-bit little-endian ELF file, of which only what is asked for is read.
struct Elf<'a>(&'a [u8]);

impl<'a> Elf<'a> {
    const INTERPRETER: u32 = 3;

    fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.starts_with(b"\x7fELF\x02\x01").then_some(Self(bytes))
    }

    fn platform(&self) -> Result<Platform> {
        let architecture = match self.u16(18) {
            Some(62) => "amd64",
            Some(183) => "arm64",
            _ => return Err(refused("its processor is neither amd64 nor arm64")),
        };
        Ok(Platform { architecture: architecture.into(), os: "linux".into(), variant: None })
    }

    /// Whether another program must load it.
    fn is_dynamic(&self) -> Option<bool> {
        let (start, size, count) = (self.u64(32)?, self.u16(54)?, self.u16(56)?);
        for number in 0..u64::from(count) {
            let header = start.checked_add(number * u64::from(size))?;
            if self.u32(header)? == Self::INTERPRETER {
                return Some(true);
            }
        }
        Some(false)
    }

    fn section(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let (start, size, count) = (self.u64(40)?, self.u16(58)?, self.u16(60)?);
        let header = |number: u16| start.checked_add(u64::from(number) * u64::from(size));
        let names = self.content(header(self.u16(62)?)?)?;
        for number in 0..count {
            let header = header(number)?;
            let name = names.get(self.u32(header)? as usize..)?;
            if name.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0)) {
                return self.content(header);
            }
        }
        None
    }

    fn content(&self, header: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(self.u64(header.checked_add(24)?)?).ok()?;
        let size = usize::try_from(self.u64(header.checked_add(32)?)?).ok()?;
        self.0.get(start..start.checked_add(size)?)
    }

    fn at<const N: usize>(&self, place: u64) -> Option<[u8; N]> {
        let place = usize::try_from(place).ok()?;
        self.0.get(place..place.checked_add(N)?)?.try_into().ok()
    }

    fn u16(&self, place: u64) -> Option<u16> {
        self.at(place).map(u16::from_le_bytes)
    }

    fn u32(&self, place: u64) -> Option<u32> {
        self.at(place).map(u32::from_le_bytes)
    }

    fn u64(&self, place: u64) -> Option<u64> {
        self.at(place).map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Engine;

    #[test]
    fn what_is_no_engine_is_refused_with_the_reason() {
        let dynamic = std::fs::read("/bin/true").expect("a program");
        for (bytes, why) in [
            (b"#!/bin/sh".to_vec(), "no 64-bit program"),
            (b"\x7fELF\x01\x01".to_vec(), "no 64-bit program"),
            (dynamic.clone(), "not static"),
            (dynamic[..40].to_vec(), "cut off"),
            (b"\x7fELF\x02\x01".to_vec(), "processor"),
        ] {
            let error = Engine::of(bytes).expect_err(why);
            assert!(error.message().contains(why), "{error}");
        }
    }
}
