//! One connection to libvirt from its opening to its end. All of it runs on the worker.

use std::ffi::CStr;
use std::sync::Arc;

use super::arriving;
use super::find::FindGuestError;
use super::settings::{Access, Settings};
use crate::engine::{DescribeFault, GuestFacts, RunState};
use crate::listen::domain_xml;
use crate::listen::lifecycle::run_state;
use crate::model::{GuestDescription, GuestId};
use crate::sys::link_address::link_address;
use crate::sys::virt_connection::{Connection, Domain, VirtError, c_string};
use crate::sys::virt_events::{Registration, Sink};

/// The last libvirt that is known to give out an arriving guest's XML at once; 11.3 is known not to.
const PROMPT: u32 = 9_000_000;

/// A connection with its callbacks registered.
///
/// The fields drop in this order: registrations first, each of which holds the connection too.
#[derive(Debug)]
pub(super) struct Session {
    registrations: Vec<Registration>,
    connection: Connection,
    /// Whether an arriving guest's XML may be long in coming.
    xml_waits: bool,
}

impl Session {
    /// Opens a connection and registers for its events.
    ///
    /// Lifecycle events are a must. Without the rest the agent is later or knows less. That there
    /// are no QEMU events is said aloud once: `told` is whether it has been.
    pub(super) fn open(
        uri: &CStr,
        settings: &Settings,
        sink: &Arc<dyn Sink>,
        told: &mut bool,
    ) -> Result<Self, VirtError> {
        let connection = Connection::open(uri, settings.access)?;
        let keepalive = settings.keepalive;
        if let Err(error) = connection.set_keepalive(keepalive.interval, keepalive.count) {
            // A driver within this process, such as libvirt's test driver, has no other end.
            tracing::debug!(%error, "no keepalive on this connection");
        }
        let mut session = Self {
            registrations: Vec::with_capacity(4),
            xml_waits: connection.libvirt_version()? > PROMPT,
            connection,
        };
        match Registration::closed(&session.connection, sink) {
            Ok(registration) => session.registrations.push(registration),
            Err(error) => {
                tracing::debug!(%error, "no close callback on this connection");
            }
        }
        let lifecycle = Registration::lifecycle(&session.connection, sink)?;
        session.registrations.push(lifecycle);
        match Registration::job_completed(&session.connection, sink) {
            Ok(registration) => session.registrations.push(registration),
            Err(error) => tracing::debug!(%error, "no job-completed events"),
        }
        if settings.access == Access::Full {
            match Registration::monitor(&session.connection, sink) {
                Ok(registration) => session.registrations.push(registration),
                Err(error) if *told => tracing::debug!(%error, "still no QEMU events"),
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "no QEMU events: announcements wait for libvirt's own, which come later",
                    );
                    *told = true;
                }
            }
        }
        Ok(session)
    }

    /// Whether libvirt still has the other end.
    pub(super) fn is_alive(&self) -> bool {
        self.connection.is_alive()
    }

    /// Every guest and whether it runs. A guest that goes meanwhile is left out.
    pub(super) fn list(&self) -> Result<Vec<GuestFacts>, VirtError> {
        let mut guests = Vec::new();
        for domain in self.connection.domains()? {
            match facts(&domain) {
                Ok(facts) => guests.push(facts),
                Err(error) if error.is_no_domain() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(guests)
    }

    /// What a guest is plugged into.
    pub(super) fn describe(&self, guest: GuestId) -> Result<GuestDescription, DescribeFault> {
        let domain = self.connection.domain(guest).map_err(FindGuestError::from);
        let described = domain.and_then(|domain| self.read(&domain));
        described.map_err(|error| match error {
            FindGuestError::NoSuchGuest => DescribeFault::Gone,
            FindGuestError::Xml(error) => {
                tracing::warn!(%guest, %error, "a guest's XML cannot be read");
                DescribeFault::Malformed
            }
            FindGuestError::Migrating => {
                tracing::debug!(%guest, "its links do not tell, and its XML is kept back");
                DescribeFault::Unavailable
            }
            FindGuestError::Libvirt(error) => {
                tracing::warn!(%guest, %error, "libvirt did not describe a guest");
                DescribeFault::Unavailable
            }
            FindGuestError::NotConnected | FindGuestError::Busy => DescribeFault::Unavailable,
        })
    }

    /// Finds a guest by its UUID or its name, and describes it. A name may look like a UUID.
    pub(super) fn find(&self, text: &str) -> Result<(GuestId, GuestDescription), FindGuestError> {
        let by_uuid = text
            .parse()
            .ok()
            .map(|guest| self.connection.domain(guest))
            .filter(|found| !found.as_ref().is_err_and(VirtError::is_no_domain));
        let domain = match (by_uuid, c_string(text)) {
            (Some(found), _) => found,
            (None, Some(name)) => self.connection.domain_by_name(&name),
            (None, None) => return Err(FindGuestError::NoSuchGuest),
        }?;
        let guest = domain.id()?;
        let description = self.read(&domain)?;
        Ok((guest, description))
    }

    /// Reads the XML, but not that of a guest in the midst of a migration where it may be long in
    /// coming: the worker has others to serve.
    fn read(&self, domain: &Domain) -> Result<GuestDescription, FindGuestError> {
        let facts = facts(domain)?;
        let migrates = match facts.state {
            RunState::PausedMigration | RunState::PausedPostcopy | RunState::RunningPostcopy => {
                true
            }
            RunState::Running | RunState::Paused | RunState::Off => false,
        };
        if !(migrates && self.xml_waits) {
            return Ok(domain_xml::parse(domain.xml()?.as_bytes())?);
        }
        let links = domain.links()?.ok_or(FindGuestError::Migrating)?;
        let has = |address| domain.has_address(address);
        arriving::describe(facts.guest, facts.name, &links, link_address, has)
            .ok_or(FindGuestError::Migrating)
    }
}

fn facts(domain: &Domain) -> Result<GuestFacts, VirtError> {
    let (state, reason) = domain.state()?;
    Ok(GuestFacts {
        guest: domain.id()?,
        name: domain.name()?,
        state: run_state(state, reason),
    })
}
