//! Asks the kernel for what a plan depends on. Slow and allocating, so that firing is neither.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::LinkExtentMask;
use rtnetlink::Handle;
use tokio::runtime;
use tokio::sync::{Mutex, oneshot};

use super::prepared::Prepared;
use super::resolve::{Host, resolve};
use super::route::Route;
use super::topology::{Kind, Topology};
use super::vlan_table::VlanTable;
use crate::engine::{Plan, Staging};
use crate::model::{GuestId, Ifindex, LinkName, Refusal};

/// Why the kernel did not describe its links.
#[derive(Debug, thiserror::Error)]
enum AskError {
    /// Links.
    #[error("read the links")]
    Links(#[from] rtnetlink::Error),
    /// VLANs.
    #[error("read the VLANs of the bridges")]
    Vlans(#[from] io::Error),
}

/// How long the kernel may take to answer. A dump of a thousand links takes a few milliseconds;
/// one that waits for a stuck RTNL lock takes for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// Resolves plans on this host.
#[derive(Clone, Debug)]
pub struct Stager {
    handle: Handle,
    /// The runtime of the thread that asks.
    work: runtime::Handle,
    /// That thread ends with the last stager.
    _alive: Arc<oneshot::Sender<Infallible>>,
    /// Held while one guest's questions are open: to a second dump on the same socket the kernel
    /// says `EBUSY` (`__netlink_dump_start` in `net/netlink/af_netlink.c`).
    asking: Arc<Mutex<()>>,
    route: Route,
    uplinks: Vec<LinkName>,
}

impl Stager {
    /// Opens a netlink socket in the network namespace of the calling thread, and starts a thread
    /// that drives it.
    ///
    /// # Errors
    ///
    /// Those of opening the socket, and of starting a thread with a runtime.
    pub(super) fn start(route: Route, uplinks: Vec<LinkName>) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (connection, handle, _) = {
            let _inside = runtime.enter();
            rtnetlink::new_connection()?
        };
        runtime.spawn(connection);
        let work = runtime.handle().clone();
        let (alive, ended) = oneshot::channel();
        thread::Builder::new()
            .name("stager".to_owned())
            .spawn(move || runtime.block_on(ended))?;
        Ok(Self {
            handle,
            work,
            _alive: Arc::new(alive),
            asking: Arc::default(),
            route,
            uplinks,
        })
    }

    /// Where [`Self::stage`] belongs: on a thread that no frame waits for. The kernel answers within
    /// the call that asks, under a lock (RTNL) that others may hold for long.
    #[must_use]
    pub const fn work(&self) -> &runtime::Handle {
        &self.work
    }

    /// What `[network] uplinks` says, from here on.
    pub fn set_uplinks(&mut self, uplinks: Vec<LinkName>) {
        self.uplinks = uplinks;
    }

    /// Resolves and builds all that `plan` needs. NICs that cannot be announced here are in
    /// [`Staging::refused`], those that the plan itself refuses not among them.
    pub async fn stage(&self, guest: GuestId, generation: u64, plan: &Plan) -> Prepared {
        let asking = self.asking.lock().await;
        let answered = tokio::time::timeout(PATIENCE, self.ask(plan)).await;
        drop(asking);
        let error: &dyn std::error::Error = match &answered {
            Ok(Ok((topology, vlans))) => {
                let host = Host {
                    topology,
                    vlans,
                    route: self.route,
                    uplinks: &self.uplinks,
                };
                return resolve(guest, generation, plan, host);
            }
            Ok(Err(error)) => error,
            Err(elapsed) => elapsed,
        };
        tracing::warn!(%guest, error, "the kernel did not describe its links");
        unanswered(guest, generation, plan)
    }

    async fn ask(&self, plan: &Plan) -> Result<(Topology, VlanTable), AskError> {
        let mut topology = Topology::default();
        let mut vlans = VlanTable::default();
        if plan.nics.is_empty() {
            return Ok((topology, vlans));
        }
        let mask = vec![LinkExtentMask::SkipStats];
        let request = self.handle.link().get();
        let request = request.set_filter_mask(AddressFamily::Unspec, mask);
        let mut links = std::pin::pin!(request.execute());
        while let Some(link) = links.try_next().await? {
            topology.insert(&link);
        }
        // A dump may miss a link that came meanwhile, and names of taps are used again: the
        // kernel's own lookup by name has the last word on each target.
        for nic in &plan.nics {
            self.refresh(&mut topology, nic.target).await?;
        }
        let filters = plan.nics.iter().any(|nic| {
            let port = topology.named(nic.target);
            let bridge = port.and_then(|port| topology.get(port.state.master?));
            bridge.is_some_and(|bridge| matches!(bridge.kind, Kind::Bridge { filtering: Some(_) }))
        });
        if filters {
            vlans = VlanTable::read().await?;
        }
        Ok((topology, vlans))
    }

    /// Reads the link of that name, and its master where the dump did not have it.
    async fn refresh(
        &self,
        topology: &mut Topology,
        name: LinkName,
    ) -> Result<(), rtnetlink::Error> {
        let request = self.handle.link().get().match_name(name.as_str());
        topology.remove(name);
        let Some(ifindex) = self.one(topology, request).await? else {
            return Ok(());
        };
        let master = topology.get(ifindex).and_then(|port| port.state.master);
        if let Some(master) = master.filter(|&master| topology.get(master).is_none()) {
            let request = self.handle.link().get().match_index(master.get());
            self.one(topology, request).await?;
        }
        Ok(())
    }

    async fn one(
        &self,
        topology: &mut Topology,
        request: rtnetlink::LinkGetRequest,
    ) -> Result<Option<Ifindex>, rtnetlink::Error> {
        let mut links = std::pin::pin!(request.execute());
        match links.try_next().await {
            Ok(link) => Ok(link.and_then(|link| topology.insert(&link))),
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::ENODEV => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn unanswered(guest: GuestId, generation: u64, plan: &Plan) -> Prepared {
    let refused = plan
        .nics
        .iter()
        .map(|nic| (nic.index, Refusal::Unanswered(nic.target)))
        .collect();
    Prepared {
        guest,
        generation,
        staging: Staging {
            frames: Vec::new(),
            refused,
        },
        frames: Vec::new(),
        places: Vec::new(),
        links: Vec::new(),
    }
}
