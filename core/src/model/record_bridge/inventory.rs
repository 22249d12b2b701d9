//! What is known of the databases: applications, databases, where they run, their tables and columns.

use crate::model::table::table;
use crate::model::text_enum::text_enum;
use crate::model::{Deletion, Id, Json, Moment, Rule, Secret};

text_enum! {
    /// What becomes of an application (`applications.status`).
    ApplicationStatus {
        /// It is in use.
        Active = "ACTIVE",
        /// It is kept for its history.
        Archived = "ARCHIVED",
    }
}

table! {
    /// A row of `applications`: a product that owns databases.
    Application = "applications", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {},
    {
        /// What it is called.
        name: String [Rule::NotEmpty],
        /// Who answers for it.
        owner_team: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// What becomes of it.
        status: ApplicationStatus,
    }
}

text_enum! {
    /// What speaks to a database (`databases.db_type`).
    DbType {
        /// PostgreSQL.
        Postgres = "POSTGRES",
        /// SQL Server.
        SqlServer = "SQLSERVER",
        /// MySQL or MariaDB.
        MySql = "MYSQL",
        /// A SQLite file.
        Sqlite = "SQLITE",
        /// The host: a store of its own.
        Host = "HOST",
    }
}

text_enum! {
    /// What a database serves (`databases.environment`).
    Environment {
        /// Development.
        Dev = "DEV",
        /// The rehearsal.
        Staging = "STAGING",
        /// Production.
        Prod = "PROD",
    }
}

text_enum! {
    /// Whether something of the inventory may be used (its `status`).
    UseStatus {
        /// It may.
        Active = "ACTIVE",
        /// It may not.
        Disabled = "DISABLED",
    }
}

table! {
    /// A row of `databases`: a database by what it is, wherever it runs.
    Database = "databases", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_databases_name": ["application_id", "database_name", "environment"];
        "idx_databases_application": ["application_id"];
    },
    {
        /// Whose it is.
        application_id: Id<Application>,
        /// What it is called here.
        name: String [Rule::NotEmpty],
        /// What speaks to it.
        db_type: DbType,
        /// What it serves.
        environment: Environment,
        /// Its own name.
        database_name: String [Rule::NotEmpty],
        /// Whether it is in use.
        status: UseStatus,
    }
}

text_enum! {
    /// Which of several endpoints is asked first (`role` of instances and sources).
    InstanceRole {
        /// This one.
        Primary = "PRIMARY",
        /// This one when no primary answers.
        Secondary = "SECONDARY",
    }
}

table! {
    /// A row of `database_instances`: an endpoint at which a database is reached.
    DatabaseInstance = "database_instances", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_database_instances_database": ["database_id"];
    },
    {
        /// Which database.
        database_id: Id<Database>,
        /// What it is called.
        instance_label: String [Rule::NotEmpty],
        /// Its machine; nothing for a file.
        host: Option<String>,
        /// Its port; nothing for the usual one.
        port: Option<i64> [Rule::Between(1, 65535)],
        /// The name of the database there, or the path of its file.
        db_name: Option<String>,
        /// The user who is logged in.
        db_user: Option<String>,
        /// Their password, sealed.
        db_password: Option<Secret>,
        /// TLS, time limits and the like.
        config: Json,
        /// Whether it is asked first.
        role: InstanceRole,
        /// Lower ones are asked first among equals.
        priority: i64,
        /// Whether it is in use.
        status: UseStatus,
        /// When it began to be this endpoint.
        valid_from: Option<Moment>,
        /// When it ceased to be.
        valid_to: Option<Moment>,
        /// When it last answered.
        last_verified_at: Option<Moment>,
    }
}

text_enum! {
    /// What a table is (`database_tables.table_type`).
    TableType {
        /// A table.
        Base = "BASE",
        /// A view.
        View = "VIEW",
    }
}

table! {
    /// A row of `database_tables`: a table or view of a database.
    DatabaseTable = "database_tables", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_database_tables_name": ["database_id", "schema_name", "table_name"];
        "idx_database_tables_database": ["database_id"];
    },
    {
        /// Which database.
        database_id: Id<Database>,
        /// Its schema; empty where there are none.
        schema_name: String,
        /// Its name.
        table_name: String [Rule::NotEmpty],
        /// What it is.
        table_type: TableType,
        /// The columns of its key, separated by commas.
        primary_key: Option<String>,
        /// How many rows it has, about.
        row_estimate: Option<i64> [Rule::NotNegative],
        /// When its metadata were read.
        last_introspected_at: Option<Moment>,
    }
}

table! {
    /// A row of `table_columns`: a column of a table.
    TableColumn = "table_columns", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_table_columns_name": ["table_id", "column_name"];
        "idx_table_columns_table": ["table_id"];
    },
    {
        /// Which table.
        table_id: Id<DatabaseTable>,
        /// Its place.
        ordinal_position: i64 [Rule::NotNegative],
        /// Its name.
        column_name: String [Rule::NotEmpty],
        /// Its type, in the words of its database.
        data_type: String [Rule::NotEmpty],
        /// Whether it may hold nothing.
        is_nullable: bool,
        /// Its default, in the words of its database.
        default_value: Option<String>,
        /// Whether the database numbers it.
        is_identity: bool,
        /// Whether it is of the key.
        is_primary_key: bool,
        /// Whether no two rows have the same.
        is_unique: bool,
    }
}

text_enum! {
    /// What a constraint says (`table_constraints.constraint_type`).
    ConstraintType {
        /// The key.
        PrimaryKey = "PRIMARY_KEY",
        /// A reference.
        ForeignKey = "FOREIGN_KEY",
        /// No two rows alike.
        Unique = "UNIQUE",
        /// A condition.
        Check = "CHECK",
    }
}

table! {
    /// A row of `table_constraints`: a constraint of a table.
    TableConstraint = "table_constraints", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_table_constraints_table": ["table_id"];
    },
    {
        /// Which table.
        table_id: Id<DatabaseTable>,
        /// Its name.
        constraint_name: String [Rule::NotEmpty],
        /// What it says.
        constraint_type: ConstraintType,
        /// The names of its columns.
        columns: Json,
        /// The table it refers to.
        referenced_table: Option<String>,
        /// It in the words of its database.
        definition: Option<String>,
    }
}

table! {
    /// A row of `table_indexes`: an index of a table.
    TableIndex = "table_indexes", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_table_indexes_table": ["table_id"];
    },
    {
        /// Which table.
        table_id: Id<DatabaseTable>,
        /// Its name.
        index_name: String [Rule::NotEmpty],
        /// Whether no two rows have the same.
        is_unique: bool,
        /// How it is built.
        index_method: Option<String>,
        /// The names of its columns.
        columns: Json,
        /// It in the words of its database.
        definition: Option<String>,
    }
}

table! {
    /// A row of `source_table_metrics`: how much a table held at an instance.
    SourceTableMetric = "source_table_metrics", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_source_table_metrics_captured": ["table_id", "database_instance_id"] latest "captured_at";
    },
    {
        /// Which table.
        table_id: Id<DatabaseTable>,
        /// Where.
        database_instance_id: Id<DatabaseInstance>,
        /// When.
        captured_at: Moment,
        /// How many rows.
        row_count: i64 [Rule::NotNegative],
        /// The latest change of a row.
        max_updated_at: Option<Moment>,
    }
}

text_enum! {
    /// How a reading of metadata ended (`introspection_runs.status`).
    IntrospectionStatus {
        /// Everything was read.
        Success = "SUCCESS",
        /// It was not.
        Failed = "FAILED",
    }
}

table! {
    /// A row of `introspection_runs`: a reading of the metadata of a database.
    IntrospectionRun = "introspection_runs", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_introspection_runs_instance": ["database_instance_id"] latest "started_at";
    },
    {
        /// Where it was read.
        database_instance_id: Id<DatabaseInstance>,
        /// When it began.
        started_at: Moment,
        /// When it ended.
        ended_at: Option<Moment>,
        /// How it ended; nothing while it is under way.
        status: Option<IntrospectionStatus>,
        /// What was read.
        stats: Json,
    }
}

table! {
    /// A row of `schema_snapshots`: the metadata of a table at a time, by which drift is found.
    SchemaSnapshot = "schema_snapshots", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_schema_snapshots_captured": ["table_id", "database_instance_id"] latest "captured_at";
    },
    {
        /// Which table.
        table_id: Id<DatabaseTable>,
        /// Where it was read.
        database_instance_id: Id<DatabaseInstance>,
        /// When.
        captured_at: Moment,
        /// Its columns.
        columns: Json,
        /// Its constraints.
        constraints: Json,
        /// Its indexes.
        indexes: Json,
    }
}
