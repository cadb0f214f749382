//! Keys, signatures, and what is known of an image's runs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use longshore_engine::report::Report;
use longshore_image::{PrivateKey, PublicKey};
use longshore_model::{Code, Error, Result};
use longshore_service::number::counted;
use longshore_service::{Evidence, Images, Place};

use crate::args::{AttestArgs, EvidenceArgs, KeyArgs, SignArgs, SigningArgs};
use crate::commands::registry;
use crate::context::{Context, secret};
use crate::failure::{DIFFERENCE, DONE};

/// The secret that holds a private key, when no file is named.
const KEY: &str = "LONGSHORE_KEY";

pub(crate) fn key(args: &KeyArgs, context: &Context) -> Result<u8> {
    let ending = |ending: &str| {
        let mut path = args.name.clone().into_os_string();
        path.push(ending);
        std::path::PathBuf::from(path)
    };
    let (private, public) = (ending(".key"), ending(".pub"));
    let text = PrivateKey::generate()?;
    create(&private, 0o600, &text)?;
    let key = PrivateKey::from_pem(&text)?.public();
    create(&public, 0o644, &key.to_pem())?;
    context.print(&format!(
        "{} is written, for signing: keep it secret\n{} is written, for those who check\nkey {}\n",
        private.display(),
        public.display(),
        key.id(),
    ));
    Ok(DONE)
}

/// Writes a file that must not be there yet.
fn create(path: &Path, mode: u32, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        Error::io("write the key", path.display(), error)
            .hint("A key is never written over. Name another: longshore key NAME.")
    })
}

pub(crate) fn sign(args: &SignArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let image = images.find(&Place::Name(args.image.clone()))?;
    let key = private_key(&args.signing)?;
    images.sign(&image, &args.image, &key)?;
    context.print(&format!("{}  signed with {}\n", image.digest, key.public().id()));
    Ok(DONE)
}

pub(crate) fn attest(args: &AttestArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let image = images.find(&Place::Name(args.image.clone()))?;
    let store = context.store();
    let run = match &args.run {
        Some(prefix) => store.find(prefix)?,
        None => store.latest()?,
    };
    let report = run.report()?;
    images.attest(&image, &report, &private_key(&args.signing)?)?;
    context.print(&format!("{}  {}\n", image.digest, told(&report)));
    Ok(DONE)
}

pub(crate) async fn evidence(args: &EvidenceArgs, context: &Context) -> Result<u8> {
    let images = Images::of(&context.state)?;
    let image = registry::find(&images, &args.image, None, &args.fetch, context).await?;
    let key = args.key.as_deref().map(public_key).transpose()?;
    let found = images.evidence(&image, key.as_ref())?;
    let about_it = found.iter().filter(|one| one.image == image.digest);
    for one in about_it {
        context.print(&if context.json { json(one)? } else { line(one) });
    }
    if found.is_empty() && !context.json {
        context.print("nothing is said of this image: `longshore attest` states what a run did\n");
    }
    Ok(match key {
        Some(_) if !found.iter().any(|one| one.image == image.digest && one.is_proof()) => {
            DIFFERENCE
        }
        _ => DONE,
    })
}

/// What is stated, in a line.
pub(crate) fn line(one: &Evidence) -> String {
    let proof = match one.proved {
        Some(true) => "proved    ",
        Some(false) => "NOT PROVED",
        None => "not checked",
    };
    let what = match &one.run {
        Some(report) => told(report),
        None if one.kind.ends_with("cosign/sign/v1") => "the image is signed".to_string(),
        None => one.kind.clone(),
    };
    format!("{proof}  {what}\n")
}

/// A run in a line.
fn told(report: &Report) -> String {
    let tables = report.moves.iter().flat_map(|one| &one.tables);
    let rows: u64 = tables.map(|table| table.rows).sum();
    let outcome = format!("{:?}", report.outcome).to_lowercase();
    let ways: Vec<String> =
        report.moves.iter().map(|one| format!("{} → {}", one.from, one.to)).collect();
    format!(
        "run {} of {} {}, {}: {outcome}, {}, {}",
        report.run,
        report.name,
        report.version,
        report.started,
        counted(rows, "row"),
        ways.join(", ")
    )
}

fn json(one: &Evidence) -> Result<String> {
    serde_json::to_string(one)
        .map(|text| text + "\n")
        .map_err(|error| Error::new(Code::Internal, "evidence cannot be shown").because(error))
}

fn private_key(args: &SigningArgs) -> Result<PrivateKey> {
    let text = match &args.key {
        Some(file) => read(file)?,
        None => secret(KEY)?.ok_or_else(|| {
            Error::new(Code::SecretMissing, "no key is given to sign with").hint(format!(
                "Name its file with --key FILE, or set {KEY} or {KEY}_FILE; `longshore key` makes one."
            ))
        })?,
    };
    PrivateKey::from_pem(&text)
}

/// The public key in a file.
pub(crate) fn public_key(file: &Path) -> Result<PublicKey> {
    PublicKey::from_pem(&read(file)?)
        .map_err(|error| error.with("file", file.display().to_string()))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| Error::io("read the key", file.display(), error))
}
