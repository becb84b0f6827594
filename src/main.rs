//! The daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    macmoved::daemon::main()
}
