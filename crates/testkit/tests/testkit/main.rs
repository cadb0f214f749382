//! The suite and its reference agree.

use longshore_testkit::Memory;
use longshore_testkit::conformance::System;

fn memory() -> System {
    System::new(Memory, |folder, name| format!("memory:{}/{name}", folder.display()))
}

longshore_testkit::conformance_tests!(conformance_of_memory, memory);
