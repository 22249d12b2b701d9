//! Definitions: which table is kept in step with which target, by which key, field by field.

use super::inventory::{DatabaseInstance, DatabaseTable, InstanceRole, TableColumn, UseStatus};
use super::sharepoint::{SharepointColumn, SharepointConnection, SharepointList, SharepointSite};
use crate::model::table::table;
use crate::model::text_enum::text_enum;
use crate::model::{Deletion, Id, Json, Rule};

text_enum! {
    /// Which way rows go (`sync_definitions.sync_mode`).
    RecordMode {
        /// From the source to the target, deletions included.
        OneWayPush = "ONE_WAY_PUSH",
        /// Both ways.
        TwoWay = "TWO_WAY",
        /// To the target, where nothing is deleted.
        ArchiveOnly = "ARCHIVE_ONLY",
    }
}

text_enum! {
    /// Who wins when a row changed on both sides (`sync_definitions.conflict_policy`).
    RecordPolicy {
        /// The source.
        SourceWins = "SOURCE_WINS",
        /// The target.
        DestinationWins = "DESTINATION_WINS",
        /// The side that changed it last, by the clocks of both.
        LatestWins = "LATEST_WINS",
        /// Nobody: the row waits for a person.
        Manual = "MANUAL",
    }
}

text_enum! {
    /// What makes the identity of a row (`key_strategy`).
    KeyStrategy {
        /// Its primary key.
        PrimaryKey = "PRIMARY_KEY",
        /// The columns of a unique constraint, which is named.
        UniqueConstraint = "UNIQUE_CONSTRAINT",
        /// The columns of `sync_key_columns`.
        CompositeColumns = "COMPOSITE_COLUMNS",
        /// Everything it holds.
        Hashed = "HASHED",
    }
}

text_enum! {
    /// Where rows go (`sync_definitions.target_strategy`).
    TargetStrategy {
        /// All to one target.
        Single = "SINGLE",
        /// To one of `sync_targets`, by the sharding policy.
        Conditional = "CONDITIONAL",
    }
}

text_enum! {
    /// How changed rows are found (`sync_definitions.cursor_strategy`).
    CursorStrategy {
        /// By a column that every change moves on.
        UpdatedAt = "UPDATED_AT",
        /// By the log of the database.
        Lsn = "LSN",
        /// By reading them all.
        FullScan = "FULL_SCAN",
    }
}

table! {
    /// A row of `sync_definitions`: a standing relation between a table and its target.
    SyncDefinition = "sync_definitions", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_definitions_source": ["source_table_id"];
        "idx_sync_definitions_list": ["target_list_id"];
        "idx_sync_definitions_table": ["target_table_id"];
    },
    {
        /// What it is called.
        name: String [Rule::NotEmpty],
        /// The table.
        source_table_id: Id<DatabaseTable>,
        /// The list, when the target is one.
        target_list_id: Option<Id<SharepointList>>,
        /// The table, when the target is one.
        target_table_id: Option<Id<DatabaseTable>>,
        /// Which way rows go.
        sync_mode: RecordMode,
        /// Who wins when a row changed on both sides.
        conflict_policy: RecordPolicy,
        /// What makes the identity of a row.
        key_strategy: KeyStrategy,
        /// The unique constraint, when that is the key.
        key_constraint_name: Option<String>,
        /// Where rows go.
        target_strategy: TargetStrategy,
        /// How changed rows are found.
        cursor_strategy: CursorStrategy,
        /// The column that every change moves on.
        cursor_column_id: Option<Id<TableColumn>>,
        /// Which row goes to which target.
        sharding_policy: Json,
        /// When it runs; nothing: when somebody says so.
        schedule_cron: Option<String>,
        /// Whether it runs.
        is_enabled: bool,
    }
}

table! {
    /// A row of `sync_targets`: a list that rows of a definition may go to.
    SyncTarget = "sync_targets", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_targets_list": ["sync_def_id", "target_list_id"];
        "idx_sync_targets_definition": ["sync_def_id"];
    },
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// Which list.
        target_list_id: Id<SharepointList>,
        /// Through which connection.
        connection_id: Id<SharepointConnection>,
        /// On which site.
        site_id: Id<SharepointSite>,
        /// Whether rows go there that no rule sends elsewhere.
        is_default: bool,
        /// Rules of lower ones are asked first.
        priority: i64,
        /// Whether it is in use.
        status: UseStatus,
    }
}

table! {
    /// A row of `sync_sources`: an instance that a definition reads.
    SyncSource = "sync_sources", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_sources_instance": ["sync_def_id", "database_instance_id"];
        "idx_sync_sources_definition": ["sync_def_id"];
    },
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// Which instance.
        database_instance_id: Id<DatabaseInstance>,
        /// Whether it is asked first.
        role: InstanceRole,
        /// Lower ones are asked first among equals.
        priority: i64,
        /// Whether it is asked.
        is_enabled: bool,
    }
}

table! {
    /// A row of `sync_key_columns`: a column of the key that a definition makes of several.
    SyncKeyColumn = "sync_key_columns", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_key_columns_column": ["sync_def_id", "column_id"];
        "idx_sync_key_columns_definition": ["sync_def_id"];
    },
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// Which column.
        column_id: Id<TableColumn>,
        /// Its place in the key.
        ordinal_position: i64 [Rule::NotNegative],
        /// Whether a row without it is refused.
        is_required: bool,
    }
}

text_enum! {
    /// Which way a field goes (`field_mappings.sync_direction`).
    FieldDirection {
        /// Both ways.
        Bidirectional = "BIDIRECTIONAL",
        /// From the source to the target.
        PushOnly = "PUSH_ONLY",
        /// From the target to the source.
        PullOnly = "PULL_ONLY",
    }
}

table! {
    /// A row of `field_mappings`: a column of the source and the column of the target that holds the same.
    FieldMapping = "field_mappings", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_field_mappings_source": ["sync_def_id", "source_column_id"];
        "idx_field_mappings_definition": ["sync_def_id"];
    },
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// The column of the source.
        source_column_id: Id<TableColumn>,
        /// Its name.
        source_column_name: String [Rule::NotEmpty],
        /// The column of the list, when the target is one.
        target_column_id: Option<Id<SharepointColumn>>,
        /// The column of the table, when the target is one.
        target_table_column_id: Option<Id<TableColumn>>,
        /// Its name.
        target_column_name: String [Rule::NotEmpty],
        /// Its type.
        target_type: Option<String>,
        /// Which way it goes.
        sync_direction: FieldDirection,
        /// Whether only SharePoint writes it.
        is_system_field: bool,
        /// What is done to a value on its way.
        transform_rule: Option<String>,
        /// Whether it is of the key.
        is_key: bool,
    }
}
