//! Settings: defaults, file, environment, flags, in this order; then validated into types.
