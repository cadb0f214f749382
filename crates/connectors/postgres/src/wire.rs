//! The forms of COPY in which rows pass from server to server without being decoded.

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

/// The length of the header that a binary COPY begins with; `None` when it does not.
pub(crate) fn header(bytes: &[u8]) -> Option<usize> {
    let (fixed, rest) = bytes.split_first_chunk::<19>()?;
    if fixed[..11] != HEADER[..11] {
        return None;
    }
    let extension = u32::from_be_bytes([fixed[15], fixed[16], fixed[17], fixed[18]]);
    let extension = usize::try_from(extension).ok().filter(|length| *length <= rest.len())?;
    Some(fixed.len() + extension)
}

#[cfg(test)]
mod tests {
    use super::{HEADER, TRAILER, header};

    #[test]
    fn headers_are_measured() {
        let with = |rest: &[u8]| [&HEADER[..], rest].concat();
        assert_eq!(header(&with(&TRAILER)), Some(19));
        assert_eq!(header(&with(b"")), Some(19));
        assert_eq!(header(b"PGCOPY"), None);
        assert_eq!(header(&[b'x'; 30]), None);
        let mut extended = HEADER.to_vec();
        extended[18] = 3;
        assert_eq!(header(&extended), None);
        extended.extend_from_slice(b"abcrow");
        assert_eq!(header(&extended), Some(22));
    }
}
