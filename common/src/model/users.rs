//! Who signs in, and as what.

use crate::word_enum;

word_enum! {
    /// What a user may do in general; what he may read is the [`Policy`](super::policies::Policy)'s.
    pub enum Role {
        /// Sees and manages everything.
        Admin = "admin",
        /// Asks questions of the connections he was permitted.
        User = "user",
        /// Reads what is shared with him.
        Viewer = "viewer",
    }
}
