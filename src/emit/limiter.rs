//! The brake below the engine: whatever decides to send, no more than this leaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::brake::Brake;
use crate::engine::Round;
use crate::model::{FrameKind, Ifindex, Instant, MacAddr, SendFault, VlanId};

/// Frames by one uplink in [`UPLINK_SPAN`]. Eight times what pacing lets through in the long run,
/// and still far below what a switch's CPU survives.
const UPLINK_FRAMES: usize = 2_000;
const UPLINK_SPAN: Duration = Duration::from_secs(1);

/// Frames of one [`Stream`] in [`STREAM_SPAN`]: four migrations' whole schedules in ten seconds.
const STREAM_FRAMES: usize = 40;
const STREAM_SPAN: Duration = Duration::from_secs(10);

/// Streams that are remembered, 320 octets each; idle ones make room. A frame of a stream that
/// found no room is held back.
const MAX_STREAMS: usize = 16_384;

/// Uplinks that are remembered, 16 kB each. A frame by an uplink that found no room is held back.
const MAX_UPLINKS: usize = 256;

/// Frames that say the same of the same station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stream {
    pub(super) mac: MacAddr,
    pub(super) vlan: Option<VlanId>,
    pub(super) kind: FrameKind,
}

impl Stream {
    /// Frames of another kind about the same station.
    pub(super) const fn of(self, kind: FrameKind) -> Self {
        Self { kind, ..self }
    }
}

/// Counts what left. Reaching a limit switches to safe mode, in which only the first frames of
/// migrations pass, and those within the limits too; [`Brake::leave_safe_mode`] leaves it.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    streams: BTreeMap<Stream, Window>,
    uplinks: BTreeMap<Ifindex, Window>,
    brake: Arc<Brake>,
}

impl Limiter {
    pub(super) fn new(brake: Arc<Brake>) -> Self {
        Self {
            brake,
            ..Self::default()
        }
    }

    /// Makes room for a stream and its uplinks, so that nothing has to be made when it is sent.
    pub(super) fn prepare(&mut self, stream: Stream, uplinks: &[Ifindex], now: Instant) {
        if !self.streams.contains_key(&stream) {
            if self.streams.len() >= MAX_STREAMS {
                self.streams
                    .retain(|_, window| !window.is_idle(now, STREAM_SPAN));
            }
            if self.streams.len() < MAX_STREAMS {
                self.streams.insert(stream, Window::new(STREAM_FRAMES));
            }
        }
        for &uplink in uplinks {
            if !self.uplinks.contains_key(&uplink) {
                if self.uplinks.len() >= MAX_UPLINKS {
                    self.uplinks
                        .retain(|_, window| !window.is_idle(now, UPLINK_SPAN));
                }
                if self.uplinks.len() < MAX_UPLINKS {
                    self.uplinks.insert(uplink, Window::new(UPLINK_FRAMES));
                }
            }
        }
    }

    /// Whether a frame may leave `now`.
    pub(super) fn admit(
        &mut self,
        stream: Stream,
        uplinks: &[Ifindex],
        round: Round,
        now: Instant,
    ) -> Result<(), SendFault> {
        let first = matches!(round, Round::Early | Round::Scheduled(1));
        if self.brake.safe_mode() && !first {
            return Err(SendFault::Limited);
        }
        let (Some(said), true) = (
            self.streams.get(&stream),
            uplinks
                .iter()
                .all(|uplink| self.uplinks.contains_key(uplink)),
        ) else {
            return Err(SendFault::Limited);
        };
        let has_room = said.has_room(now, STREAM_SPAN)
            && uplinks
                .iter()
                .filter_map(|uplink| self.uplinks.get(uplink))
                .all(|window| window.has_room(now, UPLINK_SPAN));
        if has_room {
            return Ok(());
        }
        if self.brake.enter_safe_mode() {
            tracing::error!(
                mac = %stream.mac,
                kind = %stream.kind,
                "more frames than any schedule has: only first frames of migrations leave until \
                 `macmovectl resume`",
            );
        }
        Err(SendFault::Limited)
    }

    /// Counts a frame that left.
    pub(super) fn record(&mut self, stream: Stream, uplinks: &[Ifindex], now: Instant) {
        if let Some(window) = self.streams.get_mut(&stream) {
            window.record(now);
        }
        for uplink in uplinks {
            if let Some(window) = self.uplinks.get_mut(uplink) {
                window.record(now);
            }
        }
    }
}

/// The times of the last so many frames, as a ring: exact in any window, unlike a bucket.
#[derive(Debug)]
struct Window {
    times: Vec<Instant>,
    limit: usize,
    oldest: usize,
}

impl Window {
    fn new(limit: usize) -> Self {
        Self {
            times: Vec::with_capacity(limit),
            limit,
            oldest: 0,
        }
    }

    /// Whether one more frame keeps every window of `span` within the limit.
    fn has_room(&self, now: Instant, span: Duration) -> bool {
        self.times.len() < self.limit
            || self
                .times
                .get(self.oldest)
                .is_none_or(|&oldest| now.saturating_since(oldest) >= span)
    }

    fn record(&mut self, now: Instant) {
        if self.times.len() < self.limit {
            self.times.push(now);
            return;
        }
        if let Some(time) = self.times.get_mut(self.oldest) {
            *time = now;
        }
        self.oldest = (self.oldest + 1) % self.limit;
    }

    /// Whether nothing left within `span`, so that forgetting the window changes nothing.
    fn is_idle(&self, now: Instant, span: Duration) -> bool {
        self.times
            .iter()
            .all(|&time| now.saturating_since(time) >= span)
    }
}

#[cfg(test)]
mod tests;
