//! The whole path, in this process: the engine with every connector of the build, over real files.

mod crossing;
mod damage;
mod dump;
mod near;
mod property;
mod scene;
mod tamper;
