//! Threads for password hashes alone: a hash takes as long as thousands of commands, and must
//! neither hold up sessions nor pile up.
//!
//! In: work. Out: its result, or an error when too much work waits or it waited too long. Work
//! whose caller has gone away is skipped.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use restante_host::Clock;
use tokio::sync::oneshot;

/// The threads and the queue in front of them. They end once the pool is dropped.
pub(crate) struct Pool {
    jobs: SyncSender<Job>,
    clock: Arc<dyn Clock>,
    wait: Duration,
}

type Job = Box<dyn FnOnce() + Send>;

impl Pool {
    /// `threads` threads; `queue` jobs may wait for them, `wait` long at most.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        threads: usize,
        queue: usize,
        wait: Duration,
    ) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name("restante-hash".to_owned());
            thread.spawn(move || work(&waiting))?;
        }
        Ok(Self { jobs, clock, wait })
    }

    /// Does `work` on one of the threads. Cancel-safe: work that has not begun is then skipped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the queue is full, [`io::ErrorKind::TimedOut`] when the
    /// work's turn came too late.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let (answer, answered) = oneshot::channel();
        let (clock, wait) = (Arc::clone(&self.clock), self.wait);
        let since = clock.monotonic();
        let job = move || {
            if answer.is_closed() {
                return;
            }
            let late = clock.monotonic().saturating_duration_since(since) > wait;
            let result = if late { Err(io::ErrorKind::TimedOut.into()) } else { Ok(work()) };
            // The caller may have gone away meanwhile.
            let _ = answer.send(result);
        };
        if self.jobs.try_send(Box::new(job)).is_err() {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "too many logins wait"));
        }
        answered.await.map_err(|_| io::Error::other("checking the password failed"))?
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("wait", &self.wait).finish_non_exhaustive()
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // One bad hash must not take the thread away from all other logins; the panic hook has
        // told of it, and its caller sees the answer's sender gone.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::authenticator::tests::HandClock;

    /// Keeps a thread of `pool` busy until the sender is dropped; returns once it is.
    pub(crate) fn occupy(pool: &Pool) -> Sender<()> {
        let (release, released) = channel::<()>();
        let (begun, begin) = channel();
        let job = move || {
            begun.send(()).unwrap();
            let _ = released.recv();
        };
        pool.jobs.send(Box::new(job)).unwrap();
        begin.recv().unwrap();
        release
    }

    /// Takes one place in the queue of `pool`.
    pub(crate) fn fill(pool: &Pool) {
        pool.jobs.try_send(Box::new(|| ())).unwrap();
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_free_one_works() {
        let pool = Pool::new(Arc::new(HandClock::new()), 1, 1, Duration::from_secs(10)).unwrap();
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
        let release = occupy(&pool);
        fill(&pool);
        assert_eq!(pool.run(|| 2).await.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(release);
    }

    #[tokio::test]
    async fn work_whose_turn_comes_too_late_is_not_done() {
        let clock = Arc::new(HandClock::new());
        let pool =
            Pool::new(Arc::<HandClock>::clone(&clock), 1, 1, Duration::from_secs(10)).unwrap();
        let release = occupy(&pool);
        let late = pool.run(|| panic!("must not run"));
        let (result, ()) = tokio::join!(late, async {
            clock.advance(Duration::from_secs(11));
            drop(release);
        });
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_panic_costs_its_caller_alone() {
        let pool = Pool::new(Arc::new(HandClock::new()), 1, 1, Duration::from_secs(10)).unwrap();
        let panicked = pool.run(|| -> () { panic!("a test's panic") }).await;
        assert_eq!(panicked.unwrap_err().kind(), io::ErrorKind::Other);
        assert_eq!(pool.run(|| 3).await.unwrap(), 3);
    }
}
