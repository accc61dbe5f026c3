//! The client side of a POP3 connection.
