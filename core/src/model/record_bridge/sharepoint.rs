//! What is known of SharePoint: connections, sites, lists and their columns.

use super::inventory::UseStatus;
use crate::model::table::table;
use crate::model::{Deletion, Id, Json, Moment, Rule, Secret};

table! {
    /// A row of `sharepoint_connections`: an application registered with a SharePoint tenant.
    SharepointConnection = "sharepoint_connections", tenant: "org_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sharepoint_connections_client": ["tenant_id", "client_id"];
    },
    {
        /// What it is called.
        name: String [Rule::NotEmpty],
        /// The Entra tenant.
        tenant_id: String [Rule::NotEmpty],
        /// The application.
        client_id: String [Rule::NotEmpty],
        /// Its secret, sealed.
        client_secret: Option<Secret>,
        /// Where tokens come from.
        authority_host: String,
        /// What is asked for.
        scopes: Json,
        /// Whether it is in use.
        status: UseStatus,
        /// When it last answered.
        last_verified_at: Option<Moment>,
    }
}

table! {
    /// A row of `sharepoint_sites`: a site.
    SharepointSite = "sharepoint_sites", tenant: "org_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sharepoint_sites_connection": ["connection_id"];
    },
    {
        /// Through which connection.
        connection_id: Id<SharepointConnection>,
        /// The Entra tenant.
        tenant_id: String [Rule::NotEmpty],
        /// The host.
        hostname: String [Rule::NotEmpty],
        /// The path below it.
        site_path: String,
        /// The id that Graph gave; nothing until it was asked.
        site_id: Option<String>,
        /// Where a browser finds it.
        web_url: Option<String>,
        /// Whether it is in use.
        status: UseStatus,
        /// How it is reached, beside its address: its zone, another Graph than the usual one.
        config: Json,
    }
}

table! {
    /// A row of `sharepoint_lists`: a list, found or to be made.
    SharepointList = "sharepoint_lists", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sharepoint_lists_list": ["site_id", "list_id"];
        "idx_sharepoint_lists_site": ["site_id"];
    },
    {
        /// Which site.
        site_id: Id<SharepointSite>,
        /// The id that SharePoint gave; nothing until it is made.
        list_id: Option<String>,
        /// What it is called.
        display_name: String [Rule::NotEmpty],
        /// What it is for.
        description: Option<String>,
        /// What it is made from.
        template: String,
        /// Whether it was made from here.
        is_provisioned: bool,
        /// When it was last made or adapted.
        last_provisioned_at: Option<Moment>,
    }
}

table! {
    /// A row of `target_list_metrics`: how much a list held.
    TargetListMetric = "target_list_metrics", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_target_list_metrics_captured": ["target_list_id"] latest "captured_at";
    },
    {
        /// Which list.
        target_list_id: Id<SharepointList>,
        /// When.
        captured_at: Moment,
        /// How many items.
        item_count: i64 [Rule::NotNegative],
        /// The latest change of an item.
        last_modified_at: Option<Moment>,
    }
}

table! {
    /// A row of `sharepoint_columns`: a column of a list.
    SharepointColumn = "sharepoint_columns", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sharepoint_columns_name": ["list_id", "column_name"];
        "idx_sharepoint_columns_list": ["list_id"];
    },
    {
        /// Which list.
        list_id: Id<SharepointList>,
        /// Its name for programs.
        column_name: String [Rule::NotEmpty],
        /// Its type.
        column_type: String [Rule::NotEmpty],
        /// Whether it must hold something.
        is_required: bool,
        /// Whether only SharePoint writes it.
        is_readonly: bool,
    }
}
