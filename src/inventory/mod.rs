//! (address, time) to who: Kubernetes objects and hosts files, and what they say about addresses.

mod directory;
mod field;
mod hosts;
mod merge;
mod object;
mod owner;
mod read;
mod service;

pub use directory::{Directory, Owner};
pub use merge::merge;
pub use read::{Problem, ReadError, Reading, read};

#[cfg(test)]
mod tests;
