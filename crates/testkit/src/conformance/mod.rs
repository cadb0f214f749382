//! The behaviour suite for connectors, written against the words of
//! [`longshore_model::connector`] only. Cases that need a capability look at what the connector
//! declares.
//!
//! ```ignore
//! fn system() -> System {
//!     System::new(Sqlite, |folder, name| format!("sqlite:{}/{name}.db", folder.display()))
//! }
//! longshore_testkit::conformance_tests!(conformance, system);
//! ```

mod begin;
mod chunks;
mod harness;
mod leases;
mod names;
mod read;
mod repair;
mod snapshot;
mod values;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longshore_model::connector::Connector;
use longshore_model::{Cell, Endpoint, LogicalType};
use tempfile::TempDir;

/// The cases, each of which takes a system of its own.
pub mod cases {
    pub use super::begin::*;
    pub use super::chunks::*;
    pub use super::leases::*;
    pub use super::names::*;
    pub use super::read::*;
    pub use super::repair::*;
    pub use super::snapshot::*;
    pub use super::values::*;
}

/// A connector, and addresses for it that nothing uses yet.
pub struct System {
    connector: Arc<dyn Connector>,
    address: Box<Address>,
    folder: TempDir,
    limits: Limits,
}

type Address = dyn Fn(&Path, &str) -> String + Send + Sync;

/// What a system does not have. All that a system lacks must be refused in words: cases check that
/// too.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The bytes of the longest name.
    pub name_bytes: usize,
    /// Whether a name is one that the system takes.
    pub takes_name: fn(&str) -> bool,
    /// Whether what an address names must be there before data is moved, as a server's database.
    pub made_before: bool,
    /// Whether a value of a type is not among the system's.
    pub lacks: fn(&LogicalType, Cell<'_>) -> bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { name_bytes: 120, takes_name: |_| true, made_before: false, lacks: |_, _| false }
    }
}

impl System {
    /// `address` makes an address from a temporary folder and a plain name.
    pub fn new(
        connector: impl Connector + 'static,
        address: impl Fn(&Path, &str) -> String + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let limits = Limits::default();
        Self { connector: Arc::new(connector), address: Box::new(address), folder, limits }
    }

    /// The same system, with limits.
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn endpoint(&self, name: &str) -> Endpoint {
        let address = (self.address)(self.folder.path(), name);
        Endpoint::parse(&address).expect("an address")
    }
}

/// Runs one case on a runtime of its own, and fails it when it hangs.
pub fn test<F: Future<Output = ()>>(case: impl FnOnce(Arc<System>) -> F, system: System) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let limit = Duration::from_secs(180);
        tokio::time::timeout(limit, case(Arc::new(system))).await.expect("the case ends in time");
    });
}

/// Makes a module of tests, one for each case. The second argument names a function that makes a
/// [`System`].
#[macro_export]
macro_rules! conformance_tests {
    ($name:ident, $system:ident) => {
        $crate::conformance_tests! { @cases $name $system }
    };
    (@cases $($head:tt)*) => {
        $crate::conformance_tests! { @emit [$($head)*]
            every_type_round_trips
            values_that_the_system_lacks_are_refused
            studied_types_read_every_value
            arbitrary_batches_round_trip
            a_row_larger_than_every_bound_round_trips
            duplicate_rows_are_kept
            hostile_names_round_trip
            empty_tables_and_chunks_without_rows_are_kept
            opening_a_target_makes_nothing
            entries_are_in_the_ledger_and_survive
            a_dropped_writer_leaves_nothing
            a_chunk_of_many_batches_is_whole
            an_offer_is_taken_whole_or_not_at_all
            writers_work_at_the_same_time
            a_second_claim_is_refused_with_the_holder
            chunks_are_taken_once
            a_chunk_is_one_process_s_however_many_want_it
            an_expired_lease_is_worth_nothing
            a_sleeping_writer_is_in_nobody_s_way
            begin_starts_over
            begin_empties_and_keeps
            reset_removes_rows_and_entries
            position_and_stages_are_kept
            finish_can_be_repeated
            parts_cover_every_row
            rows_are_replaced_exactly
            a_chunk_is_replaced
            chunks_of_a_study_cover_the_table
            columns_come_in_the_order_asked_for
            what_cannot_be_read_is_an_error
            batches_respect_their_bound
            a_reader_can_be_dropped
            readers_work_at_the_same_time
            filters_select_rows
            positions_tell_changes
            a_snapshot_shows_one_state
        }
    };
    (@emit [$name:ident $system:ident] $($case:ident)*) => {
        mod $name {
            $(
                #[test]
                fn $case() {
                    $crate::conformance::test($crate::conformance::cases::$case, super::$system());
                }
            )*
        }
    };
}
