//! SASL framing (RFC 5034): base64 lines and the PLAIN mechanism.
