//! Registration: from a definition and its label values to series that stand at 0.

use std::collections::BTreeMap;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use super::catalog::{Definition, Kind};

/// What has been registered so far.
#[derive(Debug, Default)]
pub(super) struct Families {
    registry: Registry,
}

impl Families {
    pub(super) const fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn counter(&self, definition: &Definition) -> Result<IntCounter, Error> {
        self.registered(IntCounter::with_opts(opts(definition))?)
    }

    pub(super) fn counters<'v, K: Ord, const N: usize>(
        &self,
        definition: &Definition,
        series: impl IntoIterator<Item = (K, [&'v str; N])>,
    ) -> Result<BTreeMap<K, IntCounter>, Error> {
        let family = IntCounterVec::new(opts(definition), definition.labels)?;
        each(&self.registered(family)?, series)
    }

    pub(super) fn gauge(&self, definition: &Definition) -> Result<IntGauge, Error> {
        self.registered(IntGauge::with_opts(opts(definition))?)
    }

    pub(super) fn gauges<'v, K: Ord, const N: usize>(
        &self,
        definition: &Definition,
        series: impl IntoIterator<Item = (K, [&'v str; N])>,
    ) -> Result<BTreeMap<K, IntGauge>, Error> {
        let family = IntGaugeVec::new(opts(definition), definition.labels)?;
        each(&self.registered(family)?, series)
    }

    pub(super) fn histogram(&self, definition: &Definition) -> Result<Histogram, Error> {
        self.registered(Histogram::with_opts(histogram_opts(definition))?)
    }

    pub(super) fn histograms<'v, K: Ord, const N: usize>(
        &self,
        definition: &Definition,
        series: impl IntoIterator<Item = (K, [&'v str; N])>,
    ) -> Result<BTreeMap<K, Histogram>, Error> {
        let family = HistogramVec::new(histogram_opts(definition), definition.labels)?;
        each(&self.registered(family)?, series)
    }

    fn registered<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, Error> {
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}

/// Makes each series of a family stand, and keeps it by its key.
fn each<'v, B: MetricVecBuilder, K: Ord, const N: usize>(
    family: &MetricVec<B>,
    series: impl IntoIterator<Item = (K, [&'v str; N])>,
) -> Result<BTreeMap<K, B::M>, Error> {
    let one =
        |(key, labels): (K, [&'v str; N])| Ok((key, family.get_metric_with_label_values(&labels)?));
    series.into_iter().map(one).collect()
}

pub(super) fn opts(definition: &Definition) -> Opts {
    Opts::new(definition.name, definition.help)
}

fn histogram_opts(definition: &Definition) -> HistogramOpts {
    let opts = HistogramOpts::new(definition.name, definition.help);
    match definition.kind {
        Kind::Histogram(bounds) => opts.buckets(bounds.to_vec()),
        Kind::Counter | Kind::Gauge => opts,
    }
}
