//! The data path: plan, copy, finish, verify, report
