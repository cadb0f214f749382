//! The one error type of the project.

use std::fmt;

use crate::code::{Code, Kind};

/// The project's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether doing the same thing again can help. Retry code reads only this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call will fail again.
    Never,
    /// The cause may pass: a lock, a reset connection, a busy server.
    Later,
    /// Not the same thing again, but both ends opened anew can go on from where they are.
    Reopened,
}

/// What went wrong, where, and what to do next.
///
/// `Display` prints this layer only; [`Error::chain`] prints every cause. Neither ever holds a
/// value of a row or a secret: callers put names, counts and positions into the context.
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    retry: Retry,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that a retry cannot mend.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            context: Vec::new(),
            hint: None,
            retry: Retry::Never,
            source: None,
        }))
    }

    /// An error from the operating system; `doing` completes "could not …".
    /// An error of ours that went through an API of the system comes out as it was.
    pub fn io(doing: impl fmt::Display, path: impl fmt::Display, error: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(error) => error,
        };
        let code = match error.kind() {
            K::NotFound => Code::NotFound,
            K::PermissionDenied | K::ReadOnlyFilesystem => Code::PermissionDenied,
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Code::StorageFull,
            _ => Code::Io,
        };
        let temporary = matches!(error.kind(), K::Interrupted | K::TimedOut | K::ResourceBusy);
        let made = Self::new(code, format!("could not {doing}"))
            .with("path", path.to_string())
            .because(error);
        if temporary { made.temporary() } else { made }
    }

    /// Adds one fact of where it happened.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Adds the cause.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Replaces the code's general advice by a more exact one.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Marks the error as one that may pass.
    pub fn temporary(mut self) -> Self {
        self.0.retry = Retry::Later;
        self
    }

    /// Marks the error as one that opening both ends anew may mend.
    pub fn reopened(mut self) -> Self {
        self.0.retry = Retry::Reopened;
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The kind, from which exit codes and HTTP statuses follow.
    pub fn kind(&self) -> Kind {
        self.0.code.entry().kind
    }

    /// Whether a retry may help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What happened, without the context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    pub fn advice(&self) -> &str {
        self.0.hint.as_deref().unwrap_or(self.0.code.entry().hint)
    }

    /// The facts of where it happened, in the order they were added.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// This layer and every cause below it, one line each.
    pub fn chain(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            lines.push(cause.to_string());
            next = cause.source();
        }
        lines
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (index, (key, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{key}: {value}", if index == 0 { " (" } else { ", " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.chain().join(": "))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
