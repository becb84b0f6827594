//! BPF programs through bpf(2).
