//! Tenants and their users: every other row belongs to a tenant.

use super::table::table;
use super::{Deletion, Id, Moment, Rule, TenantId, record};

record! {
    /// A row of `tenants`: whose all else is.
    Tenant = "tenants", numbered: false,
    {
        /// Its id.
        id: TenantId,
        /// Its name, 1 to 255 characters.
        name: String,
        /// When it was made.
        created_at: Moment,
        /// When it was last changed.
        updated_at: Moment,
    }
}

table! {
    /// A row of `users`: somebody who acts for a tenant.
    User = "users", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_users_email": ["email"];
    },
    {
        /// Unique per tenant.
        email: Option<String> [Rule::MaxChars(320)],
        /// How the user is shown; may be empty.
        display_name: String [Rule::MaxChars(255)],
    }
}

/// The id of a user.
pub type UserId = Id<User>;
