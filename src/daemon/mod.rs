//! The shell around the engine; the one module that knows all others.
//!
//! ```text
//!  thread "driver" (its own runtime)                      main thread
//!    libvirt's callbacks --+                                signals, sd_notify
//!    link notifications ---+--> Engine --> Emitter          HTTP:  /metrics, health
//!    stager's answers -----+      |                         D-Bus: control.socket
//!    requests <---- mpsc ---------+---- watch<Snapshot> --->
//!                              Brake <------ Pauses ------- orders, the file `paused`
//!                                 \--------- Honour <------ UNARPs of others
//! ```
//!
//! Nothing that may block or take long runs on the driver's thread: libvirt's calls have a worker
//! thread, and scrapes and D-Bus callers are served by the main thread.

mod arguments;
mod driver;
mod facts;
mod hearing;
mod honour;
mod hooks;
mod hot_path;
mod kept;
mod lock;
mod logging;
mod narrate;
pub mod notify;
mod pause_file;
mod pause_store;
mod pauses;
mod plan_report;
mod record;
mod run;
mod run_error;
mod stagings;
mod status_line;

pub use honour::{Honour, HonourSettings, OpenHonourError};
pub use hot_path::HotPath;
pub use lock::LockError;
pub use record::StartRecordError;
pub use run::main;
pub use run_error::RunError;
