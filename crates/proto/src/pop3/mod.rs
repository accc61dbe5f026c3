//! POP3 (RFC 1939): the server session and the client session.
