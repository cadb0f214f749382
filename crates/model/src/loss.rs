//! Losses: the kinds of conversion that do not keep a value exactly, and the policies for them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Cell, Code, Error, Result};

/// A kind of value that some target cannot hold as it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// A float that is NaN, in a target that has no NaN.
    Nan,
    /// The float −0.0, in a target that stores it as 0.0.
    NegativeZero,
    /// A text that holds NUL (U+0000), in a target whose texts cannot.
    NulText,
    /// A value that `types` asks to convert and that has no exact form in the type asked for.
    InvalidCast,
    /// A date whose month or day is zero, or that the calendar does not have, in a target that has
    /// only days of the calendar.
    ZeroDate,
    /// A value outside of the target's range, such as an infinite float or a date of the year 10000.
    OutOfRange,
    /// A number that `types` asks to convert to a decimal of fewer digits after the point.
    NumericScale,
    /// Bytes that `types` asks to convert to text and that are not UTF-8.
    InvalidUtf8,
    /// A name of a table or a column that the target would take for another's, or that is too long
    /// for it. No value is lost.
    DuplicateName,
}

/// What happens to a value of a [`LossKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The run ends with an error. The default of every kind.
    Fail,
    /// The value becomes NULL, and is counted.
    Null,
    /// The value becomes 0.0, and is counted.
    Zero,
    /// The characters that the target lacks are taken out of the text, which is counted.
    Strip,
    /// The number is rounded to the digits that there are, half away from zero, and is counted.
    Round,
    /// What is not UTF-8 becomes U+FFFD, and the value is counted.
    Replace,
    /// The row goes to a reject file instead of the target, and is counted.
    Divert,
    /// The name gets a number behind it.
    Rename,
}

/// What happens to a row that cannot be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnReject {
    /// The run ends with an error.
    #[default]
    Fail,
    /// The row goes to a reject file, and is counted: a row that the target refuses, and one with a
    /// value of a kind for which `policies` says nothing.
    Divert,
}

/// The policy for each kind of loss; a kind that is not named fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Policies(BTreeMap<LossKind, Action>);

/// The days of the years 0001 to 9999, since 1970-01-01.
const FOUR_DIGITS: Range<i64> = -719_162..2_932_897;

/// How many values of each kind were lost.
pub type LossCounts = BTreeMap<LossKind, u64>;

/// Keys of rows with values that were lost, by their kind.
pub type LossKeys = BTreeMap<LossKind, Vec<String>>;

impl LossKind {
    /// Every kind.
    pub const ALL: &'static [LossKind] = &[
        LossKind::Nan,
        LossKind::NegativeZero,
        LossKind::NulText,
        LossKind::InvalidCast,
        LossKind::ZeroDate,
        LossKind::OutOfRange,
        LossKind::NumericScale,
        LossKind::InvalidUtf8,
        LossKind::DuplicateName,
    ];

    /// The actions that make sense for it; the first is the default.
    pub fn actions(self) -> &'static [Action] {
        match self {
            LossKind::Nan | LossKind::InvalidCast | LossKind::ZeroDate | LossKind::OutOfRange => {
                &[Action::Fail, Action::Null, Action::Divert]
            }
            LossKind::NegativeZero => &[Action::Fail, Action::Zero, Action::Divert],
            LossKind::NulText => &[Action::Fail, Action::Strip, Action::Null, Action::Divert],
            LossKind::NumericScale => &[Action::Fail, Action::Round, Action::Null, Action::Divert],
            LossKind::DuplicateName => &[Action::Fail, Action::Rename],
            LossKind::InvalidUtf8 => &[Action::Fail, Action::Replace, Action::Null, Action::Divert],
        }
    }

    /// Whether a value, as it is, is lost as this. What only a conversion loses is no value's kind.
    #[inline]
    pub fn catches(self, cell: Cell<'_>) -> bool {
        match (self, cell) {
            (LossKind::Nan, Cell::Float(value)) => value.is_nan(),
            (LossKind::NegativeZero, Cell::Float(value)) => {
                value == 0.0 && value.is_sign_negative()
            }
            (LossKind::NulText, Cell::Text(text)) => text.contains('\0'),
            (LossKind::OutOfRange, Cell::Float(value)) => value.is_infinite(),
            (LossKind::OutOfRange, Cell::Date(days)) => !FOUR_DIGITS.contains(&days.into()),
            (LossKind::OutOfRange, Cell::Timestamp(ticks, unit, _)) => {
                !FOUR_DIGITS.contains(&ticks.div_euclid(86_400 * unit.per_second()))
            }
            _ => false,
        }
    }

    /// What it is, for people.
    pub fn describe(self) -> &'static str {
        match self {
            LossKind::Nan => "NaN, which the target does not have",
            LossKind::NegativeZero => "-0.0, which the target stores as 0.0",
            LossKind::NulText => "a text with NUL, which the target's texts cannot hold",
            LossKind::InvalidCast => "a value without exact form in the type asked for",
            LossKind::ZeroDate => "a date without month or day, which the target does not have",
            LossKind::OutOfRange => "a value outside of the target's range",
            LossKind::NumericScale => {
                "a number with more digits after the point than were asked for"
            }
            LossKind::DuplicateName => {
                "a name that the target takes for another's, or that is too long for it"
            }
            LossKind::InvalidUtf8 => "bytes that are no UTF-8, where text was asked for",
        }
    }
}

impl Policies {
    /// The action for a kind.
    pub fn action(&self, kind: LossKind, on_reject: OnReject) -> Action {
        let diverts = on_reject == OnReject::Divert && kind.actions().contains(&Action::Divert);
        let default = if diverts { Action::Divert } else { Action::Fail };
        self.0.get(&kind).copied().unwrap_or(default)
    }

    /// Whether rows may go to reject files.
    pub fn divert(&self, on_reject: OnReject) -> bool {
        on_reject == OnReject::Divert || self.0.values().any(|action| *action == Action::Divert)
    }

    /// Refuses actions that make no sense for their kind.
    pub fn check(&self) -> Result<()> {
        for (kind, action) in &self.0 {
            if !kind.actions().contains(action) {
                let allowed: Vec<_> = kind.actions().iter().map(ToString::to_string).collect();
                return Err(Error::new(
                    Code::SpecInvalid,
                    format!("the policy {kind} cannot be {action}"),
                )
                .hint(format!("It can be {}.", allowed.join(" or "))));
            }
        }
        Ok(())
    }
}

impl fmt::Display for LossKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LossKind::Nan => "nan",
            LossKind::NegativeZero => "negative-zero",
            LossKind::NulText => "nul-text",
            LossKind::InvalidCast => "invalid-cast",
            LossKind::ZeroDate => "zero-date",
            LossKind::OutOfRange => "out-of-range",
            LossKind::NumericScale => "numeric-scale",
            LossKind::InvalidUtf8 => "invalid-utf8",
            LossKind::DuplicateName => "duplicate-name",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Fail => "fail",
            Action::Null => "null",
            Action::Zero => "zero",
            Action::Strip => "strip",
            Action::Round => "round",
            Action::Replace => "replace",
            Action::Divert => "divert",
            Action::Rename => "rename",
        })
    }
}
