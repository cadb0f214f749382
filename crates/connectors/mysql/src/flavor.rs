//! The two systems of this connector, and what tells them apart.

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavor {
    /// The dialect of its native definitions, which is the scheme of its addresses too.
    pub(crate) fn dialect(self) -> &'static str {
        match self {
            Flavor::MySql => "mysql",
            Flavor::MariaDb => "mariadb",
        }
    }

    /// The name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb => "MariaDB",
        }
    }

    /// The flavor that a server's version speaks of.
    pub(crate) fn of_version(version: &str) -> Flavor {
        match version.to_ascii_lowercase().contains("mariadb") {
            true => Flavor::MariaDb,
            false => Flavor::MySql,
        }
    }

    /// The collation under which texts are equal only when every byte of them is.
    pub(crate) fn exact_collation(self) -> &'static str {
        match self {
            Flavor::MySql => "utf8mb4_0900_bin",
            Flavor::MariaDb => "utf8mb4_nopad_bin",
        }
    }
}
