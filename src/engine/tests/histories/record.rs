//! A history as the daemon would have recorded it: one file for each life of each engine.

use crate::engine::{Action, Event, Policy};
use crate::model::Instant;

#[derive(Clone, Debug, Default)]
pub(super) struct Recording {
    lives: Vec<String>,
}

impl Recording {
    pub(super) fn begin(&mut self, policy: &Policy) {
        let policy = serde_json::to_string(policy).unwrap();
        let format = "macmoved-recording";
        self.lives.push(format!(
            "{{\"format\":\"{format}\",\"version\":1,\"policy\":{policy}}}\n"
        ));
    }

    pub(super) fn event(&mut self, at: Instant, event: &Event) {
        let event = serde_json::to_string(event).unwrap();
        self.line(at, "event", &event);
    }

    pub(super) fn action(&mut self, at: Instant, action: &Action) {
        let action = serde_json::to_string(action).unwrap();
        self.line(at, "action", &action);
    }

    pub(super) fn timeout(&mut self, at: Instant) {
        self.line(at, "timeout", "null");
    }

    /// The text of each file.
    pub(super) fn files(&self) -> &[String] {
        &self.lives
    }

    fn line(&mut self, at: Instant, kind: &str, value: &str) {
        if let Some(life) = self.lives.last_mut() {
            *life += &format!("{{\"at_ns\":{},\"{kind}\":{value}}}\n", at.as_nanos());
        }
    }
}
