//! Bytes to values and back. Parsing never panics; emitting fills exactly its length.
