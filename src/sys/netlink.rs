//! A NETLINK_ROUTE socket for requests that were built beforehand.
