use super::job_completed;
use crate::engine::JobCompleted;
use crate::sys::virt_events::Value;

fn read(params: &[(&str, Value<'static>)]) -> JobCompleted {
    job_completed(params.iter().map(|&(name, value)| (name.as_bytes(), value)))
}

#[test]
fn an_outgoing_migrations_figures_are_read() {
    let job = read(&[
        ("operation", Value::Signed(5)),
        ("time_elapsed", Value::Unsigned(1234)),
        ("time_elapsed_net", Value::Unsigned(1)),
        ("downtime", Value::Unsigned(37)),
        ("downtime_net", Value::Unsigned(2)),
        ("memory_total", Value::Unsigned(96 << 20)),
    ]);
    assert_eq!(
        job,
        JobCompleted {
            migration_out: true,
            success: true,
            downtime_ms: Some(37),
            elapsed_ms: Some(1234),
        }
    );
}

#[test]
fn other_jobs_are_no_outgoing_migration() {
    for operation in [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, -1] {
        let job = read(&[("operation", Value::Signed(operation))]);
        assert!(!job.migration_out, "operation {operation}");
    }
}

#[test]
fn a_job_that_says_it_failed_did() {
    assert!(!read(&[("success", Value::Boolean(false))]).success);
    assert!(read(&[("success", Value::Boolean(true))]).success);
}

#[test]
fn what_is_missing_or_of_another_type_is_not_made_up() {
    let unknown = JobCompleted {
        migration_out: false,
        success: true,
        downtime_ms: None,
        elapsed_ms: None,
    };
    assert_eq!(read(&[]), unknown);
    let job = read(&[
        ("operation", Value::Unsigned(5)),
        ("success", Value::Signed(1)),
        ("downtime", Value::Signed(3)),
        ("time_elapsed", Value::Double(1.0)),
        ("errmsg", Value::Text(c"operation aborted")),
    ]);
    assert_eq!(job, unknown);
}
