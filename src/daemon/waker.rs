//! Wakes a capture thread that waits for packets: so it can wait until something is due, however long that is.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

/// A number in the kernel that is not zero from the waking on until the thread has looked.
#[derive(Debug)]
pub(super) struct Waker(OwnedFd);

impl Waker {
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Ends the wait that goes on, or the next one.
    pub fn wake(&self) {
        // full after so many that it wakes in any case
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Takes note of having been woken.
    pub fn look(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    /// Waits until it is woken, or for this time.
    pub fn wait(&self, longest: Duration) {
        let longest = longest.try_into().ok();
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], longest.as_ref());
        self.look();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn it_ends_one_wait_whether_that_goes_on_or_comes_next() {
        let waker = Waker::new().unwrap();
        waker.wake();
        waker.wake();
        let begun = Instant::now();
        waker.wait(Duration::from_mins(1));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let begun = Instant::now();
        waker.wait(Duration::from_millis(50));
        assert!(begun.elapsed() >= Duration::from_millis(40), "it was not woken again");
        std::thread::scope(|scope| {
            let begun = Instant::now();
            scope.spawn(|| waker.wake());
            waker.wait(Duration::from_mins(1));
            assert!(begun.elapsed() < Duration::from_secs(30));
        });
    }
}
