mod arrivals;
mod departures;
mod guarantees;
pub(super) mod histories;
mod leftovers;
mod links;
mod pacing;
mod stage;
mod world;
