//! The answer to "which guest is that": what an operator's command needs before it can plan.

use tokio::sync::oneshot;

use crate::listen::domain_xml::DomainXmlError;
use crate::model::{GuestDescription, GuestId};
use crate::sys::virt_connection::VirtError;

/// Where the answer goes.
pub type FindReply = oneshot::Sender<Result<(GuestId, GuestDescription), FindGuestError>>;

/// Why a guest was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindGuestError {
    /// libvirt has neither a UUID nor a name like that.
    #[error("libvirt has no guest of that name or UUID (see `virsh list --all`)")]
    NoSuchGuest,
    /// Nobody to ask.
    #[error("libvirt is not connected; try again when it is")]
    NotConnected,
    /// Too many questions wait already.
    #[error("too many questions to libvirt wait already; try again")]
    Busy,
    /// libvirt keeps its XML back, and its links do not tell all.
    #[error("libvirt gives out the guest's XML when its migration is over; try again then")]
    Migrating,
    /// libvirt was asked and failed.
    #[error("libvirt did not describe the guest")]
    Libvirt(#[source] VirtError),
    /// libvirt answered with something else than a domain.
    #[error("the guest's XML cannot be read")]
    Xml(#[source] DomainXmlError),
}

impl From<VirtError> for FindGuestError {
    fn from(error: VirtError) -> Self {
        if error.is_no_domain() {
            Self::NoSuchGuest
        } else {
            Self::Libvirt(error)
        }
    }
}

impl From<DomainXmlError> for FindGuestError {
    fn from(error: DomainXmlError) -> Self {
        Self::Xml(error)
    }
}
