//! The protocol, in the categories of the official suite: pull, push, discovery, management.

mod client;
mod discovery;
mod garbage;
mod management;
mod pull;
mod push;
