//! The migration file, version `v1`. A promise: old files must still load.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::logical::LogicalType;
use crate::loss::{OnReject, Policies};
use crate::{Code, Error, Result};

/// A migration: which data moves from where to where, under which rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The version of this format.
    pub longshore: FormatVersion,
    /// The name of the migration.
    pub name: String,
    /// Its version, of your choosing.
    #[serde(default = "default_version")]
    pub version: String,
    /// What moves.
    pub moves: Vec<Move>,
    /// Columns whose values name objects, which then move as one unit with the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// What happens to values that the target cannot hold exactly; everything not named fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub policies: Policies,
    /// What happens to rows that cannot be written.
    #[serde(default, rename = "on-reject", skip_serializing_if = "is_default")]
    pub on_reject: OnReject,
    /// How the keys of rows are shown in reports.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keys: Keys,
    /// Bounds on what a run may use.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// How much is verified after the copy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub verify: VerifyLevel,
}

/// The version of the migration file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FormatVersion {
    /// The first.
    #[serde(rename = "v1")]
    V1,
}

/// One source, one target, the selection and the rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The source's address. `${secret:NAME}` stands for a secret.
    pub from: String,
    /// The target's address.
    pub to: String,
    /// Patterns of the tables to move, in order; `!` excludes. Empty means all. A table of the
    /// source's default namespace, such as `public`, is named with it or without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// New names of tables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Rules for the columns of the tables that a pattern matches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnRules>,
    /// Conditions in the source's SQL, by pattern of tables: only rows that meet them move.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
    /// Conversions to other types, by `table.column`; patterns are allowed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub types: BTreeMap<String, LogicalType>,
    /// What to do with data that the target holds already.
    #[serde(default, skip_serializing_if = "is_default")]
    pub existing: Existing,
}

/// A column whose values name objects of another move. At the end of a run every object that rows
/// name must be in the target, and those that no row names are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// `table.column`, as the source has them.
    pub column: String,
    /// The `from` of the move of the objects, as it stands there. It comes after the move of the rows.
    pub objects: String,
    /// What values have before the name of the object, such as `/uploads/`. A value that begins
    /// otherwise names nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What to do with names of objects that the source itself lacks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missing: Missing,
}

/// What to do with names of objects that the source itself lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The run does not count as a success.
    #[default]
    Fail,
    /// They are counted and reported.
    Allow,
}

/// Rules for the columns of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnRules {
    /// Only these columns move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// These columns do not move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// New names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Values that must not leave the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mask: BTreeMap<String, Mask>,
}

/// How a value is masked. NULL stays NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// The SHA-256 of the value's canonical text, in hex: equal values stay equal.
    Sha256,
    /// NULL.
    Null,
    /// The text `***`.
    Redact,
}

/// How the keys of rows are shown in reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// As they are.
    #[default]
    Plain,
    /// As the SHA-256 of each value's canonical text, in hex.
    Sha256,
}

/// What to do with data that the target holds already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// Refuse to start.
    #[default]
    Refuse,
    /// Add rows to the tables that are there; in a tree, keep the objects whose names the source lacks.
    Append,
    /// Empty the tables that are there first.
    Truncate,
    /// Drop the tables that are there and make them anew.
    Replace,
    /// Make a tree of objects just what the source is: what is the same stays, the rest is removed.
    Mirror,
}

/// Bounds on what a run may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Chunks at work at the same time; `auto` takes the number of cores.
    pub workers: Workers,
    /// Memory for batches in flight.
    pub memory: Size,
    /// The most that is read from the source in a second.
    #[serde(rename = "source-rate", skip_serializing_if = "Option::is_none")]
    pub source_rate: Option<Rate>,
    /// The size of a chunk: the unit of work and of restart.
    pub chunk: Size,
    /// How often a chunk is tried before the run fails.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: Workers::Auto,
            memory: Size(512 << 20),
            source_rate: None,
            chunk: Size(64 << 20),
            attempts: 5,
        }
    }
}

/// How much is verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyLevel {
    /// Every row.
    #[default]
    Full,
    /// Every row of a part of the chunks, and the number of rows of all.
    Sample,
    /// The number of rows.
    Count,
}

/// A number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WorkersForm", into = "WorkersForm")]
#[schemars(with = "String")]
pub enum Workers {
    /// As many as there are cores.
    Auto,
    /// A fixed number.
    Fixed(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WorkersForm {
    Number(u32),
    Word(String),
}

impl TryFrom<WorkersForm> for Workers {
    type Error = String;
    fn try_from(form: WorkersForm) -> std::result::Result<Self, String> {
        match form {
            WorkersForm::Number(number @ 1..) => Ok(Workers::Fixed(number)),
            WorkersForm::Word(word) if word == "auto" => Ok(Workers::Auto),
            _ => Err("workers is a number above 0, or auto".to_string()),
        }
    }
}

impl From<Workers> for WorkersForm {
    fn from(workers: Workers) -> Self {
        match workers {
            Workers::Auto => WorkersForm::Word("auto".to_string()),
            Workers::Fixed(number) => WorkersForm::Number(number),
        }
    }
}

/// A number of bytes, written like `512MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "SizeForm", into = "String")]
#[schemars(with = "String")]
pub struct Size(pub u64);

/// Bytes in a second, written like `100MiB/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Rate(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum SizeForm {
    Number(u64),
    Text(String),
}

const UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("KB", 1000),
    ("B", 1),
];

impl std::str::FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is not a size such as 512MiB");
        let text = text.trim();
        let (digits, unit) =
            text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit = match unit.trim() {
            "" => 1,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1,
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(unit).filter(|size| *size > 0).map(Size).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match UNITS[..3].iter().find(|(_, unit)| self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl TryFrom<SizeForm> for Size {
    type Error = String;
    fn try_from(form: SizeForm) -> std::result::Result<Self, String> {
        match form {
            SizeForm::Number(number) => number.to_string().parse(),
            SizeForm::Text(text) => text.parse(),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        let size = text.trim().strip_suffix("/s").ok_or("a rate is written like 100MiB/s")?;
        size.parse::<Size>().map(|size| Rate(size.0))
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        format!("{}/s", Size(rate.0))
    }
}

impl Spec {
    /// Reads a migration file; `file` names it in errors.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        // Without an excerpt of the file: the lines around a mistake may hold a password.
        let options = serde_saphyr::options! { with_snippet: false };
        let spec: Spec = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            Error::new(Code::SpecInvalid, "the migration file is not valid")
                .with("file", file)
                .because(error.to_string())
        })?;
        spec.check().map_err(|error| error.with("file", file))?;
        Ok(spec)
    }

    /// A migration of everything, the short form `longshore copy FROM TO`.
    pub fn short(from: &str, to: &str) -> Self {
        Self {
            longshore: FormatVersion::V1,
            name: "copy".to_string(),
            version: default_version(),
            moves: vec![Move {
                from: from.to_string(),
                to: to.to_string(),
                tables: Vec::new(),
                rename: BTreeMap::new(),
                columns: BTreeMap::new(),
                filter: BTreeMap::new(),
                types: BTreeMap::new(),
                existing: Existing::Refuse,
            }],
            references: Vec::new(),
            policies: Policies::default(),
            on_reject: OnReject::Fail,
            keys: Keys::Plain,
            limits: Limits::default(),
            verify: VerifyLevel::Full,
        }
    }

    /// The migration as YAML.
    pub fn to_yaml(&self) -> Result<String> {
        serde_saphyr::to_string(self).map_err(|error| {
            Error::new(Code::Internal, "the migration cannot be written").because(error.to_string())
        })
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: &str| Error::new(Code::SpecInvalid, what.to_string());
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(wrong("the name must be of letters, digits, -, _ and ."));
        }
        if self.moves.is_empty() {
            return Err(wrong("there is no move"));
        }
        for (index, one) in self.moves.iter().enumerate() {
            if self.moves[..index].iter().any(|other| other.to == one.to) {
                return Err(wrong("two moves have the same target").hint(
                    "Give each move a target of its own: the ledger of a target holds one move.",
                ));
            }
        }
        for (index, one) in self.references.iter().enumerate() {
            one.check(self).map_err(|error| error.with("reference", one.column.clone()))?;
            if self.references[..index].contains(one) {
                return Err(wrong("a reference stands twice").with("reference", one.column.clone()));
            }
        }
        if self.limits.attempts == 0 {
            return Err(wrong("limits.attempts must be above 0"));
        }
        self.policies.check()
    }
}

impl Reference {
    /// Table and column.
    pub fn parts(&self) -> Option<(&str, &str)> {
        self.column
            .rsplit_once('.')
            .filter(|(table, column)| !table.is_empty() && !column.is_empty())
    }

    fn check(&self, spec: &Spec) -> Result<()> {
        if self.parts().is_none() {
            return Err(Error::new(Code::SpecInvalid, "a reference names no column")
                .hint("Write it as table.column."));
        }
        let moves = spec.moves.iter().filter(|one| one.from == self.objects).count();
        if moves != 1 {
            let what = match moves {
                0 => "a reference is to objects that no move brings",
                _ => "a reference is to objects that several moves bring",
            };
            return Err(Error::new(Code::SpecInvalid, what)
                .hint("`objects` is the `from` of just one move, written the same."));
        }
        Ok(())
    }
}

fn default_version() -> String {
    "0.1.0".to_string()
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
