//! `AF_PACKET` sockets that hear, each with a filter of its own.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::model::Ifindex;

#[expect(clippy::cast_possible_truncation, reason = "the number is 17")]
const FAMILY: libc::sa_family_t = libc::AF_PACKET as libc::sa_family_t;
#[expect(clippy::cast_possible_truncation, reason = "the number is 0x0806")]
const ARP: u16 = libc::ETH_P_ARP as u16;
#[expect(clippy::cast_possible_truncation, reason = "the number is 3")]
const EVERY_PROTOCOL: u16 = libc::ETH_P_ALL as u16;
#[expect(clippy::cast_possible_truncation, reason = "twenty octets")]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// Octets that the kernel may keep for the one ear for UNARPs: some three hundred small frames at
/// the about 800 octets that it reckons for each. Beyond them it drops, and counts.
const UNARPS_BUFFER: libc::c_int = 256 * 1024;

/// The same for each guest's port, of which there are hundreds: some forty small frames.
const ADDRESSES_BUFFER: libc::c_int = 32 * 1024;

/// `ldb`/`ldh` at an absolute offset, `ldh` beyond X, `ldxb` of four times a nibble, `jeq` and
/// `jset` with a constant, `ret` of a constant (`include/uapi/linux/bpf_common.h`).
const LOAD_OCTET: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_HALF_BEYOND: u16 = 0x48;
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

/// `ARPHRD_ETHER` (`include/uapi/linux/if_arp.h`).
const ETHERNET: libc::c_int = 1;
/// Where the hardware address length stands in an ARP body.
const HARDWARE_LENGTH: libc::c_int = 4;

/// Passes frames of Ethernet links whose ARP body has hardware length 0; every real ARP frame has
/// 6 there. A frame that ends before is dropped, as any load beyond the end does.
///
/// The body is found from the network header, since a VLAN device may leave its tag in the frame
/// (`reorder_hdr off`).
const UNARPS: [libc::sock_filter; 6] = [
    instruction(LOAD_HALF, 0, 0, libc::SKF_AD_OFF + libc::SKF_AD_HATYPE),
    instruction(JUMP_IF_EQUAL, 0, 3, ETHERNET),
    instruction(LOAD_OCTET, 0, 0, libc::SKF_NET_OFF + HARDWARE_LENGTH),
    instruction(JUMP_IF_EQUAL, 0, 1, 0),
    instruction(RETURN, 0, 0, libc::c_int::MAX),
    instruction(RETURN, 0, 0, 0),
];

/// `EtherType`s, numbers of protocols, and the port at which DHCP's clients hear.
const ETHERTYPE_ARP: libc::c_int = libc::ETH_P_ARP;
const ETHERTYPE_IPV4: libc::c_int = libc::ETH_P_IP;
const ETHERTYPE_IPV6: libc::c_int = libc::ETH_P_IPV6;
const UDP: libc::c_int = libc::IPPROTO_UDP;
const ICMPV6: libc::c_int = libc::IPPROTO_ICMPV6;
const DHCP_CLIENT: libc::c_int = 68;
/// Types of `ICMPv6` (RFC 4861 section 4).
const NEIGHBOUR_SOLICITATION: libc::c_int = 135;
const NEIGHBOUR_ADVERTISEMENT: libc::c_int = 136;

/// Passes, of frames without a tag, ARP both ways, what a DHCP server sends to the port's guest, and
/// where `nd` is set neighbour discovery both ways. For TCP seven instructions decide at most.
const fn addresses(nd: bool) -> [libc::sock_filter; 22] {
    // To the question for IPv6's `EtherType`, or to the end.
    let not_ipv4 = if nd { 9 } else { 18 };
    [
        instruction(LOAD_HALF, 0, 0, 12),
        instruction(JUMP_IF_EQUAL, 16, 0, ETHERTYPE_ARP),
        instruction(JUMP_IF_EQUAL, 0, not_ipv4, ETHERTYPE_IPV4),
        instruction(LOAD_OCTET, 0, 0, 23),
        instruction(JUMP_IF_EQUAL, 0, 16, UDP),
        // A fragment has no ports but in its first part, and none of them is whole.
        instruction(LOAD_HALF, 0, 0, 20),
        instruction(JUMP_IF_SET, 14, 0, 0x3fff),
        instruction(LOAD_HEADER_LENGTH, 0, 0, 14),
        instruction(LOAD_HALF_BEYOND, 0, 0, 16),
        instruction(JUMP_IF_EQUAL, 0, 11, DHCP_CLIENT),
        instruction(LOAD_OCTET, 0, 0, libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE),
        instruction(JUMP_IF_EQUAL, 6, 9, OUTGOING),
        instruction(JUMP_IF_EQUAL, 0, 8, ETHERTYPE_IPV6),
        instruction(LOAD_OCTET, 0, 0, 20),
        instruction(JUMP_IF_EQUAL, 0, 6, ICMPV6),
        instruction(LOAD_OCTET, 0, 0, 54),
        instruction(JUMP_IF_EQUAL, 1, 0, NEIGHBOUR_SOLICITATION),
        instruction(JUMP_IF_EQUAL, 0, 3, NEIGHBOUR_ADVERTISEMENT),
        instruction(
            LOAD_OCTET,
            0,
            0,
            libc::SKF_AD_OFF + libc::SKF_AD_VLAN_TAG_PRESENT,
        ),
        instruction(JUMP_IF_EQUAL, 0, 1, 0),
        instruction(RETURN, 0, 0, libc::c_int::MAX),
        instruction(RETURN, 0, 0, 0),
    ]
}

/// `PACKET_OUTGOING` (packet(7)).
const OUTGOING: libc::c_int = 4;

/// Jumps are counted in instructions from the next one.
const fn instruction(code: u16, equal: u8, other: u8, operand: libc::c_int) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: equal,
        jf: other,
        k: operand.cast_unsigned(),
    }
}

/// A socket that hears.
#[derive(Debug)]
pub struct PacketEar {
    socket: AsyncFd<OwnedFd>,
}

/// What the kernel says of a frame that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The frame's octets; more than the buffer has where it did not fit.
    pub length: usize,
    /// The link on which it was heard.
    pub link: Ifindex,
    /// Whom it is for.
    pub whom: Whom,
}

/// Whom a frame is for (`PACKET_*` of `include/uapi/linux/if_packet.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This host, or everybody.
    Us,
    /// Another station, or a VLAN in which this host has no device (`PACKET_OTHERHOST`).
    Others,
    /// It is this host's own, or leaves by the link.
    Ours,
}

/// What an ear is for.
struct Ear<'a> {
    filter: &'a [libc::sock_filter],
    protocol: u16,
    /// 0 for every link.
    link: libc::c_int,
    buffer: libc::c_int,
}

impl PacketEar {
    /// Hears ARP frames without MAC addresses on every link, where the host's own ARP would hear
    /// them, in the network namespace of the calling thread.
    ///
    /// Being bound to ARP it gets each frame at the point at which the kernel hands it to `arp_rcv`
    /// (`__netif_receive_skb_core` in `net/core/dev.c`), and so once, and as from the link on which
    /// a neighbour entry for it would be: from the bridge and not its port, from the bond and not
    /// its member, from the VLAN device and not the link below. What the host itself sends does not
    /// come by there.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_RAW`; `EMFILE`, `ENFILE`, `ENOMEM`; `EAFNOSUPPORT` on a kernel
    /// without packet sockets.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO enabled.
    pub fn of_unarps() -> io::Result<Self> {
        Self::open(&Ear {
            filter: &UNARPS,
            protocol: ARP,
            link: 0,
            buffer: UNARPS_BUFFER,
        })
    }

    /// Hears, on a guest's port, ARP both ways ([`Whom::Ours`] is what goes to the guest), what DHCP
    /// servers send to it, and where `nd` is set neighbour discovery both ways. Frames with a VLAN tag do not pass.
    ///
    /// A port of a bridge hands frames to the bridge before any ear for one protocol, so this one
    /// is for all of them, and the kernel runs the filter for each frame of the guest.
    ///
    /// # Errors
    ///
    /// As [`PacketEar::of_unarps`]; `ENODEV` where there is no such link.
    ///
    /// # Panics
    ///
    /// As [`PacketEar::of_unarps`].
    pub fn of_addresses(link: Ifindex, nd: bool) -> io::Result<Self> {
        Self::open(&Ear {
            filter: &addresses(nd),
            protocol: EVERY_PROTOCOL,
            link: libc::c_int::try_from(link.get()).map_err(|_| io::ErrorKind::InvalidInput)?,
            buffer: ADDRESSES_BUFFER,
        })
    }

    /// The filter is in place before the first frame can arrive.
    fn open(ear: &Ear<'_>) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket(2) takes plain numbers. Protocol 0 hears nothing.
        let descriptor = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: socket(2) returned this descriptor and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let program = libc::sock_fprog {
            len: u16::try_from(ear.filter.len()).unwrap_or_default(),
            // The kernel reads the program and writes nothing (`__get_filter`).
            filter: ear.filter.as_ptr().cast_mut(),
        };
        set_option(&socket, libc::SO_ATTACH_FILTER, &program)?;
        set_option(&socket, libc::SO_RCVBUF, &ear.buffer)?;
        // SAFETY: sockaddr_ll is plain numbers, for which all zero bits are a value.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = FAMILY;
        address.sll_protocol = ear.protocol.to_be();
        address.sll_ifindex = ear.link;
        // SAFETY: `address` is live for the call and the length is its own.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                ADDRESS_LENGTH,
            )
        };
        if bound < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open, and the registration owns it and never replaces it.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
            .map_err(io::Error::from)?;
        Ok(Self { socket })
    }

    /// Receives one frame into `buffer`, as soon as there is one. Safe to cancel: a frame is taken
    /// only by the call that returns it.
    ///
    /// # Errors
    ///
    /// Those of recvfrom(2), but for `EAGAIN`.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            let mut ready = self.socket.readable().await?;
            if let Ok(outcome) = ready.try_io(|socket| receive(socket.get_ref(), buffer)) {
                return outcome;
            }
        }
    }

    /// Frames that the kernel dropped since the last call because its queue for us was full.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_drops(&self) -> io::Result<u64> {
        let mut counts = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = libc::socklen_t::try_from(size_of_val(&counts)).unwrap_or_default();
        // SAFETY: `counts` and `length` are live and exclusively borrowed, and the length is its
        // own. Reading sets the kernel's counts to 0 (`packet_getsockopt`).
        let outcome = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut counts).cast(),
                &raw mut length,
            )
        };
        if outcome < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(counts.tp_drops.into())
    }
}

/// Values of socket options of level `SOL_SOCKET`. Implementors are `repr(C)`, have the option's
/// layout, and hold only addresses of memory that outlives the call.
trait OptionValue {}
impl OptionValue for libc::sock_fprog {}
impl OptionValue for libc::c_int {}

fn set_option<T: OptionValue>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: `value` is live for the call, is what the option takes, and the length is its own.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(value).cast(),
            libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default(),
        )
    };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Received> {
    // SAFETY: sockaddr_ll is plain numbers, for which all zero bits are a value.
    let mut sender: libc::sockaddr_ll = unsafe { zeroed() };
    let mut address_length = ADDRESS_LENGTH;
    // SAFETY: `buffer` and `sender` are live and exclusively borrowed for the call, and the lengths
    // are theirs.
    let received = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            // The frame's true length, also where it does not fit.
            libc::MSG_TRUNC,
            (&raw mut sender).cast(),
            &raw mut address_length,
        )
    };
    let length = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let link = u32::try_from(sender.sll_ifindex)
        .ok()
        .and_then(Ifindex::new);
    Ok(Received {
        length,
        link: link.ok_or(io::ErrorKind::InvalidData)?,
        whom: match sender.sll_pkttype {
            libc::PACKET_HOST | libc::PACKET_BROADCAST | libc::PACKET_MULTICAST => Whom::Us,
            libc::PACKET_OUTGOING | libc::PACKET_LOOPBACK => Whom::Ours,
            _ => Whom::Others,
        },
    })
}
