//! libvirt's job-completed parameters to figures.

use virt::sys;

use crate::engine::JobCompleted;
use crate::sys::virt_events::Value;

/// `VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT` as the parameter has it.
const MIGRATION_OUT: i64 = sys::VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT as i64;

/// The figures among a job's parameters. One that is missing, or of another type than libvirt
/// documents, is unknown.
///
/// Only backups say whether they succeeded. A migration's event comes from libvirt's confirm phase
/// and only where the guest has arrived, so a job that says nothing is a success.
pub fn job_completed<'a>(params: impl Iterator<Item = (&'a [u8], Value<'a>)>) -> JobCompleted {
    let (operation, success) = (
        sys::VIR_DOMAIN_JOB_OPERATION.to_bytes(),
        sys::VIR_DOMAIN_JOB_SUCCESS.to_bytes(),
    );
    let (downtime, elapsed) = (
        sys::VIR_DOMAIN_JOB_DOWNTIME.to_bytes(),
        sys::VIR_DOMAIN_JOB_TIME_ELAPSED.to_bytes(),
    );
    let mut job = JobCompleted {
        success: true,
        ..JobCompleted::default()
    };
    for (name, value) in params {
        match value {
            Value::Signed(number) if name == operation => {
                job.migration_out = number == MIGRATION_OUT;
            }
            Value::Boolean(told) if name == success => job.success = told,
            Value::Unsigned(millis) if name == downtime => job.downtime_ms = Some(millis),
            Value::Unsigned(millis) if name == elapsed => job.elapsed_ms = Some(millis),
            Value::Signed(_)
            | Value::Unsigned(_)
            | Value::Double(_)
            | Value::Boolean(_)
            | Value::Text(_) => {}
        }
    }
    job
}

#[cfg(test)]
mod tests;
