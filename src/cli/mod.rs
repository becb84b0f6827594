//! macmovectl: what an operator asks and reads.
//!
//! `frame` and `plan --xml` work alone: they need neither the agent nor libvirt. The others ask
//! the agent on its control socket. Exit statuses are those of `sysexits.h`; `hook` has none but 0.

mod ask;
mod brakes;
mod clock;
mod failure;
mod frame;
mod guests;
mod history;
mod hook;
mod hooks;
mod options;
mod output;
mod plan;
mod plan_text;
mod status;
mod text;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use failure::{Failure, USAGE};
use options::{Command, Options};

/// Runs macmovectl with these arguments, the program's name first.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().peekable();
    let program = arguments.next();
    if arguments.next_if(|word| word == "hook").is_some() {
        // libvirt's words may be anything, and are no options.
        hook::run(arguments.collect());
        return ExitCode::SUCCESS;
    }
    let options = match Options::try_parse_from(program.into_iter().chain(arguments)) {
        Ok(options) => options,
        Err(answer) => return answer_of_parser(&answer),
    };
    match execute(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.status())
        }
    }
}

fn execute(options: &Options) -> Result<(), Failure> {
    let json = options.json;
    match &options.command {
        Command::Status => ask::status(&options.socket, json),
        Command::Guests => ask::guests(&options.socket, json),
        Command::History { limit } => ask::history(&options.socket, *limit, json),
        Command::Plan(plan) => match (&plan.guest, &plan.xml) {
            (_, Some(file)) => plan::of_file(file, json),
            (guest, None) => ask::plan(&options.socket, guest.as_deref().unwrap_or_default(), json),
        },
        Command::Pause { length } => ask::pause(&options.socket, *length, json),
        Command::Resume => ask::resume(&options.socket, json),
        Command::Hooks { action, root } => hooks::run(*action, root, json),
        // With an option in front of it, which libvirt does not pass.
        Command::Hook { words } => {
            hook::run(words.clone());
            Ok(())
        }
        Command::Frame { kind } => frame::show(kind, json),
    }
}

/// Prints help, a version or a complaint about the arguments.
fn answer_of_parser(answer: &clap::Error) -> ExitCode {
    let printed = answer.print();
    if answer.use_stderr() {
        return ExitCode::from(USAGE);
    }
    match output::outcome(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.status()),
    }
}

/// Writes the failure and what it comes from on one line.
fn report(failure: &Failure) {
    let mut line = format!("macmovectl: {failure}");
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    // There is nowhere left to complain that complaining failed.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}
