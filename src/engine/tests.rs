mod arrivals;
mod departures;
mod guarantees;
mod pacing;
mod stage;
mod world;
