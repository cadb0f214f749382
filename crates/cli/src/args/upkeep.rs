//! What the verbs take that look after a registry in the box.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use longshore_service::Origin;

use super::RegistryArgs;

#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// The folder of the images; `registry` in the state folder without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Only say which tags would be removed.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    /// The images: REPOSITORY:TAG or REPOSITORY@DIGEST.
    #[arg(value_name = "IMAGE", required_unless_present = "list", conflicts_with = "list")]
    pub(crate) images: Vec<String>,
    /// The folder of the images; `registry` in the state folder without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Why they stay. Whoever wants to remove one is told.
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "release"])]
    pub(crate) reason: Option<String>,
    /// How long: a day, to its end in UTC, or a moment such as 2027-01-31T12:00:00Z. For ever without it.
    #[arg(long, value_name = "DATE", value_parser = until)]
    pub(crate) until: Option<SystemTime>,
    /// Let them go.
    #[arg(long, conflicts_with_all = ["reason", "until", "list"])]
    pub(crate) release: bool,
    /// List what is held.
    #[arg(long, conflicts_with_all = ["reason", "until"])]
    pub(crate) list: bool,
    /// Only say what would be held or let go.
    #[arg(long, conflicts_with = "list")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DuArgs {
    /// The folder of the images; `registry` in the state folder without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The folder of the images; `registry` in the state folder without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Mend what is damaged or missing with what another registry has: HOST, or HOST/PREFIX where the same
    /// repositories are below a prefix.
    #[arg(long, value_name = "REGISTRY")]
    pub(crate) repair: Option<String>,
    /// Only say what would be mended.
    #[arg(long, requires = "repair")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MirrorArgs {
    /// The repositories: HOST/REPOSITORY, or a pattern such as 'HOST/team/*'. With --from-root without a host.
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) sources: Vec<String>,
    /// Copy into the folder of a registry in the box, also while it serves.
    #[arg(long, value_name = "DIR", required_unless_present = "to", conflicts_with = "to")]
    pub(crate) root: Option<PathBuf>,
    /// Copy into another registry: HOST, or HOST/PREFIX to put the repositories below a prefix.
    #[arg(long, value_name = "REGISTRY")]
    pub(crate) to: Option<String>,
    /// Copy out of the folder of a registry in the box.
    #[arg(long, value_name = "DIR")]
    pub(crate) from_root: Option<PathBuf>,
    /// Only say what would be copied.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

impl MirrorArgs {
    /// The sources, those without a host at one.
    pub(crate) fn origins(&self, host: Option<&str>) -> longshore_model::Result<Vec<Origin>> {
        let whole = |text: &String| match host {
            Some(host) => format!("{host}/{text}").parse(),
            None => text.parse(),
        };
        self.sources.iter().map(whole).collect()
    }
}

/// The end of a time: a moment, or the end of a day.
fn until(text: &str) -> Result<SystemTime, String> {
    let wrong =
        |_| "write a day such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z".to_string();
    let is_day = text.len() == "2027-01-31".len();
    let whole = if is_day { format!("{text}T00:00:00Z") } else { text.to_string() };
    let moment = humantime::parse_rfc3339(&whole).map_err(wrong)?;
    Ok(if is_day { moment + Duration::from_secs(24 * 3600) } else { moment })
}

#[cfg(test)]
mod tests {
    use super::until;

    #[test]
    fn a_day_ends_at_its_end() {
        let told =
            |text: &str| humantime::format_rfc3339_seconds(until(text).expect(text)).to_string();
        assert_eq!(told("2026-12-31"), "2027-01-01T00:00:00Z");
        assert_eq!(told("2026-12-31T12:00:00Z"), "2026-12-31T12:00:00Z");
        for wrong in ["", "tomorrow", "2026-13-01", "2026-02-30", "31.12.2026", "2026-12-31T12"] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }
}
