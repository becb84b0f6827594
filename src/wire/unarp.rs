//! UNARP (RFC 1868): a host says that it leaves.

use std::net::Ipv4Addr;

use super::{Opcode, ParseError};
use crate::model::{HostIpv4, HostIpv4Error};

/// "Forget this host" (RFC 1868 section 3): an ARP reply to 255.255.255.255 without MACs.
///
/// ```text
///  0       2       4   5   6       8           12          16
/// +-------+-------+---+---+-------+-----------+-----------+
/// | 0001  | 0800  |00 |04 | 0002  |   host    | ffffffff  |
/// +-------+-------+---+---+-------+-----------+-----------+
/// ```
///
/// The packet library's ARP type has MACs of fixed length and would read the addresses and the
/// padding as such, so this body is laid out here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unarp {
    /// The host that leaves.
    pub ip: HostIpv4,
}

impl Unarp {
    /// Octets of the body.
    pub(super) const BODY: usize = 16;

    /// Reads a body whose types and lengths are an UNARP's.
    pub(super) fn parse(opcode: Opcode, body: &[u8; Self::BODY]) -> Result<Self, ParseError> {
        if opcode != Opcode::ARP_REPLY {
            return Err(ParseError::UnarpOperation(opcode));
        }
        let [_, _, _, _, _, _, _, _, s0, s1, s2, s3, t0, t1, t2, t3] = *body;
        let target = Ipv4Addr::new(t0, t1, t2, t3);
        if !target.is_broadcast() {
            return Err(ParseError::UnarpTarget(target));
        }
        let ip = HostIpv4::try_from(Ipv4Addr::new(s0, s1, s2, s3));
        let ip = ip.map_err(|error: HostIpv4Error| ParseError::UnarpHost(error))?;
        Ok(Self { ip })
    }

    /// The body.
    pub(super) const fn emit(self) -> [u8; Self::BODY] {
        let [a, b, c, d] = self.ip.get().octets();
        [0, 1, 8, 0, 0, 4, 0, 2, a, b, c, d, 0xff, 0xff, 0xff, 0xff]
    }
}
