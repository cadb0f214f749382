//! The protocol, in the categories of the official suite: pull, push, discovery, management.

mod check;
mod client;
mod discovery;
mod garbage;
mod holds;
mod management;
mod policy;
mod pull;
mod push;
mod retention;
mod usage;
