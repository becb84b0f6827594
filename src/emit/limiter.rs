//! The brake below the engine: whatever decides to send, no more than this leaves.

use std::collections::{BTreeMap, BTreeSet};
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

/// Streams that are remembered, 320 octets each; idle ones of guests that are not staged make room.
/// A frame of a stream that found no room is held back.
const MAX_STREAMS: usize = 16_384;

/// Streams up to which idle ones are not looked for. Above, they are each time the number has
/// doubled, so that what guests leave behind is no more than those that are here.
const FEW_STREAMS: usize = 256;

/// Uplinks that are remembered, 16 kB each, in the same way. A frame by an uplink that found no
/// room is held back.
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

/// What staged guests need windows for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) streams: BTreeSet<Stream>,
    pub(super) uplinks: BTreeSet<Ifindex>,
}

/// Counts what left. Reaching a limit switches to safe mode, in which only the first frames of
/// migrations pass, and those within the limits too; [`Brake::leave_safe_mode`] leaves it.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    streams: BTreeMap<Stream, Window>,
    uplinks: BTreeMap<Ifindex, Window>,
    /// With so many streams idle ones are looked for.
    crowded: usize,
    brake: Arc<Brake>,
}

impl Limiter {
    pub(super) fn new(brake: Arc<Brake>) -> Self {
        Self {
            brake,
            ..Self::default()
        }
    }

    /// Whether it is time for [`Limiter::make_room`].
    pub(super) fn is_crowded(&self) -> bool {
        self.streams.len() >= self.crowded || self.uplinks.len() >= MAX_UPLINKS
    }

    /// Forgets what nothing left by of late. What is `held` stays: its frames may be about to leave,
    /// and are held back where they find no window.
    pub(super) fn make_room(&mut self, now: Instant, held: &Held) {
        self.streams.retain(|stream, window| {
            held.streams.contains(stream) || !window.is_idle(now, STREAM_SPAN)
        });
        self.uplinks.retain(|uplink, window| {
            held.uplinks.contains(uplink) || !window.is_idle(now, UPLINK_SPAN)
        });
        self.crowded = (2 * self.streams.len()).clamp(FEW_STREAMS, MAX_STREAMS);
    }

    /// Sets windows up for a stream and its uplinks, so that nothing has to be made when it is sent.
    pub(super) fn prepare(&mut self, stream: Stream, uplinks: &[Ifindex]) {
        if self.streams.len() < MAX_STREAMS {
            let window = || Window::new(STREAM_FRAMES);
            self.streams.entry(stream).or_insert_with(window);
        }
        for &uplink in uplinks {
            if self.uplinks.len() < MAX_UPLINKS {
                let window = || Window::new(UPLINK_FRAMES);
                self.uplinks.entry(uplink).or_insert_with(window);
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
