//! Carries out sends: one file per attachment.
