//! QMP events to engine words.
