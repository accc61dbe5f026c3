//! Connections to a database server, kept for the next question.
//!
//! A few at once, on a runtime of their own. In: how to connect and how to ask. Out: the answer,
//! within [`ANSWER_TIME`]. A connection that broke while nobody used it is replaced before anybody
//! is told; one that breaks at its first question is an error.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::ANSWER_TIME;

/// Connections of one kind.
#[derive(Debug)]
pub(crate) struct Connections<C> {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    places: Semaphore,
    idle: Mutex<Vec<C>>,
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Asked<T> {
    /// It was answered, and the connection is good for another; the answer may be of no use.
    Answered(io::Result<T>),
    /// It was not, and the connection is gone.
    Broken(io::Error),
    /// The server did not like it; the connection is better not used again.
    Failed(io::Error),
}

impl<C> Connections<C> {
    /// At most so many at once. Connects when there is something to ask.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(crate) fn new(thread: &str, at_once: usize) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name(thread).enable_all();
        Ok(Self {
            runtime: Some(builder.build()?),
            places: Semaphore::new(at_once.max(1)),
            idle: Mutex::default(),
        })
    }

    /// Asks on a connection that is kept, or a new one. Blocks.
    pub(crate) fn ask<T>(
        &self,
        connect: impl AsyncFn() -> io::Result<C>,
        question: impl AsyncFn(&mut C) -> Asked<T>,
    ) -> io::Result<T> {
        let runtime = self.runtime.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let answer = async { timeout(ANSWER_TIME, self.answer(connect, question)).await };
        let answer = runtime.block_on(answer);
        answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut)).flatten()
    }

    async fn answer<T>(
        &self,
        connect: impl AsyncFn() -> io::Result<C>,
        question: impl AsyncFn(&mut C) -> Asked<T>,
    ) -> io::Result<T> {
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        loop {
            let kept = self.idle().pop();
            let is_new = kept.is_none();
            let mut connection = match kept {
                Some(connection) => connection,
                None => connect().await?,
            };
            match question(&mut connection).await {
                Asked::Answered(answer) => {
                    self.idle().push(connection);
                    return answer;
                }
                // There may be more of that kind.
                Asked::Broken(_) if !is_new => {}
                Asked::Broken(error) | Asked::Failed(error) => return Err(error),
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Drop for Connections<C> {
    fn drop(&mut self) {
        // Dropped where it is, it would wait for its threads, which async code must not.
        if let Some(runtime) = self.runtime.take() {
            // Connections say goodbye by it.
            let inside = runtime.enter();
            self.idle().clear();
            drop(inside);
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn broken<T>() -> Asked<T> {
        Asked::Broken(io::ErrorKind::BrokenPipe.into())
    }

    #[test]
    fn what_broke_while_nobody_used_it_is_replaced_and_no_more_is_tried() {
        let (connections, made) = (Connections::new("test", 2).unwrap(), AtomicUsize::new(0));
        let connect = async || Ok(made.fetch_add(1, Ordering::Relaxed));
        let same = async |number: &mut usize| Asked::Answered(Ok(*number));
        assert_eq!(connections.ask(connect, same).unwrap(), 0);
        assert_eq!(connections.ask(connect, same).unwrap(), 0, "it is kept");
        let first_breaks = async |number: &mut usize| match *number {
            0 => broken(),
            number => Asked::Answered(Ok(number)),
        };
        assert_eq!(connections.ask(connect, first_breaks).unwrap(), 1);
        let error = connections.ask(connect, async |_: &mut usize| broken::<()>()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(made.load(Ordering::Relaxed), 3, "the kept one, and one more");
        let refused = async |_: &mut usize| Asked::Failed::<()>(io::ErrorKind::InvalidData.into());
        assert!(connections.ask(connect, refused).is_err());
        assert_eq!(connections.ask(connect, same).unwrap(), 4, "a failed one is not kept");
        let useless = async |_: &mut usize| Asked::Answered::<()>(Err(io::ErrorKind::Other.into()));
        assert!(connections.ask(connect, useless).is_err());
        assert_eq!(connections.ask(connect, same).unwrap(), 4);
    }
}
