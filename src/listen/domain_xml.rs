//! Domain XML to NICs.
