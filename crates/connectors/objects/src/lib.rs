//! Folders of CSV, JSON Lines and Parquet files as source and as target
