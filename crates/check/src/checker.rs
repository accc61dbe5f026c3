//! Runs the rules one after the other and writes down what came of each.

use crate::bench::Bench;
use crate::fault::Fault;
use crate::tls::{self, TlsSetupError};
use crate::{Finding, Report, Rule, Target, Verdict, rules};

/// Nothing could be found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The certificates to trust could not be had.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The server could not be reached, or does not greet.
    #[error("cannot connect to {server}: {why}")]
    Unreachable {
        /// The server, as `host:port`.
        server: String,
        /// Why not.
        why: String,
    },
    /// The test account cannot log in.
    #[error("cannot log in to {server}: {why}")]
    LoginRefused {
        /// The server, as `host:port`.
        server: String,
        /// What the server said.
        why: String,
    },
}

/// A check of one server.
#[derive(Debug)]
pub struct Checker {
    bench: Bench,
    server: String,
    may_delete: bool,
}

impl Checker {
    /// Connects and logs in once, to know that the rules can be looked for.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn start(target: Target) -> Result<Self, CheckError> {
        let server = format!("{}:{}", target.host, target.port);
        let may_delete = target.may_delete;
        let config = tls::config(&target.trust)?;
        let unreachable =
            |fault| CheckError::Unreachable { server: server.clone(), why: why(fault) };
        let mut bench = Bench::new(target, config).map_err(unreachable)?;
        let session = bench.session().map_err(|fault| CheckError::LoginRefused {
            server: server.clone(),
            why: why(fault),
        })?;
        bench.keep(session);
        Ok(Self { bench, server, may_delete })
    }

    /// Looks for every rule; `begin` is told which one is next.
    #[must_use]
    pub fn run(mut self, mut begin: impl FnMut(&Rule)) -> Report {
        let findings = rules()
            .map(|rule| {
                begin(rule);
                self.find(rule)
            })
            .collect();
        let greeting = self.bench.greeting().to_owned();
        let capabilities = self.bench.capabilities().map(<[String]>::to_vec);
        Report { server: self.server, greeting, capabilities, findings }
    }

    fn find(&mut self, rule: &Rule) -> Finding {
        self.bench.begin();
        let outcome = if rule.deletes && !self.may_delete {
            Err(Fault::Untestable("it marks or deletes messages".into()))
        } else {
            (rule.probe)(&mut self.bench)
        };
        let (verdict, why) = match outcome {
            Ok(()) => (Verdict::Kept, None),
            Err(Fault::Broken(why)) => (Verdict::Broken, Some(why)),
            Err(Fault::Untestable(why)) => (Verdict::Untestable, Some(why)),
        };
        let transcript = match verdict {
            Verdict::Broken => self.bench.transcript(),
            _ => Vec::new(),
        };
        let Rule { id, section, level, says, .. } = *rule;
        Finding { id, section, level, rule: says, verdict, why, transcript }
    }
}

fn why(fault: Fault) -> String {
    match fault {
        Fault::Broken(why) | Fault::Untestable(why) => why,
    }
}
