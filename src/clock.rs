//! The clock, for the rooms that live in time: to all others time is a value.

use std::time::SystemTime;

use crate::model::Timestamp;

/// What the clock says.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
