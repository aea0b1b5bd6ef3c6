//! (address, time) to who: Kubernetes objects and what they say about addresses.
