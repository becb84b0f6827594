//! The operator's tool.

use std::process::ExitCode;

fn main() -> ExitCode {
    macmoved::cli::run(std::env::args_os())
}
