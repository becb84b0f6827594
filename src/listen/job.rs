//! job-completed parameters to figures.
