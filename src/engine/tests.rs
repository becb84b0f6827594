mod arrivals;
mod departures;
mod guarantees;
mod leftovers;
mod links;
mod pacing;
mod stage;
mod world;
