//! AF_PACKET sockets that only send.
