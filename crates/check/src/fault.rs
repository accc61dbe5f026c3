//! How a rule ends that was not simply kept.

/// Why a rule is not kept, or cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server breaks it, and how.
    Broken(String),
    /// It cannot be seen on this server, and why.
    Untestable(String),
}

/// What a rule's function returns: nothing when the rule is kept.
pub(crate) type Outcome<T = ()> = Result<T, Fault>;

/// Ends the rule as broken, with this text, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::fault::Fault::Broken(format!($($text)+)));
        }
    };
}

/// Ends the rule as not testable, with this text, unless the condition holds.
macro_rules! need {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::fault::Fault::Untestable(format!($($text)+)));
        }
    };
}
