//! The shell around the engine; the one module that knows all others.
