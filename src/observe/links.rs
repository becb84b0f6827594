//! Link notifications.
