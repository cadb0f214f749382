//! Empty data folders of MySQL and MariaDB: making one takes seconds, copying it does not.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{account, mysql_programs, mysql_server, mysql_settings, run};

/// A server that speaks the protocol of MySQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MariaDB of Debian 12.
    MariaDb,
    /// The newest MySQL.
    MySql,
}

impl Flavor {
    /// The name of the root that its packages are unpacked into.
    pub(crate) const fn root(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    pub(crate) fn server(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadbd",
            Self::MySql => "mysqld",
        }
    }
}

/// MariaDB has both already, MySQL only the first. It wants a statement on each line.
const USERS: &str = "FLUSH PRIVILEGES;
ALTER USER root@localhost IDENTIFIED BY 'root';
CREATE USER IF NOT EXISTS root@127.0.0.1;
ALTER USER root@127.0.0.1 IDENTIFIED BY 'root';
GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;
";

/// Where a server whose packages are in `root` finds its own files.
pub(crate) fn settings(root: &Path) -> Vec<String> {
    let root = root.display();
    vec![
        format!("basedir={root}/usr"),
        format!("plugin_dir={root}/usr/lib/mysql/plugin"),
        format!("lc_messages_dir={root}/usr/share/mysql"),
        format!("character_sets_dir={root}/usr/share/mysql/charsets"),
    ]
}

/// Makes the data folder. Its user `root`, with the password `root`, may come from 127.0.0.1 and
/// through the Unix socket.
pub(crate) fn template(flavor: Flavor, at: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", at.display());
    fs::create_dir_all(at).map_err(told)?;
    let users = at.with_extension("sql");
    fs::write(&users, USERS).map_err(told)?;
    let mut command = match flavor {
        Flavor::MariaDb => mariadb(&users),
        Flavor::MySql => mysql(&users),
    };
    command.args(mysql_settings(flavor).iter().map(|setting| format!("--{setting}")));
    command.arg(format!("--datadir={}", at.display())).current_dir("/");
    if let Some((user, group)) = account() {
        std::os::unix::fs::chown(at, Some(user), Some(group)).map_err(told)?;
        command.uid(user).gid(group);
    }
    let made = run(&mut command);
    let _ = fs::remove_file(&users);
    made?;
    // A server makes an identity of its own where it finds none.
    match fs::remove_file(at.join("auto.cnf")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(told(error)),
        _ => Ok(()),
    }
}

fn mariadb(users: &Path) -> Command {
    let mut install = Command::new("sh");
    install.arg(mysql_programs(Flavor::MariaDb).join("mariadb-install-db"));
    install.args([
        "--no-defaults",
        "--force",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        "--innodb-log-file-size=8M",
    ]);
    install.arg(format!("--extra-file={}", users.display()));
    install
}

fn mysql(users: &Path) -> Command {
    let mut install = Command::new(mysql_server(Flavor::MySql));
    install.args(["--no-defaults", "--initialize-insecure"]);
    install.args(["--innodb-redo-log-capacity=8M", "--innodb-doublewrite=OFF"]);
    install.arg(format!("--init-file={}", users.display()));
    install
}
