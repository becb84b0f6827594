//! What can be asked of the driver.

use tokio::sync::oneshot;

/// How many requests may wait for the driver. One that finds the queue full is refused as busy and
/// counted; the asker may ask again.
pub const REQUESTS: usize = 16;

/// One question, with the way back for its answer.
#[derive(Debug)]
pub enum Request {
    /// What would be announced of a guest, and what not.
    Plan {
        /// Its name or UUID as the operator wrote it.
        guest: String,
        /// The plan as JSON. Dropping it unanswered tells the asker that the agent is stopping.
        reply: oneshot::Sender<Result<String, RequestFault>>,
    },
}

/// Why the driver does not answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// libvirt knows no guest of that name or UUID.
    #[error("libvirt has no such guest")]
    UnknownGuest,
    /// libvirt is not connected, or did not answer.
    #[error("libvirt did not answer")]
    LibvirtUnavailable,
    /// What libvirt said cannot be read.
    #[error("libvirt's XML cannot be read")]
    Unreadable,
}
