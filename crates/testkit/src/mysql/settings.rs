//! The settings of a server and of its clients.

use std::fs;
use std::path::Path;

use super::{Flavor, SOCKET};
use crate::server::certificate;

/// The file of the server's settings.
pub(super) const SERVER: &str = "server.cnf";
/// The file of its clients' settings.
pub(super) const CLIENT: &str = "client.cnf";

/// Nothing waits for a disk, and the caches are small. The time zone is one that shows a mistake.
const COMMON: &str = "bind_address = 127.0.0.1
skip_name_resolve = ON
max_connections = 100
table_open_cache = 400
max_allowed_packet = 1G
character_set_server = utf8mb4
default_time_zone = '+02:00'
secure_file_priv =
server_id = 1
log_bin = binlog
sync_binlog = 0
innodb_flush_log_at_trx_commit = 0
innodb_doublewrite = OFF
innodb_flush_method = nosync
innodb_buffer_pool_size = 64M
";

const MARIADB: &str = "binlog_format = ROW
innodb_log_file_size = 64M
";

const MYSQL: &str = "mysqlx = 0
gtid_mode = ON
enforce_gtid_consistency = ON
auto_generate_certs = OFF
innodb_redo_log_capacity = 128M
";

/// Writes both files into a folder.
pub(super) fn write(flavor: Flavor, folder: &Path, port: u16, settings: &[&str]) {
    let at = folder.display();
    let own = match flavor {
        Flavor::MariaDb => MARIADB,
        Flavor::MySql => MYSQL,
    };
    let mut server = format!(
        "[mysqld]\n{COMMON}{own}port = {port}\nsocket = {at}/{SOCKET}\ndatadir = {at}/data\n\
         tmpdir = {at}\nssl_ca = {at}/{}\nssl_cert = {at}/{}\nssl_key = {at}/{}\n",
        certificate::AUTHORITY,
        certificate::CERTIFICATE,
        certificate::KEY,
    );
    let places = longshore_services::mysql_settings(flavor);
    for setting in places.iter().map(String::as_str).chain(settings.iter().copied()) {
        server.push_str(setting);
        server.push('\n');
    }
    let characters = places.iter().find(|setting| setting.starts_with("character_sets_dir"));
    let client = format!(
        "[client]\nuser = root\npassword = root\nprotocol = socket\nsocket = {at}/{SOCKET}\n\
         loose_max_allowed_packet = 1G\n{}\n",
        characters.expect("the server knows its character sets"),
    );
    for (name, text) in [(SERVER, server), (CLIENT, client)] {
        fs::write(folder.join(name), text).expect("the settings are written");
    }
}
