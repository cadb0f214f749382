//! What went wrong on the server, in the project's words. The server's messages about data quote
//! values of rows: none of them is passed on.

use longshore_model::{Code, Error};
use mysql_async::ServerError;

/// An error of the server or of the way to it; `doing` completes "could not …".
pub(crate) fn failure(doing: &str, error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Server(error) => of_server(code_of(error.code), doing, &error),
        mysql_async::Error::Io(mysql_async::IoError::Tls(error)) => {
            Error::new(Code::PermissionDenied, format!("could not {doing}: {error}"))
                .hint("Give the server's certificate authority with ?ssl-ca=FILE.")
        }
        mysql_async::Error::Driver(error) => of_driver(doing, error),
        error => Error::new(Code::Database, format!("could not {doing}: the connection failed"))
            .because(error)
            .temporary(),
    }
}

/// An error while values are written: what the server says of them is that it refuses them.
pub(crate) fn refusal(doing: &str, error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Server(error) if meaning(error.code).is_some() => {
            let code = match code_of(error.code) {
                Code::RowRefused => Code::RowRefused,
                _ => Code::ValueRefused,
            };
            of_server(code, doing, &error)
        }
        // The statement holds the rows, and the message a part of the statement.
        mysql_async::Error::Server(error) if error.code == SYNTAX => {
            Error::new(Code::Internal, format!("could not {doing}: the statement is wrong"))
        }
        error => failure(doing, error),
    }
}

/// An error while rows are selected that meet a condition of the spec.
pub(crate) fn selection(doing: &str, error: mysql_async::Error, filter: Option<&str>) -> Error {
    match (&error, filter) {
        (mysql_async::Error::Server(server), Some(_))
            if server.state.starts_with("42") && code_of(server.code) != Code::PermissionDenied =>
        {
            Error::new(Code::SpecInvalid, "a condition under `where` is not valid")
                .with("error", server.code.to_string())
                .hint("A condition is what follows WHERE in the source's SQL.")
        }
        _ => failure(doing, error),
    }
}

/// Whether the server says that something is not allowed.
pub(crate) fn is_forbidden(error: &mysql_async::Error) -> bool {
    number(error).is_some_and(|number| code_of(number) == Code::PermissionDenied)
}

/// The server's number of an error.
pub(crate) fn number(error: &mysql_async::Error) -> Option<u16> {
    match error {
        mysql_async::Error::Server(error) => Some(error.code),
        _ => None,
    }
}

const SYNTAX: u16 = 1064;

/// The code of an error that the server told.
fn code_of(number: u16) -> Code {
    match number {
        1021 | 1114 | 3675 => Code::StorageFull,
        1044 | 1045 | 1142 | 1143 | 1227 | 1290 | 1370 | 1410 | 1419 | 1698 | 1792 | 1836
        | 3118 => Code::PermissionDenied,
        1049 | 1051 | 1054 | 1146 => Code::NotFound,
        // The definition of a table changed under a snapshot.
        1412 => Code::SourceChanged,
        1022 | 1048 | 1062 | 1216 | 1217 | 1263 | 1364 | 1451 | 1452 | 1557 | 1586 | 1761
        | 1762 | 3819 | 4025 => Code::RowRefused,
        number if meaning(number).is_some() => Code::ValueInvalid,
        _ => Code::Database,
    }
}

fn of_server(code: Code, doing: &str, error: &ServerError) -> Error {
    let what = match meaning(error.code) {
        Some(meaning) => meaning.to_string(),
        None => error.message.clone(),
    };
    let made = Error::new(code, format!("could not {doing}: {what}"))
        .with("error", format!("{} ({})", error.code, error.state));
    let made = match error.code {
        1045 | 1698 => made.hint(
            "Check the user and the password in the address, and from which hosts the server lets \
             the user in.",
        ),
        TOO_LARGE => made.hint(
            "A row is larger than the server's max_allowed_packet: raise it there, up to 1 GB.",
        ),
        TOO_LONG | CUT => made.hint(
            "Texts in keys get a bounded length in MySQL and MariaDB, 255 characters unless the source \
             bounds them. Make the table in the target as it should be and use `existing: append`, or \
             leave it out.",
        ),
        3819 | 4025 => match check_name(&error.message) {
            Some(name) => made.with("constraint", name),
            None => made,
        },
        1412 => made.hint("A table's definition changed while it was read. Run again."),
        _ => made,
    };
    if passes(error.code) { made.temporary() } else { made }
}

/// The name of a violated check, which stands in the first quotes of the message.
fn check_name(message: &str) -> Option<&str> {
    message.split(['\'', '`']).nth(1)
}

const TOO_LARGE: u16 = 1153;
const TOO_LONG: u16 = 1406;
/// What a load says of texts that are too long, and of values that do not fit otherwise.
const CUT: u16 = 1265;

fn of_driver(doing: &str, error: mysql_async::DriverError) -> Error {
    use mysql_async::DriverError as D;
    let lost = || Error::new(Code::Database, format!("could not {doing}: the connection failed"));
    match error {
        D::ConnectionClosed | D::PacketOutOfOrder => lost().temporary(),
        D::PacketTooLarge => Error::new(
            Code::ValueRefused,
            format!("could not {doing}: a row is larger than the protocol's 1 GB"),
        ),
        D::NoClientSslFlagFromServer => {
            Error::new(Code::PermissionDenied, format!("could not {doing}: the server has no TLS"))
                .hint("Set TLS up there, or say ?ssl-mode=disabled if nobody can listen.")
        }
        D::UnknownAuthPlugin { name } => Error::new(
            Code::Unsupported,
            format!("could not {doing}: the account's authentication {name} is not known here"),
        )
        // For a user that is not there, MySQL names any of its methods, so that nobody can tell.
        .hint(
            "Check the name of the user first: the server may say this of one that it does not have. \
             Else give the user another method, such as caching_sha2_password.",
        ),
        D::CleartextPluginDisabled | D::MysqlOldPasswordDisabled => Error::new(
            Code::PermissionDenied,
            format!("could not {doing}: the account's authentication sends the password readably"),
        ),
        // Others may hold values.
        _ => lost(),
    }
}

/// Whether doing it again can help.
fn passes(number: u16) -> bool {
    matches!(
        number,
        1040 | 1053 | 1077 | 1079 | 1080 | 1152 | 1158
            ..=1161
                | 1184
                | 1203
                | 1205
                | 1213
                | 1226
                | 1317
                | 1969
                | 2006
                | 2013
                | 3024
                | 3572
                | 4031
    )
}

/// What an error about data means, without the data.
fn meaning(number: u16) -> Option<&'static str> {
    Some(match number {
        1022 | 1062 | 1557 | 1586 | 1761 | 1762 => "a unique key is there twice",
        1048 | 1263 | 1364 => "a column must not be NULL",
        1216 | 1217 | 1451 | 1452 => "a foreign key refers to no row",
        3819 | 4025 => "a check refuses a row",
        1264 | 1690 => "a number is out of range",
        CUT => "a value is none of its column's type, or a text longer than its column",
        1366 | 1411 => "a value is none of its column's type",
        1292 | 1367 | 1525 => "a text is no date, time or number",
        1300 | 3854 | 3140..=3158 | 4036..=4042 => "a text is not valid in its column's type",
        TOO_LONG => "a text is longer than its column",
        1416 | 3037 | 3055 => "a geometry is not valid",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn a_violated_check_is_named() {
        for (message, name) in [
            ("Check constraint 'upwards' is violated.", Some("upwards")),
            ("CONSTRAINT `upwards` failed for `shop`.`t`", Some("upwards")),
            ("something else", None),
        ] {
            assert_eq!(check_name(message), name);
        }
    }
}
