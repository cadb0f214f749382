//! The servers themselves.

use super::{Flavor, Mysql};

#[test]
fn both_flavors_start_and_answer() {
    for (flavor, number) in [(Flavor::MariaDb, "10.11."), (Flavor::MySql, "9.")] {
        let server = Mysql::shared(flavor);
        let database = server.create("shop");
        assert!(server.sql(&database, "SELECT version()").starts_with(number));
        let settings = "SELECT @@time_zone, @@log_bin, @@binlog_format, @@max_allowed_packet";
        assert_eq!(server.sql(&database, settings), "+02:00\t1\tROW\t1073741824");
        server.sql(&database, "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'a\tb😀')");
        assert_eq!(server.sql(&database, "SELECT * FROM t"), "1\ta\\tb😀");
        let dump = server.dump(&database, &[]);
        assert!(dump.contains("CREATE TABLE `t`") && dump.contains("INSERT INTO `t`"), "{dump}");
        assert_eq!(dump, server.dump(&database, &[]));
    }
}

#[test]
fn root_may_come_over_tls_and_without() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let server = Mysql::shared(flavor);
        let asked = |options: &[&str]| {
            let mut client = server.client("mysql", "mysql");
            client.args(["--protocol=tcp", "--host=127.0.0.1", "--batch", "--skip-column-names"]);
            client.arg(format!("--port={}", server.port())).args(options);
            let sql = "SELECT current_user(); SHOW STATUS LIKE 'Ssl_version'";
            crate::server::finish(client.args(["-e", sql]))
        };
        let authority = format!("--ssl-ca={}", server.authority().display());
        let (verify, plain): (_, &[&str]) = match flavor {
            Flavor::MariaDb => ("--ssl-verify-server-cert", &["--skip-ssl"]),
            Flavor::MySql => {
                ("--ssl-mode=VERIFY_IDENTITY", &["--ssl-mode=DISABLED", "--get-server-public-key"])
            }
        };
        assert_eq!(asked(plain), "root@127.0.0.1\nSsl_version\t\n");
        assert_eq!(asked(&[verify, &authority]), "root@127.0.0.1\nSsl_version\tTLSv1.3\n");
    }
}

#[test]
fn a_server_survives_crash_and_restart() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let server = Mysql::start(flavor);
        let database = server.create("shop");
        server.sql(&database, "CREATE TABLE t (a int)");
        let process = server.pid();
        server.crash();
        server.resume();
        assert_ne!(server.pid(), process);
        server.restart();
        assert_eq!(server.sql(&database, "SELECT count(*) FROM t"), "0");
        let folder = server.socket().parent().expect("a folder").to_path_buf();
        drop(server);
        assert!(!folder.exists(), "nothing is left of it");
    }
}
