//! The forms of COPY in which rows pass from server to server without being decoded.

use bytes::{Buf, Bytes};
use longshore_model::{Code, Error, Result};

/// The name of [`Wire::Binary`] in plans.
pub(crate) const BINARY: &str = "postgres-binary";
/// The name of [`Wire::Text`] in plans.
pub(crate) const TEXT: &str = "postgres-text";

/// What a binary COPY begins with: signature, no flags, no extension
/// (<https://www.postgresql.org/docs/current/sql-copy.html>, Binary Format).
pub(crate) const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What a binary COPY ends with.
pub(crate) const TRAILER: [u8; 2] = [0xff, 0xff];

/// A form of COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Values in their types' binary forms: for types whose binary form is the same on any server.
    Binary,
    /// Values as text: for every type.
    Text,
}

impl Wire {
    /// The form of a name.
    pub(crate) fn of(name: &str) -> Result<Self> {
        match name {
            BINARY => Ok(Wire::Binary),
            TEXT => Ok(Wire::Text),
            _ => Err(Error::new(Code::Internal, "a wire format is not PostgreSQL's")
                .with("format", name)),
        }
    }

    /// The word for it in COPY.
    pub(crate) fn format(self) -> &'static str {
        match self {
            Wire::Binary => "binary",
            Wire::Text => "text",
        }
    }
}

/// What follows the header of a binary COPY; `None` when it has no such header.
pub(crate) fn after_header(mut message: Bytes) -> Option<Bytes> {
    let length = HEADER.len();
    if message.len() < length || message[..11] != HEADER[..11] {
        return None;
    }
    let extension = u32::from_be_bytes(message[15..length].try_into().ok()?);
    let skip = length.checked_add(usize::try_from(extension).ok()?)?;
    if message.len() < skip {
        return None;
    }
    message.advance(skip);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::{HEADER, TRAILER, after_header};
    use bytes::Bytes;

    #[test]
    fn headers_are_taken_off() {
        let with = |rest: &[u8]| Bytes::from([&HEADER[..], rest].concat());
        assert_eq!(after_header(with(&TRAILER)).as_deref(), Some(&TRAILER[..]));
        assert_eq!(after_header(with(b"")).as_deref(), Some(&b""[..]));
        assert_eq!(after_header(Bytes::from_static(b"PGCOPY")), None);
        let mut extended = HEADER.to_vec();
        extended[18] = 3;
        assert_eq!(after_header(Bytes::from(extended.clone())), None);
        extended.extend_from_slice(b"abcrow");
        assert_eq!(after_header(Bytes::from(extended)).as_deref(), Some(&b"row"[..]));
    }
}
