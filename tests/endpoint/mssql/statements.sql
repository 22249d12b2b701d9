-- what every session is told, and whether the server answers
SET NOCOUNT ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; SET XACT_ABORT OFF; SET IMPLICIT_TRANSACTIONS OFF; SET LANGUAGE us_english; SET TEXTSIZE 2147483647; SET LOCK_TIMEOUT 30000;
SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), CAST(SERVERPROPERTY('Edition') AS nvarchar(128)), DATEDIFF_BIG(second, '19700101', x.now), DATEPART(nanosecond, x.now) FROM (SELECT SYSUTCDATETIME() AS now) AS x;
SELECT CAST(d.snapshot_isolation_state AS int), CAST(d.is_read_committed_snapshot_on AS int) FROM sys.databases AS d WHERE d.name = DB_NAME();

-- the tables
SELECT SCHEMA_NAME(o.schema_id), o.name, CASE o.type WHEN 'V' THEN 1 ELSE 0 END, (SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = o.object_id AND p.index_id IN (0, 1)) FROM sys.objects AS o WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY SCHEMA_NAME(o.schema_id), o.name;

-- what a table looks like
DECLARE @id int = OBJECT_ID(@P1); SELECT CASE o.type WHEN 'V' THEN 1 ELSE 0 END, (SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = o.object_id AND p.index_id IN (0, 1)) FROM sys.objects AS o WHERE o.object_id = @id AND o.type IN ('U', 'V'); SELECT c.name, COALESCE(TYPE_NAME(c.system_type_id), TYPE_NAME(c.user_type_id)), CAST(c.max_length AS int), CAST(c.precision AS int), CAST(c.scale AS int), c.is_nullable, c.collation_name, CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int), d.definition, c.is_identity, CASE WHEN c.is_computed = 1 OR c.generated_always_type <> 0 THEN 1 ELSE 0 END FROM sys.columns AS c LEFT JOIN sys.default_constraints AS d ON d.object_id = c.default_object_id WHERE c.object_id = @id ORDER BY c.column_id; SELECT i.name, i.is_unique, i.is_primary_key, i.is_unique_constraint, i.filter_definition, CAST(i.type_desc AS nvarchar(60)), c.name FROM sys.indexes AS i INNER JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id INNER JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id WHERE i.object_id = @id AND i.is_disabled = 0 AND i.is_hypothetical = 0 AND ic.key_ordinal > 0 ORDER BY i.index_id, ic.key_ordinal; SELECT f.name, SCHEMA_NAME(r.schema_id), r.name, c.name FROM sys.foreign_keys AS f INNER JOIN sys.objects AS r ON r.object_id = f.referenced_object_id INNER JOIN sys.foreign_key_columns AS fc ON fc.constraint_object_id = f.object_id INNER JOIN sys.columns AS c ON c.object_id = fc.parent_object_id AND c.column_id = fc.parent_column_id WHERE f.parent_object_id = @id ORDER BY f.name, fc.constraint_column_id; SELECT k.name, k.definition FROM sys.check_constraints AS k WHERE k.parent_object_id = @id AND k.is_disabled = 0 ORDER BY k.name;

-- how many rows it has
SELECT COUNT_BIG(*) FROM [dbo].[t];

-- all of it
SELECT CAST(CAST(t.[code] AS nvarchar(10)) AS varbinary(20)), t.[n]]o], CAST(t.[note] AS varbinary(max)), CAST(t.[price] AS decimal(19,4)), t.[at], CAST(t.[rank] AS bigint), t.[file] FROM [dbo].[t] AS t;

-- rows by their keys
SELECT CAST(t.[note] AS varbinary(max)) FROM [dbo].[t] AS t WHERE EXISTS (SELECT 1 FROM (VALUES (@P1, CAST(@P2 AS bigint)), (@P3, CAST(@P4 AS bigint))) AS u (k0, k1) WHERE t.[code] = u.k0 COLLATE Latin1_General_CI_AS AND t.[n]]o] = u.k1);

-- rows are made, one of them by a number that the server would give, and both again, as one is there
SET IDENTITY_INSERT [dbo].[t] ON;
INSERT INTO [dbo].[t] ([code], [n]]o], [note], [price], [file]) VALUES (@P1, CAST(@P2 AS bigint), @P3, CAST(@P4 AS money), @P5), (@P6, CAST(@P7 AS bigint), @P8, CAST(@P9 AS money), @P10); SELECT @@ROWCOUNT;
SELECT CAST(XACT_STATE() AS int);
INSERT INTO [dbo].[t] ([code], [n]]o], [note], [price], [file]) VALUES (@P1, CAST(@P2 AS bigint), @P3, CAST(@P4 AS money), @P5); SELECT @@ROWCOUNT;
SET IDENTITY_INSERT [dbo].[t] OFF;

-- rows are changed
DECLARE @done TABLE (place int NOT NULL); UPDATE t SET [note] = u.c0, [price] = u.c1, [file] = u.c2 OUTPUT u.place INTO @done FROM [dbo].[t] AS t INNER JOIN (VALUES (@P1, CAST(@P2 AS money), @P3, @P4, CAST(@P5 AS bigint), 0), (@P6, CAST(@P7 AS money), @P8, @P9, CAST(@P10 AS bigint), 1)) AS u (c0, c1, c2, k0, k1, place) ON t.[code] = u.k0 COLLATE Latin1_General_CI_AS AND t.[n]]o] = u.k1; SELECT place FROM @done;

-- a row is compared, and not there any more
SELECT u.place, CAST(t.[note] AS varbinary(max)) FROM (VALUES (@P1, CAST(@P2 AS bigint), 0)) AS u (k0, k1, place) INNER JOIN [dbo].[t] AS t WITH (UPDLOCK) ON t.[code] = u.k0 COLLATE Latin1_General_CI_AS AND t.[n]]o] = u.k1;

-- rows are taken out
DECLARE @done TABLE (place int NOT NULL); DELETE t OUTPUT u.place INTO @done FROM [dbo].[t] AS t INNER JOIN (VALUES (@P1, CAST(@P2 AS bigint), 0), (@P3, CAST(@P4 AS bigint), 1)) AS u (k0, k1, place) ON t.[code] = u.k0 COLLATE Latin1_General_CI_AS AND t.[n]]o] = u.k1; SELECT place FROM @done;

-- changes by a rowversion, for the first time
SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint);
SELECT TOP (1) CAST(t.[rank] AS bigint), CAST(CAST(t.[code] AS nvarchar(10)) AS varbinary(20)), t.[n]]o] FROM [dbo].[t] AS t WHERE t.[rank] IS NOT NULL ORDER BY t.[rank] DESC, t.[code] DESC, t.[n]]o] DESC;
SELECT CAST(CAST(t.[code] AS nvarchar(10)) AS varbinary(20)), t.[n]]o], CAST(t.[price] AS decimal(19,4)) FROM [dbo].[t] AS t;

-- changes by a rowversion, behind a row
SELECT CAST(CAST(t.[code] AS nvarchar(10)) AS varbinary(20)), t.[n]]o], CAST(t.[price] AS decimal(19,4)) FROM [dbo].[t] AS t WHERE (t.[rank] > CAST(@P1 AS binary(8)) OR (t.[rank] = CAST(@P1 AS binary(8)) AND (t.[code] > @P2 COLLATE Latin1_General_CI_AS OR (t.[code] = @P2 COLLATE Latin1_General_CI_AS AND t.[n]]o] > CAST(@P3 AS bigint))))) OR t.[rank] IS NULL;

-- changes by a time, with an overlap
SELECT TOP (1) t.[at], CAST(CAST(t.[code] AS nvarchar(10)) AS varbinary(20)), t.[n]]o] FROM [dbo].[t] AS t WHERE t.[at] IS NOT NULL ORDER BY t.[at] DESC, t.[code] DESC, t.[n]]o] DESC;
SELECT CAST(CAST(t.[code] AS nvarchar(10)) AS varbinary(20)), t.[n]]o], CAST(t.[price] AS decimal(19,4)) FROM [dbo].[t] AS t WHERE t.[at] >= CAST(@P1 AS datetime2(7)) OR t.[at] IS NULL;

-- changes by Change Tracking, for the first time and after it
SELECT CHANGE_TRACKING_CURRENT_VERSION(), CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(@P1));
SELECT CASE WHEN t.[code] IS NULL THEN 0 ELSE 1 END, CAST(CAST(ct.[code] AS nvarchar(10)) AS varbinary(20)), ct.[n]]o], CAST(CAST(t.[code] AS nvarchar(10)) AS varbinary(20)), t.[n]]o], CAST(t.[price] AS decimal(19,4)) FROM CHANGETABLE(CHANGES [dbo].[t], @P1) AS ct LEFT OUTER JOIN [dbo].[t] AS t ON t.[code] = ct.[code] AND t.[n]]o] = ct.[n]]o];

-- a table is made
CREATE TABLE [dbo].[made]]] ([c_integer] bigint NULL, [c_boolean] bit NULL, [c_decimal] decimal(38,10) NULL, [c_float] float NULL, [c_text] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL, [c_bytes] varbinary(max) NULL, [c_uuid] uniqueidentifier NULL, [c_date] date NULL, [c_time] time(7) NULL, [c_timestamp] datetime2(7) NULL, [c_instant] datetimeoffset(7) NULL, [c_json] nvarchar(max) NULL, [id] bigint NOT NULL, [marker] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL, [it's] nvarchar(10) COLLATE Latin1_General_100_CI_AS_SC NOT NULL UNIQUE, PRIMARY KEY ([id]));
CREATE INDEX [made]]_c_integer_index] ON [dbo].[made]]] ([c_integer]);
ALTER TABLE [dbo].[made]]] ADD CHECK (ISJSON([c_json]) = 1);
CREATE UNIQUE INDEX [made]]_marker_unique] ON [dbo].[made]]] ([marker]) WHERE [marker] IS NOT NULL;
DECLARE @schema sysname = COALESCE(NULLIF(@P2, N''), SCHEMA_NAME()); EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = @P1, @level0type = N'SCHEMA', @level0name = @schema, @level1type = N'TABLE', @level1name = @P3;

