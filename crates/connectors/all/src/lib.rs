//! The one list of connectors. A new system is one folder beside this one and one line here.

use std::sync::Arc;

use longshore_model::connector::Connector;

/// Every connector of this build.
pub fn all() -> Vec<Arc<dyn Connector>> {
    let mut all: Vec<Arc<dyn Connector>> = vec![
        Arc::new(longshore_sqlite::connector()),
        Arc::new(longshore_postgres::connector()),
        Arc::new(longshore_mysql::mysql()),
        Arc::new(longshore_mysql::mariadb()),
        Arc::new(longshore_objects::connector()),
        Arc::new(longshore_objects::trees()),
    ];
    for (tables, objects) in longshore_objects::stores() {
        all.extend([Arc::new(tables) as Arc<dyn Connector>, Arc::new(objects)]);
    }
    all
}
