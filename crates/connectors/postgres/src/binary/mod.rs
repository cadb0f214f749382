//! The binary form of rows, as COPY sends and takes it.
