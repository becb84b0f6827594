//! Counters, histograms and gauges in the Prometheus text format.
